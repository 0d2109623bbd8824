// SPDX-License-Identifier: MIT
import { describe, expect, it } from 'vitest';
import { cyclicTest, type Edge, ring } from '../src/generate.js';
import type { Outcome, SolveOptions } from '../src/outcome.js';
import { finalStates } from '../src/output.js';
import { parseLitmus } from '../src/parse.js';
import { solve } from '../src/solve.js';

const run = (source: string, options: SolveOptions = {}): Outcome => solve(parseLitmus(source), options);
const executions = ({ positive, negative }: Outcome): number => positive + negative;

const storeBuffering = (order: Edge['order'], n: number): string => cyclicTest('SB', ring(n, [{ order, next: 'Fre' }]));

function increments(n: number): string {
  const threads = Array.from({ length: n }, (_, i) => `P${i}(atomic_t *x)\n{\natomic_inc(x);\n}\n`);
  return `C ninc\n{}\n${threads.join('')}exists (x=${n})\n`;
}

function readers(n: number): string {
  const all = Array.from({ length: n }, (_, i) => `x${i}`);
  const writer = `P0(${all.map((x) => `int *${x}`).join(', ')})\n{\n${all.map((x) => `WRITE_ONCE(*${x}, 1);`).join('\n')}\n}\n`;
  const threads = all.map((x, i) => `P${i + 1}(int *${x})\n{\nint r0 = READ_ONCE(*${x});\n}\n`);
  return `C readers\n{}\n${writer}${threads.join('')}exists (1:r0=1)\n`;
}

describe('each execution is found once', () => {
  it.each([2, 3, 5, 8])('SB(%d): 2^n - 1 under SC, 2^n under TSO and LKMM', (n) => {
    const source = storeBuffering('Po', n);
    expect(executions(run(source, { model: 'sc' }))).toBe(2 ** n - 1);
    expect(executions(run(source, { model: 'tso' }))).toBe(2 ** n);
    expect(executions(run(source))).toBe(2 ** n);
    expect(executions(run(storeBuffering('Mb', n)))).toBe(2 ** n - 1);
  });

  it.each([1, 2, 4, 6])('%d increments: n!', (n) => {
    const factorial = Array.from({ length: n }, (_, i) => i + 1).reduce((product, i) => product * i, 1);
    for (const model of ['sc', 'tso', 'lkmm'] as const) {
      const outcome = run(increments(n), { model });
      expect(outcome).toMatchObject({ positive: factorial, negative: 0 });
    }
  });

  it.each([1, 4, 8])('a writer of %d variables with as many readers: 2^n', (n) => {
    for (const model of ['sc', 'tso', 'lkmm'] as const) expect(executions(run(readers(n), { model }))).toBe(2 ** n);
  });

  it('n critical sections of a lock: n! orders, and of two threads with n each the ways to interleave them', () => {
    expect(executions(run(cyclicTest('SB', ring(5, [{ order: 'Lock', next: 'Fre' }]))))).toBe(120);
    const section = 'spin_lock(l);\nr0 = READ_ONCE(*x);\nWRITE_ONCE(*x, r0 + 1);\nspin_unlock(l);\n';
    const thread = (i: number): string => `P${i}(int *x, spinlock_t *l)\n{\n${section.repeat(4)}}\n`;
    expect(run(`C chain\n{}\n${thread(0)}${thread(1)}exists (x=8)\n`)).toMatchObject({ positive: 70, negative: 0 });
  });
});

describe('what a stronger model allows, a weaker one allows', () => {
  const orders = ['Po', 'Mb', 'Wmb', 'Release', 'Acquire', 'Lock', 'Rcu', 'Sync', 'Data', 'Ctrl'] as const;
  const communications = ['Rfe', 'Fre', 'Coe'] as const;

  it.each(communications)('on cycles that end in %s', (last) => {
    for (const order of orders)
      for (const next of communications) {
        const source = cyclicTest('cycle', [
          { order, next },
          { order: 'Mb', next: last },
        ]);
        const [strong, middle, weak] = (['sc', 'tso', 'lkmm'] as const).map(
          (model) => new Set(finalStates(run(source, { model }))),
        );
        expect(
          [...strong].every((state) => middle.has(state)),
          source,
        ).toBe(true);
        expect(
          [...middle].every((state) => weak.has(state)),
          source,
        ).toBe(true);
      }
  });
});

describe('message passing', () => {
  it.each<[Edge['order'], Edge['order'], boolean]>([
    ['Po', 'Po', true],
    ['Release', 'Po', true],
    ['Po', 'Acquire', true],
    ['Release', 'Acquire', false],
    ['Wmb', 'Acquire', false],
    ['Wmb', 'Rmb', false],
    ['Release', 'Ctrl', true],
    ['Release', 'Mb', false],
    ['Sync', 'Rcu', false],
    ['Rcu', 'Rcu', true],
    ['Lock', 'Lock', false],
    ['Lock', 'Po', true],
  ])('%s and %s: allowed is %s', (writer, reader, allowed) => {
    const source = cyclicTest('MP', [
      { order: writer, next: 'Rfe' },
      { order: reader, next: 'Fre' },
    ]);
    expect(run(source).positive > 0).toBe(allowed);
  });
});

