// SPDX-License-Identifier: MIT
import { describe, expect, test } from 'vitest';
import { MACROS } from '../src/macros.js';
import { observation } from '../src/output.js';
import { parseLitmus } from '../src/parse.js';
import { solve } from '../src/solve.js';

/**
 * The kernel's rule, by the name alone: what returns nothing orders nothing, what returns something is fully ordered, and a suffix says that it is less.
 * (Documentation/atomic_t.txt.) The table of primitives has to say the same.
 */
type Order = 'none' | 'acquire' | 'release' | 'full';

const SUFFIXES: readonly (readonly [string, Order])[] = [
  ['', 'full'],
  ['_relaxed', 'none'],
  ['_acquire', 'acquire'],
  ['_release', 'release'],
];

/** Each read-modify-write as a call that changes 8 and 9, with its order. */
function primitives(): [name: string, call: string, order: Order][] {
  const result: [string, string, Order][] = [];
  const operands: readonly (readonly [string, string])[] = [
    ['add', '16, v'],
    ['sub', '1, v'],
    ['inc', 'v'],
    ['dec', 'v'],
    ['and', '6, v'],
    ['or', '16, v'],
    ['xor', '16, v'],
    ['andnot', '8, v'],
  ];
  for (const [operation, given] of operands) {
    result.push([`atomic_${operation}`, `atomic_${operation}(${given})`, 'none']);
    for (const [suffix, order] of SUFFIXES) {
      const returning = ['add', 'sub', 'inc', 'dec'].includes(operation) ? [`atomic_${operation}_return${suffix}`] : [];
      for (const name of [...returning, `atomic_fetch_${operation}${suffix}`])
        result.push([name, `${name}(${given})`, order]);
    }
  }
  for (const [suffix, order] of SUFFIXES) {
    for (const prefix of ['', 'atomic_']) {
      result.push([`${prefix}xchg${suffix}`, `${prefix}xchg${suffix}(v, 1)`, order]);
      // Expects what it finds: SEEN is 8 or 9.
      result.push([`${prefix}cmpxchg${suffix}`, `${prefix}cmpxchg${suffix}(v, SEEN, 1)`, order]);
    }
    result.push([`atomic_add_negative${suffix}`, `atomic_add_negative${suffix}(-20, v)`, order]);
  }
  result.push(['atomic_sub_and_test', 'atomic_sub_and_test(1, v)', 'full']);
  result.push(['atomic_dec_and_test', 'atomic_dec_and_test(v)', 'full']);
  result.push(['atomic_inc_and_test', 'atomic_inc_and_test(v)', 'full']);
  result.push(['atomic_add_unless', 'atomic_add_unless(v, 1, 0)', 'full']);
  return result;
}

const verdict = (threads: readonly [string, string], condition: string): string => {
  const [first, second] = threads.map((code, n) => `P${n}(int *x, int *y, atomic_t *v)\n{\n${code}\n}`);
  return observation(
    solve(parseLitmus(`C t\n{ atomic_t v = ATOMIC_INIT(8); }\n${first}\n${second}\nexists (${condition})`)),
  );
};

/** Whether the store of a read-modify-write is ordered with what stands before it. */
const beforeStore = (call: string): string =>
  verdict(
    [`WRITE_ONCE(*x, 1); ${call.replace('SEEN', '8')};`, 'r0 = atomic_read(v); smp_rmb(); r1 = READ_ONCE(*x);'],
    '~1:r0=8 /\\ 1:r1=0',
  );

/** Whether its load is ordered with what stands behind it. It has read 9 when 9 is not what remains: a store that it missed comes after it. */
const behindLoad = (call: string): string =>
  verdict(
    ['WRITE_ONCE(*x, 1); smp_wmb(); atomic_set(v, 9);', `${call.replace('SEEN', '9')}; r1 = READ_ONCE(*x);`],
    '~v=9 /\\ 1:r1=0',
  );

/** Whether what stands before it is visible to all before what stands behind it is read. */
const across = (call: string): string =>
  verdict(
    [
      `WRITE_ONCE(*x, 1); ${call.replace('SEEN', '8')}; r0 = READ_ONCE(*y);`,
      'WRITE_ONCE(*y, 1); smp_mb(); r0 = READ_ONCE(*x);',
    ],
    '0:r0=0 /\\ 1:r0=0',
  );

const ordered = (when: boolean): string => (when ? 'Never' : 'Sometimes');

describe('a read-modify-write orders what its name says', () => {
  test.each(primitives())('%s', (_name, call, order) => {
    expect(beforeStore(call), 'what stands before its store').toBe(ordered(order === 'full' || order === 'release'));
    expect(behindLoad(call), 'what stands behind its load').toBe(ordered(order === 'full' || order === 'acquire'));
    expect(across(call), 'all around it').toBe(ordered(order === 'full'));
  });

  // Those that may store nothing: then they are no more than a load. SEEN is not 8.
  test.each(['cmpxchg(v, 5, 1)', 'cmpxchg_acquire(v, 5, 1)', 'atomic_cmpxchg(v, 5, 1)', 'atomic_add_unless(v, 1, 8)'])(
    '%s, which fails, orders nothing',
    (call) => {
      expect(across(call)).toBe('Sometimes');
    },
  );

  test('all of them are tried', () => {
    const names = Object.entries(MACROS)
      .filter(([, { does }]) => ['exchange', 'compareExchange', 'modify', 'addUnless'].includes(does))
      .map(([name]) => name);
    expect(
      primitives()
        .map(([name]) => name)
        .sort(),
    ).toEqual(names.sort());
  });
});
