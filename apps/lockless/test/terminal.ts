// SPDX-License-Identifier: MIT
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { RunResult } from '@lockless/report';
import { expect, onTestFinished } from 'vitest';
import type { Io } from '../src/io.js';
import { main } from '../src/main.js';

/** The recording of `/bin/true`: 78 operations. */
export const TRUE: string = fileURLToPath(new URL('true.lkr.gz', import.meta.url));

export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Keeps what is written to it; to its writer it is a terminal if asked to be. */
export class Screen extends Writable {
  text = '';
  readonly isTTY: boolean;
  readonly columns: number | undefined;

  constructor(isTTY = false, columns = 120) {
    super({ decodeStrings: false });
    this.isTTY = isTTY;
    this.columns = isTTY ? columns : undefined;
  }

  override _write(chunk: string, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk;
    done();
  }

  // What a terminal can do, as marks.
  clearLine(): boolean {
    return this.write('<clear>');
  }
  cursorTo(): boolean {
    return this.write('<home>');
  }
  moveCursor(): boolean {
    return true;
  }
}

/** Runs the command line in this process, without a terminal. */
export async function lockless(...args: string[]): Promise<Finished> {
  const stdout = new Screen();
  const stderr = new Screen();
  const code = await main(args, { stdout, stderr, onInterrupt: never });
  return { code, stdout: stdout.text, stderr: stderr.text };
}

/** No Ctrl-C. */
export const never: Io['onInterrupt'] = () => () => {};

/** The one JSON document that a run prints, and nothing else. */
export function jsonOf({ stdout, stderr }: Finished): RunResult {
  expect(stderr).toBe('');
  expect(stdout.endsWith('}\n')).toBe(true);
  expect(stdout.indexOf('\n')).toBe(stdout.length - 1);
  return JSON.parse(stdout) as RunResult;
}

/** An empty folder for the running test. */
export function emptyFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'lockless-cli-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
