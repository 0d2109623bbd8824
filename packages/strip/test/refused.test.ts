// SPDX-License-Identifier: MIT
import { expect, test } from 'vitest';
import { StripError, strip } from '../src/index.js';

const HEAD = "import { type Access, access, type Op } from '@lockless/cpu';\n";
const TAIL = '\nfunction* op(): Op<number> { return 1; }\n';

/** Positions and messages, of what stands in line 2. */
function refused(text: string): string[] {
  try {
    strip(HEAD + text + TAIL, { file: 'a.ts' });
    return [];
  } catch (error) {
    if (!(error instanceof StripError)) throw error;
    return error.problems.map(({ line, column, message }) => `${line}:${column} ${message.split(':')[0]}`);
  }
}

const MADE = 'an operation that is made here and not carried out here';
const KEPT = 'yield* of something that was not called here';

test.each([
  ['function* f(): Op<void> { yield 1; }', ['2:27 a bare yield has no native form']],
  ['function* f() { const x = yield; }', ['2:27 a bare yield has no native form']],
  ['function* f(): Op<void> { const o = op(); other(); yield* o; }', [`2:37 ${MADE}`, `2:59 ${KEPT}`]],
  [
    'function* f(o: Op<void>): Op<void> { yield* o; }',
    ['2:16 Op as the type of something that is kept', `2:45 ${KEPT}`],
  ],
  ['function* f(): Op<void> { yield* this.later; }', [`2:34 ${KEPT}`]],
  ['function* f(): Op<void> { yield* a?.b(); }', [`2:34 ${KEPT}`]],
  ['function* f(): Op<void> { yield* a() ?? b(); }', [`2:34 ${KEPT}`]],
  ['function* f(): Op<void> { op(); }', [`2:27 ${MADE}`]],
  ['function* f(): Op<unknown> { return op(); }', [`2:37 ${MADE}`]],
  ['const list = [op(), op()];', [`2:15 ${MADE}`, `2:21 ${MADE}`]],
  ['const f = (c) => c ?? op();', [`2:23 ${MADE}`]],
  ['both(op());', [`2:6 ${MADE}`]],
  ['for (const x of op()) console.log(x);', [`2:17 ${MADE}`]],
  ['const r = op().next();', [`2:11 ${MADE}`]],
  ['const r = [...op()];', [`2:15 ${MADE}`]],
  ['class A { *m() {} n() { this.m().next(); } }', [`2:25 ${MADE}`]],
  ['const a = (): Op<void> => g(); a();', [`2:32 ${MADE}`]],
  ['const a = () => op(); a();', [`2:23 ${MADE}`]],
  ['function f(visit: () => Op<void>): void { visit(); }', [`2:43 ${MADE}`]],
  [
    'function* f(): Generator<number> { yield 1; yield* op(); }',
    ['2:45 an operation inside an iterator or an async generator'],
  ],
  ['const later: Op<void>[] = [];', ['2:14 Op inside another type']],
  ['let later: Op<void>;', ['2:12 Op as the type of something that is kept']],
  ['interface I { later: Access<void> }', ['2:22 Access as the type of something that is kept']],
  ['function f(): Op<void> | null { return null; }', ['2:15 Op or something else']],
  ['async function f(): Promise<Op<void>> { return g(); }', ['2:29 Op as a type argument']],
  ['function f(): Op { return g(); }', ['2:15 Op without its result']],
  ['const a = access;', ['2:11 access as a value']],
  ['const f = () => access(pick(function () {}), 1);', ['2:17 the first argument must name a primitive']],
  ['const f = (access) => access(1);', ['2:12 access is imported and declared here again']],
  ['let x = ;', ['2:9 Unexpected token']],
])('%s', (text, expected) => {
  expect(refused(text)).toEqual(expected);
});

test('who drives an operation from outside is named', () => {
  const text = "import { runSequentially } from '@lockless/cpu';\n";
  expect(() => strip(text, { file: 'src/a.ts' })).toThrow(
    /^src\/a\.ts:1:10: runSequentially drives an operation from outside/,
  );
});

test('operations of other files are known by their names', () => {
  const text = "import { grab } from './grab.js';\nexport const f = (): void => { grab(); };\n";
  expect(strip(text).code).toBe(text);
  const operations = new Map([['./grab.js', new Set(['grab'])]]);
  expect(() => strip(text, { file: 'b.ts', operations })).toThrow(/^b\.ts:2:32: /);
  const all = "import * as ops from './grab.js';\nexport const f = (): void => { ops.grab(); ops.other(); };\n";
  expect(() => strip(all, { file: 'b.ts', operations })).toThrow(/^b\.ts:2:32: .*$/);
});