describe('long cycles', () => {
  it.each<[string, Edge[], number]>([
    [
      'grace periods in every second thread',
      [
        { order: 'Rcu', next: 'Rfe' },
        { order: 'Sync', next: 'Rfe' },
      ],
      8,
    ],
    ['full barriers', [{ order: 'Mb', next: 'Fre' }], 8],
    ['releases', [{ order: 'Release', next: 'Rfe' }], 8],
    ['critical sections', [{ order: 'Lock', next: 'Fre' }], 6],
  ])('%s forbid the cycle', (_what, pattern, n) => {
    expect(run(cyclicTest('cycle', ring(n, pattern))).positive).toBe(0);
  });

  it('one grace period too few allows it', () => {
    const edges = ring(6, [
      { order: 'Rcu', next: 'Rfe' },
      { order: 'Sync', next: 'Rfe' },
    ]).with(1, {
      order: 'Rcu',
      next: 'Rfe',
    });
    expect(run(cyclicTest('cycle', edges)).positive).toBe(1);
  });
});

describe('values', () => {
  it('that go round in a circle are nobody knows what, but the same everywhere', () => {
    const thread = (i: number, from: string, to: string): string =>
      `P${i}(int *x, int *y)\n{\nint r0 = *${from};\n*${to} = r0;\n}\n`;
    const outcome = run(
      `C oota\n{}\n${thread(0, 'x', 'y')}${thread(1, 'y', 'x')}exists (0:r0=1)\nlocations [1:r0]\n`.replace(
        /(exists.*\n)(locations.*\n)/,
        '$2$1',
      ),
    );
    const symbols = outcome.states.flatMap((state) => state.filter((value) => 'symbol' in value));
    expect(symbols.length).toBe(2);
    expect(symbols[0]).toEqual(symbols[1]);
    expect(outcome.positive).toBe(0);
  });

  it('that something is computed from on the way round do not exist', () => {
    const thread = (i: number, from: string, to: string): string =>
      `P${i}(int *x, int *y)\n{\nint r0 = *${from};\n*${to} = r0 + 1;\n}\n`;
    const outcome = run(`C oota\n{}\n${thread(0, 'x', 'y')}${thread(1, 'y', 'x')}exists (0:r0=1)\n`);
    expect(finalStates(outcome)).toEqual(['0:r0=0;', '0:r0=1;']);
  });

  it('may be addresses of elements of arrays', () => {
    const source =
      'C array\n{ int a[3] = {1, 2, 3}; int i = 1; }\nP0(int *a, int *i)\n{\nint r0 = READ_ONCE(*i);\nint r1 = READ_ONCE(a[r0 + 1]);\n}\nexists (0:r1=3)\n';
    expect(run(source)).toMatchObject({ positive: 1, negative: 0 });
  });
});

describe('what is left out is said', () => {
  const waiting = 'P1(int *x)\n{\nint r0;\ndo { r0 = READ_ONCE(*x); } while (r0 == 0);\n}\n';

  it('loops that would go on', () => {
    const source = `C wait\n{}\nP0(int *x)\n{\nWRITE_ONCE(*x, 1);\n}\n${waiting}exists (1:r0=1)\n`;
    const outcome = run(source, { unroll: 3 });
    expect(outcome).toMatchObject({ positive: 3, negative: 0 });
    expect(outcome.troubles).toMatchObject([{ kind: 'bounded', thread: 1, bound: 3 }]);
  });

  it('not loops that end within the bound', () => {
    const source =
      'C twice\n{}\nP0(int *x)\n{\nint i = 0;\nwhile (i < 3) { atomic_inc(x); i = i + 1; }\n}\nexists (x=3)\n';
    expect(run(source)).toMatchObject({ positive: 1, negative: 0, troubles: [] });
  });

  it('a lock that is never released', () => {
    const thread = (i: number): string => `P${i}(spinlock_t *l)\n{\nspin_lock(l);\n}\n`;
    const outcome = run(`C deadlock\n{}\n${thread(0)}${thread(1)}exists (0:r0=0)\n`);
    expect(outcome).toMatchObject({ positive: 0, negative: 0 });
    expect(outcome.troubles).toMatchObject([{ kind: 'deadlock', variable: 'l' }]);
  });

  it('but a filter that nothing passes is no deadlock', () => {
    const thread = (i: number): string => `P${i}(spinlock_t *l)\n{\nint r0 = 1;\nspin_lock(l);\nspin_unlock(l);\n}\n`;
    const outcome = run(`C filtered\n{}\n${thread(0)}${thread(1)}filter (0:r0=2)\nexists (0:r0=1)\n`);
    expect(outcome).toMatchObject({ positive: 0, negative: 0, troubles: [] });
  });

  it('a release of a lock that the thread does not hold is flagged, and releases nothing', () => {
    const outcome = run(
      'C unlock\n{}\nP0(spinlock_t *l)\n{\nspin_unlock(l);\n}\nP1(spinlock_t *l)\n{\nint r0;\nspin_lock(l);\nspin_unlock(l);\n}\nexists (1:r0=0)\n',
    );
    expect(outcome).toMatchObject({ positive: 1, negative: 0, flags: ['unmatched-unlock'] });
  });

  it('an abort ends the search', () => {
    const signal = AbortSignal.abort(new Error('enough'));
    expect(() => run(storeBuffering('Mb', 12), { signal })).toThrow('enough');
  });

  it.each([
    ['smp_memb();', 'unknown primitive smp_memb()'],
    ['r0 = spin_lock(x);', 'spin_lock() returns nothing'],
    ['r0 = READ_ONCE(r1);', 'expected something with an address'],
    ['xchg(x);', 'xchg(x, v) takes 2 arguments, and 1 is given'],
    ['toString();', 'unknown primitive toString()'],
    ['r0 = 1 / 0;', '"/" has no meaning for these operands'],
  ])('%s', (statement, problem) => {
    const source = `C bad\n{}\nP0(int *x)\n{\n${statement}\n}\nexists (x=0)\n`;
    expect(() => run(source)).toThrow(problem);
    expect(() => run(source)).toThrow('<litmus>:5:');
  });
});
