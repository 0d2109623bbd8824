// SPDX-License-Identifier: MIT
import { describe, expect, test } from 'vitest';
import { strip } from '../src/index.js';

const HEAD = "import type { Access, Op } from '@lockless/cpu';\n";
/** What becomes of a piece of source that knows Op and Access. */
const native = (text: string): string => strip(HEAD + text).code.trimStart();
/** Inside of an operation. */
const inside = (text: string): string =>
  native(`function* f(): Op<void> {${text}}`).slice('function f(): void {'.length, -1);

describe('generators', () => {
  test.each([
    ['function* f(): Op<number> { return 1; }', 'function f(): number { return 1; }'],
    ['function *f() {}', 'function f() {}'],
    ['function*f() {}', 'function f() {}'],
    ['export function /* why */ * f() {}', 'export function /* why */  f() {}'],
    ['const f = function* () {};', 'const f = function () {};'],
    ['const f = function*g<T>(a: T): Op<T> { return a; };', 'const f = function g<T>(a: T): T { return a; };'],
    [
      'const o = { *m(): Op<void> {}, async *n() { yield 1; } };',
      'const o = { m(): void {}, async *n() { yield 1; } };',
    ],
    [
      'class A { *m(): Op<void> {} static *n() {} private*o() {} *["p"]() {} }',
      'class A { m(): void {} static n() {} private o() {} ["p"]() {} }',
    ],
    ['class A { get\n *next(): Op<void> {} }', 'class A { get\n ;next(): void {} }'],
    ['abstract class A { abstract m(): Op<number>; }', 'abstract class A { abstract m(): number; }'],
    ['f(function* (a) { yield* g(a); });', 'f(function (a) { g(a); });'],
  ])('%s', (text, expected) => {
    expect(native(text)).toBe(expected);
  });

  test('iterators stay what they are', () => {
    const iterator =
      'function* f(): Generator<number> { yield 1; yield* [2, 3]; }\nclass A { *[Symbol.iterator](): IterableIterator<number> { yield 1; } }';
    expect(native(iterator)).toBe(iterator);
  });
});

describe('yield*', () => {
  test.each([
    ['yield* a();', 'a();'],
    ['const x = yield* a(yield* b(), yield* c());', 'const x = a(b(), c());'],
    ['return (yield* a()) + (yield* b()) * 2;', 'return (a()) + (b()) * 2;'],
    ['return !(yield* a()) && typeof (yield* b());', 'return !(a()) && typeof (b());'],
    ['yield* c ? a() : b();', 'c ? a() : b();'],
    ['return (yield* c ? a() : b()) | 0;', 'return (c ? a() : b()) | 0;'],
    ['const x = p ? yield* c ? a() : b() : yield* d();', 'const x = p ? c ? a() : b() : d();'],
    ['yield* (0, a)();', '(0, a)();'],
    ['yield* (a ?? b)(yield* c());', '(a ?? b)(c());'],
    ['yield* a.b().c<number>();', 'a.b().c<number>();'],
    ['for (let i = yield* a(); i < (yield* b()); i += yield* c()) {}', 'for (let i = a(); i < (b()); i += c()) {}'],
    ['for (const x of yield* list()) yield* a(x);', 'for (const x of list()) a(x);'],
    ['const { x = yield* a(), ...y } = yield* b();', 'const { x = a(), ...y } = b();'],
    ['const t = `${yield* a()} and ${(yield* b()).c}`;', 'const t = `${a()} and ${(b()).c}`;'],
    [
      'const l = [yield* a(), ...yield* b(), { c: yield* d(), [yield* e()]: 1 }];',
      'const l = [a(), ...b(), { c: d(), [e()]: 1 }];',
    ],
    ['return yield*\n  a();', 'return a();'],
    ['return yield* // why\n  a();', 'return ( // why\n  a());'],
    ['throw yield* a();', 'throw a();'],
    ['return yield*a();', 'return a();'],
    ['if (x) yield* (a)();\nelse yield* (b)();', 'if (x) (a)();\nelse (b)();'],
    ['const x = 1\nyield* (a)()', 'const x = 1\n;(a)()'],
    ['switch (x) { case 1: g()\nyield* (a)() }', 'switch (x) { case 1: g()\n;(a)() }'],
    ['yield* function* () {}();', '(function () {}());'],
    ['yield* (a() as unknown as Op<void>);', '(a() as unknown as void);'],
    ['const x = (yield* a()) as number;', 'const x = (a()) as number;'],
    ['x += yield* a();', 'x += a();'],
    [
      'label: while (yield* a()) { if (yield* b()) continue label; }',
      'label: while (a()) { if (b()) continue label; }',
    ],
    ['try { yield* a(); } finally { yield* b(); }', 'try { a(); } finally { b(); }'],
  ])('%s', (text, expected) => {
    expect(inside(text)).toBe(expected);
  });
});

