// SPDX-License-Identifier: MIT
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeEach, expect, test, vi } from 'vitest';
import { main } from '../src/command.js';
import { buildNativePackage, CompileError, StripError, stripFolder } from '../src/index.js';

const repository = fileURLToPath(new URL('../../..', import.meta.url));
const cache = join(repository, 'node_modules/.cache/lockless');
mkdirSync(cache, { recursive: true });
const parent = mkdtempSync(join(cache, 'strip-'));
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(parent, 'case-'));
});
afterAll(() => rmSync(parent, { recursive: true, force: true }));

/** Writes files below the folder of the test. */
function given(files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}
const read = (path: string): string => readFileSync(join(folder, path), 'utf8');

const OP = "import type { Op } from '@lockless/cpu';\n";

test('a folder: x.native.ts takes the place of x.ts, operations of other files are known', () => {
  given({
    'src/index.ts': "export * from './a.js';\n",
    'src/a.ts': `${OP}import { b } from './deep/b.js';\nexport function* a(): Op<number> { return yield* b(); }\n`,
    'src/deep/b.ts': 'export const wrong = 1;\n',
    'src/deep/b.native.ts': 'export const b = (): number => 1;\n',
    'src/unused.ts': 'export function* f() { yield 1; }\n',
  });
  const { files, operations } = stripFolder(join(folder, 'src'), join(folder, 'out'), { entries: ['index.ts'] });
  expect([...files]).toEqual([
    ['a.ts', 'a.ts'],
    ['deep/b.ts', 'deep/b.native.ts'],
    ['index.ts', 'index.ts'],
  ]);
  expect(operations).toEqual(['a']);
  expect(read('out/a.ts')).toContain('export function a(): number { return b(); }');
  expect(JSON.parse(read('out/deep/b.ts.map')).sources).toEqual(['../../src/deep/b.native.ts']);
});

test('a folder: the problems of all files at once, and nothing from before is left', () => {
  given({
    'src/a.ts': `${OP}export function* a(): Op<void> { yield 1; }\n`,
    'src/b.ts': "import { d } from './index.js';\nexport const kept = [d()];\n",
    'src/c.ts': `${OP}export function* c(): Op<void> {}\n`,
    'src/index.ts': "export { c as d } from './more.js';\n",
    'src/more.ts': "export * from './c.js';\n",
    'out/old.ts': '',
  });
  let problems: readonly string[] = [];
  try {
    stripFolder(join(folder, 'src'), join(folder, 'out'));
  } catch (error) {
    if (error instanceof StripError)
      problems = error.problems.map(({ file, line, column }) => `${file.slice(-8)}:${line}:${column}`);
  }
  expect(problems).toEqual(['src/a.ts:2:34', 'src/b.ts:2:22']);
  expect(existsSync(join(folder, 'out/old.ts'))).toBe(false);
});

/** A package with a native build; it has what `@lockless/cpu/native` gives it from a package of that name. */
function givenPackage(files: Readonly<Record<string, string>>): void {
  const tsconfig = {
    extends: join(repository, 'tsconfig.base.json'),
    compilerOptions: { rootDir: 'src', outDir: 'dist', types: [] },
  };
  given({
    'package.json': JSON.stringify({
      name: 'mine',
      type: 'module',
      dependencies: { '@lockless/cpu': '*' },
      lockless: { segment: 40 },
    }),
    'tsconfig.json': JSON.stringify({ ...tsconfig, include: ['src'] }),
    ...files,
  });
  mkdirSync(join(folder, 'node_modules/@lockless'), { recursive: true });
  symlinkSync(join(repository, 'packages/cpu'), join(folder, 'node_modules/@lockless/cpu'), 'dir');
}

test('a package: its stack traces name the source that was written by hand, its static data has its own segment', async () => {
  givenPackage({
    'src/index.ts': "export { outer, word } from './thrower.js';\n",
    'src/thrower.ts': `import { defineWord, type Op, type Ref } from '@lockless/cpu';

export const word: Ref<number> = defineWord('mine');

function* inner(): Op<never> {
  throw new Error(yield* text());
}
function* text(): Op<string> {
  return 'here';
}

export function* outer(): Op<void> {
  yield* inner();
}
`,
  });
  await buildNativePackage(folder);
  const program = `
    const { outer, word } = await import(${JSON.stringify(pathToFileURL(join(folder, 'dist/native/index.js')).href)});
    console.log(word >> 14);
    try { outer(); } catch (error) { console.log(error.stack); }`;
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--enable-source-maps',
    '--input-type=module',
    '-e',
    program,
  ]);
  const [segment, , inner, outer] = stdout.split('\n');
  expect(segment).toBe('40');
  expect(inner).toContain(`inner (${join(folder, 'src/thrower.ts')}:6:9)`);
  expect(outer).toContain(`outer (${join(folder, 'src/thrower.ts')}:13:10)`);
  expect(JSON.parse(read('dist/native/thrower.d.ts.map')).sources).toEqual(['../../src/thrower.ts']);
});

test('a package: what does not compile is told, and so is a package without a segment', async () => {
  givenPackage({ 'src/index.ts': 'export const a: number = "a";\n' });
  await expect(buildNativePackage(folder)).rejects.toThrow(CompileError);
  await expect(buildNativePackage(folder)).rejects.toThrow(/index\.ts\(1,14\): error TS2322/);
  given({ 'package.json': '{ "name": "mine" }' });
  await expect(buildNativePackage(folder)).rejects.toThrow(/expected "lockless": { "segment": NUMBER }/);
});

test('the command: exit codes and messages', async () => {
  const said: string[] = [];
  const error = vi.spyOn(console, 'error').mockImplementation((text: string) => void said.push(text));
  given({
    'a.ts': `${OP}export function* a(): Op<void> {}\n`,
    'b.ts': `${OP}export function* b(): Op<void> { yield; }\n`,
    'tasks.ts': "import { type Task, go } from './go.js';\nexport function* f(): Task<void> { yield* go(); }\n",
  });
  const out = join(folder, 'out');
  expect(await main([join(folder, 'a.ts'), '--out', out])).toBe(0);
  expect(read('out/a.ts')).toContain('export function a(): void {}');
  expect(JSON.parse(read('out/a.ts.map')).sources).toEqual(['../a.ts']);
  expect(
    await main([
      join(folder, 'tasks.ts'),
      '--out',
      out,
      '--vocabulary',
      './go.js',
      '--type',
      'Task',
      '--module',
      './go.js=./now.js',
    ]),
  ).toBe(0);
  expect(read('out/tasks.ts')).toBe("import { go } from './now.js';\nexport function f(): void { go(); }\n");
  expect(said).toEqual([]);
  expect(await main([join(folder, 'b.ts'), '--out', out])).toBe(3);
  expect(said.pop()).toMatch(/b\.ts:2:34: a bare yield has no native form: expected yield\*/);
  expect(await main([join(folder, 'a.ts')])).toBe(2);
  expect(said.pop()).toMatch(/^lockless-strip: expected --out FOLDER\nUsage:/);
  expect(await main([join(folder, 'missing.ts'), '--out', out])).toBe(2);
  expect(await main(['--frob'])).toBe(2);
  expect(await main(['--package', folder])).toBe(2);
  error.mockRestore();
});
