// SPDX-License-Identifier: GPL-2.0-only
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach } from 'vitest';
import { FileCache, type FileCacheOptions } from '../src/node.js';

const folder = mkdtempSync(join(tmpdir(), 'lockless-file-cache-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
let open: FileCache | undefined;

/** A path in a folder that goes after the tests; with contents, a file. */
export function temporary(contents?: Uint8Array): string {
  const path = join(folder, `file-${files++}`);
  if (contents !== undefined) writeFileSync(path, contents);
  return path;
}

/** Bytes that tell where they are from. */
export const patterned = (length: number, seed = 1): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (Math.imul(i ^ (i >> 12), 0x9e3779b1) >>> 24) ^ seed);

/** A cache that may block this thread, and is closed after the test. */
export function newCache(options: Partial<FileCacheOptions> = {}): FileCache {
  open = FileCache.create({ budget: 1 << 20, threads: 8, mayBlock: true, ...options });
  return open;
}

afterEach(async () => {
  const cache = open;
  open = undefined;
  await cache?.close();
});
