// SPDX-License-Identifier: MIT
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'vite';
import { afterAll, expect, test } from 'vitest';
import { lockless } from '../src/plugin.js';

const folder = mkdtempSync(join(tmpdir(), 'lockless-plugin-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Bundles `main.ts` of these files. */
async function bundle(files: Readonly<Record<string, string>>): Promise<string> {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const built = await build({
    root: folder,
    configFile: false,
    logLevel: 'silent',
    plugins: [lockless.vite({ vocabulary: ['./task.js'], types: ['Task'] })],
    build: { write: false, minify: false, lib: { entry: 'main.ts', formats: ['es'] } },
  });
  const [{ output }] = built as { output: { code: string }[] }[];
  return output[0].code;
}

const task =
  'export type Task<T> = Generator<number, T, number>;\nexport function* get(): Task<number> { return yield 1; }\n';

test('vite bundles the functions that operations become, and x.native.ts in place of x.ts', async () => {
  const code = await bundle({
    'task.ts': task,
    'task.native.ts': 'export type Task<T> = T;\nexport const get = (): number => 41;\n',
    'main.ts':
      "import { get, type Task } from './task.js';\nexport function* next(): Task<number> { return (yield* get()) + 1; }\n",
  });
  expect(code).not.toMatch(/yield|function\*/);
  const { next } = await import(`data:text/javascript,${encodeURIComponent(code)}`);
  expect(next()).toBe(42);
});

test('what has no native form fails the build, with its place', async () => {
  const files = {
    'task.ts': task,
    'main.ts': "import type { Task } from './task.js';\nexport function* a(): Task<void> { yield 2; }\n",
  };
  await expect(bundle(files)).rejects.toThrow(/main\.ts:2:36: a bare yield has no native form/);
});
