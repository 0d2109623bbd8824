// SPDX-License-Identifier: MIT
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Litmus } from '../src/ast.js';
import { judge } from '../src/judge.js';
import type { FinalValue, Outcome } from '../src/outcome.js';
import { conditionHolds, finalStates, herdOutput, observation, troubleLines } from '../src/output.js';
import { parseLitmus } from '../src/parse.js';
import { solve } from '../src/solve.js';
import { warnings } from '../src/warnings.js';

const corpus = (name: string): Litmus =>
  parseLitmus(readFileSync(new URL(`../corpus/${name}.litmus`, import.meta.url), 'utf8'), `${name}.litmus`);

const nothing: Outcome = {
  model: 'lkmm',
  places: [],
  states: [],
  positive: 0,
  negative: 0,
  flags: [],
  troubles: [],
  execution: null,
  seconds: 0,
};

const test1 = (final: string): Litmus =>
  parseLitmus(`C t\n{}\nP0(int *x) { r1 = READ_ONCE(*x); }\n${final}`, 't.litmus');

describe('what herd prints', () => {
  // In the format of herd7, with the hash left out and the time as zero. (Of language-while-spin herd would count other executions: it has another bound.)
  test.each([
    'mp-once',
    'mp-wmb-rmb',
    'condition-forbidden',
    'condition-forbidden-violated',
    'condition-filter',
    'condition-locations',
    'condition-operators',
    'condition-equal-registers',
    'condition-none',
    'deadlock-self',
    'language-array',
    'language-while-spin',
    'plain-unconditional',
    'pointer-rcu-publish',
    'rmw-fetch-operations',
  ])('%s', async (name) => {
    const litmus = corpus(name);
    const output = herdOutput(litmus, { ...solve(litmus), seconds: 0 });
    await expect(output).toMatchFileSnapshot(`herd/${name}.txt`);
  });

  test('the time has two digits, and an empty line ends it', () => {
    expect(herdOutput(test1(''), { ...nothing, seconds: 1.2345 })).toMatch(/\nTime t 1\.23\n\n$/);
  });

  test('flags are in the order of their names', () => {
    const flags = ['unmatched-rcu-lock', 'data-race'];
    expect(herdOutput(test1(''), { ...nothing, flags })).toContain(
      'Flag data-race\nFlag unmatched-rcu-lock\nCondition',
    );
  });
});

describe('final states', () => {
  test('are in the order of their values: numbers, addresses, what nothing determines', () => {
    const values: FinalValue[] = [
      { symbol: 3 },
      { address: 'y' },
      { constant: 12n },
      { constant: 6n },
      { address: 'a' },
      { constant: -1n },
    ];
    const places = [{ thread: null, name: 'x' }];
    expect(finalStates({ places, states: values.map((value) => [value]) })).toEqual([
      '[x]=-1;',
      '[x]=6;',
      '[x]=12;',
      '[x]=a;',
      '[x]=y;',
      '[x]=S3;',
    ]);
  });

  test('list registers by thread and name, then variables by name', () => {
    const litmus = parseLitmus(
      'C t\n{}\nP0(int *x) {}\nP1(int *x) {}\nlocations [z; 1:r2; x]\nexists (y=1 /\\ 1:r10=0:r1)',
    );
    expect(finalStates(solve(litmus))).toEqual(['0:r1=0; 1:r10=0; 1:r2=0; [x]=0; [y]=0; [z]=0;']);
  });
});

test('a test of too many statements is an error with a place, and no stack overflow', () => {
  const litmus = parseLitmus(`C long\n{}\nP0(int *x)\n{\n${'r1 = 1;\n'.repeat(100_000)}}\n`, 't.litmus');
  expect(() => solve(litmus)).toThrow('t.litmus:3:1: the test is too long');
});