describe('types', () => {
  test.each([
    ['const f = (): Op<void> => g();', 'const f = (): void => g();'],
    ['function f(): Access<void> | Op<void> { return g(); }', 'function f(): void | void { return g(); }'],
    [
      'interface I { readonly m: (a: number) => Op<boolean>; n(): Access<string>; }',
      'interface I { readonly m: (a: number) => boolean; n(): string; }',
    ],
    ['type F = ((a: number) => Op<number | null>) | null;', 'type F = ((a: number) => number | null) | null;'],
    ['type L = (() => Op<Map<string, number>>)[];', 'type L = (() => Map<string, number>)[];'],
    [
      'function f(g: (h: () => Op<void>) => Op<void>): Op<void> { return g(k); }',
      'function f(g: (h: () => void) => void): void { return g(k); }',
    ],
    ['const f = () => g() as Access<number> as Access<null>;', 'const f = () => g() as number as null;'],
    ['type R<F> = F extends () => Op<infer T> ? T : never;', 'type R<F> = F extends () => infer T ? T : never;'],
    ['function f(): Op<number | string> | Op<() => void>;', 'function f(): (number | string) | (() => void);'],
    ['type Step = Op<void>; function* f(): Step { yield* g(); }', 'type Step = void; function f(): Step { g(); }'],
  ])('%s', (text, expected) => {
    expect(native(text)).toBe(expected);
  });

  test('the same names from elsewhere are left alone', () => {
    const text = "import { access, type Op } from './mine.js';\nexport const f: Op<void> = access(1, 2);\n";
    expect(strip(text).code).toBe(text);
  });
});

describe('accesses', () => {
  const accesses = (text: string): string => strip(`import { access } from './op.js';\n${text}`).code.trimStart();
  test.each([
    ['const f = (p) => access(LOAD, p);', 'const f = (p) => LOAD(p);'],
    ['const f = (p) => access<void>(STORE, p, 1, 2);', 'const f = (p) => STORE<void>(p, 1, 2);'],
    ['const f = () => access(FENCE);', 'const f = () => FENCE();'],
    ['const f = () => access(smp() ? MB : BARRIER, 0);', 'const f = () => (smp() ? MB : BARRIER)(0);'],
    ['const f = () => access(codes.load, 0);', 'const f = () => codes.load(0);'],
  ])('%s', (text, expected) => {
    expect(accesses(text)).toBe(expected);
  });
});

describe('imports', () => {
  const options = {
    modules: { '@lockless/cpu': '@lockless/cpu/native', '@lockless/rcu': '@lockless/rcu/native' },
    redirect: { names: ['defineWord'], module: './static-data.js' },
  };
  test.each([
    ["import { type Op, readOnce } from '@lockless/cpu';", "import { readOnce } from '@lockless/cpu/native';"],
    ["import type { Op } from '@lockless/cpu';", ''],
    [
      "import { defineWord, peek, access } from '@lockless/cpu';",
      "import { peek } from '@lockless/cpu/native'; import { defineWord } from './static-data.js';",
    ],
    [
      "import * as cpu from '@lockless/cpu';\nexport const f = (): cpu.Op<void> => cpu.smpMb();",
      "import * as cpu from '@lockless/cpu/native';\nexport const f = (): void => cpu.smpMb();",
    ],
    [
      "export * from '@lockless/rcu';\nexport { a } from './a.js';",
      "export * from '@lockless/rcu/native';\nexport { a } from './a.js';",
    ],
    [
      "export const f = async () => await import('@lockless/rcu');",
      "export const f = async () => await import('@lockless/rcu/native');",
    ],
    ["let t: import('@lockless/rcu').T;", "let t: import('@lockless/rcu/native').T;"],
  ])('%s', (text, expected) => {
    expect(strip(text, options).code).toBe(expected);
  });

  test('other names for the vocabulary', () => {
    const text =
      "import { type Task, go } from './tasks.js';\nexport function* f(): Task<number> { return yield* go(); }\n";
    const { code } = strip(text, { vocabulary: ['./tasks.js'], types: ['Task'] });
    expect(code).toBe("import { go } from './tasks.js';\nexport function f(): number { return go(); }\n");
  });
});