describe('the verdict', () => {
  test.each([
    [0, 0, 'Never', { exists: false, '~exists': true, forall: true }],
    [0, 3, 'Never', { exists: false, '~exists': true, forall: false }],
    [1, 3, 'Sometimes', { exists: true, '~exists': false, forall: false }],
    [2, 0, 'Always', { exists: true, '~exists': false, forall: true }],
  ])('%i positive, %i negative', (positive, negative, expected, quantifiers) => {
    const outcome = { ...nothing, positive, negative };
    expect(observation(outcome)).toBe(expected);
    for (const [quantifier, holds] of Object.entries(quantifiers))
      expect(conditionHolds(test1(`${quantifier} (x=1)`), outcome), quantifier).toBe(holds);
  });

  const deadlock = { kind: 'deadlock', thread: 0, variable: 'l', at: { line: 1, column: 1 } } as const;
  test.each<[string | null, Partial<Outcome>, string]>([
    [null, {}, 'undeclared'],
    ['Never', { negative: 1 }, 'as-declared'],
    ['Never', { positive: 1, negative: 1 }, 'different'],
    ['Always', { positive: 1 }, 'as-declared'],
    ['Never', { negative: 1, flags: ['data-race'] }, 'different'],
    ['Never DATARACE', { negative: 1, flags: ['data-race'] }, 'as-declared'],
    ['Never DATARACE', { negative: 1 }, 'different'],
    ['Never DATARACE', { positive: 1, flags: ['data-race'] }, 'forgiven'],
    ['DEADLOCK', { troubles: [deadlock] }, 'as-declared'],
    ['DEADLOCK', { troubles: [deadlock], negative: 1 }, 'different'],
    ['Never', { troubles: [deadlock], negative: 1 }, 'as-declared'],
    ['DEADLOCK', {}, 'as-declared'],
    ['Never', {}, 'different'],
    ['Maybe', { positive: 1 }, 'as-declared'],
    ['Maybe', { positive: 1, flags: ['data-race'] }, 'different'],
    ['Maybe DATARACE', { positive: 1, flags: ['data-race'] }, 'as-declared'],
    ['DEADLOCK', { troubles: [{ kind: 'bounded', thread: 0, bound: 4, at: deadlock.at }] }, 'different'],
  ])('declared %s', (declared, outcome, expected) => {
    expect(judge(declared, { ...nothing, ...outcome })).toBe(expected);
  });
});

describe('what herd does not say', () => {
  const said = (name: string): string[] => {
    const litmus = corpus(name);
    return troubleLines(litmus, solve(litmus));
  };

  test('where every execution deadlocks', () => {
    expect(said('deadlock-self')).toEqual([
      'deadlock-self.litmus:16:2: P0 waits here for ever for the lock l: an execution that deadlocks has no final state and is not counted',
    ]);
  });

  test('where nothing passes the filter', () => {
    const litmus = test1('filter (0:r1=1) exists (0:r1=1)');
    expect(troubleLines(litmus, solve(litmus))).toEqual([
      't.litmus: no execution passes the filter: what it waits for cannot happen',
    ]);
  });

  test('where a loop was cut', () => {
    const litmus = corpus('language-for');
    expect(troubleLines(litmus, solve(litmus, { unroll: 2 }))).toEqual([
      'language-for.litmus:17:2: P0 would run this loop more than 2 times: those executions were cut, and nothing is said about them',
    ]);
    expect(herdOutput(litmus, solve(litmus, { unroll: 2 }))).toContain('\nLoop Ok\n');
    expect(troubleLines(litmus, solve(litmus, { unroll: 3 }))).toEqual([]);
  });

  test('nothing where there is nothing to say', () => {
    expect(said('mp-once')).toEqual([]);
  });

  test('names that nothing sets', () => {
    const text =
      'C t\n{ z=1; 1:r7=1; }\nP0(int *x)\n{\n\tr1 = READ_ONCE(*y);\n\twhile (r2) r1 += r3;\n}\nP1(int *x) { r8 = r7; }\nfilter (u=1)\nexists (0:r1=1 /\\ 0:r9=1 /\\ x=1 /\\ z=1 /\\ 1:r7=1)';
    expect(warnings(parseLitmus(text, 't.litmus'))).toEqual([
      't.litmus:5:18: P0 reads y, which nothing sets and no parameter is: it is 0',
      't.litmus:6:9: P0 reads r2, which nothing sets and no parameter is: it is 0',
      't.litmus:6:19: P0 reads r3, which nothing sets and no parameter is: it is 0',
      't.litmus: the condition looks at 0:r9, which nothing sets: it is 0',
      't.litmus: the condition looks at [u], which nothing sets: it is 0',
    ]);
  });
});
