// SPDX-License-Identifier: GPL-2.0-only
import { parseLitmus } from '@lockless/litmus';
import { expect, test } from 'vitest';
import { classify, expectedOutcomes } from '../src/classify.js';

const STORE_BUFFERING = (between: string, filter = '') =>
  parseLitmus(`C sb
{}
P0(int *x, int *y) { WRITE_ONCE(*x, 1); ${between} r0 = READ_ONCE(*y); }
P1(int *x, int *y) { WRITE_ONCE(*y, 1); ${between} r0 = READ_ONCE(*x); }
${filter}
exists (0:r0=0 /\\ 1:r0=0)`);

const seen = (outcomes: Readonly<Record<string, number>>) => ({
  outcomes: new Map(Object.entries(outcomes)),
  found: new Map(Object.keys(outcomes).map((outcome, n) => [outcome, 4096 * (n + 1)])),
});

function kinds(litmus: ReturnType<typeof parseLitmus>, outcomes: Readonly<Record<string, number>>) {
  const rows = classify(litmus, expectedOutcomes(litmus), seen(outcomes));
  return Object.fromEntries(rows.map(({ state, kind, count }) => [state, `${kind} ${count}`]));
}

test('an outcome that no model allows is forbidden; what was not seen is said to be allowed', () => {
  expect(kinds(STORE_BUFFERING('smp_mb();'), { '0 0': 1, '0 1': 5 })).toEqual({
    '0:r0=0; 1:r0=0;': 'forbidden 1',
    '0:r0=0; 1:r0=1;': 'sc 5',
    '0:r0=1; 1:r0=0;': 'unseen 0',
    '0:r0=1; 1:r0=1;': 'unseen 0',
  });
});

test('an outcome that LKMM allows and SC does not surprises', () => {
  expect(kinds(STORE_BUFFERING(''), { '0 0': 3, '1 1': 1 })).toMatchObject({
    '0:r0=0; 1:r0=0;': 'surprising 3',
    '0:r0=1; 1:r0=1;': 'sc 1',
  });
});

test('the condition holds in the rows that it names', () => {
  const litmus = STORE_BUFFERING('');
  const rows = classify(litmus, expectedOutcomes(litmus), seen({ '0 0': 3 }));
  expect(rows.filter(({ satisfies }) => satisfies).map(({ state }) => state)).toEqual(['0:r0=0; 1:r0=0;']);
});

test('of what was seen it is known after how many instances', () => {
  const litmus = STORE_BUFFERING('');
  const rows = classify(litmus, expectedOutcomes(litmus), seen({ '1 1': 3, '0 0': 1 }));
  expect(Object.fromEntries(rows.map(({ state, found }) => [state, found]))).toEqual({
    '0:r0=0; 1:r0=0;': 8192,
    '0:r0=0; 1:r0=1;': null,
    '0:r0=1; 1:r0=0;': null,
    '0:r0=1; 1:r0=1;': 4096,
  });
});

test('what the filter excludes is not counted', () => {
  expect(kinds(STORE_BUFFERING('smp_mb();', 'filter (1:r0=1)'), { '0 0': 1, '0 1': 5 })).toEqual({
    '0:r0=0; 1:r0=1;': 'sc 5',
    '0:r0=1; 1:r0=1;': 'unseen 0',
  });
});

test('a test with a data race forbids nothing', () => {
  const racy = parseLitmus(`C racy
{}
P0(int *x) { *x = 1; }
P1(int *x) { r0 = READ_ONCE(*x); }
exists (1:r0=1)`);
  expect(kinds(racy, { '7': 1 })['1:r0=7;']).toBe('undetermined 1');
});

test('what a loop ends in beyond the bound of the search is undetermined', () => {
  const counting = parseLitmus(`C counting
{}
P0(int *x) { WRITE_ONCE(*x, 1); }
P1(int *x) { r0 = 0; while (READ_ONCE(*x) == 0) { r0 = r0 + 1; } }
exists (1:r0=1)`);
  expect(kinds(counting, { '2': 1, '9': 1 })).toMatchObject({ '1:r0=2;': 'sc 1', '1:r0=9;': 'undetermined 1' });
});

test('addresses are told from numbers', () => {
  const pointer = parseLitmus(`C pointer
{ int *p = &x; }
P0(int **p) { r0 = READ_ONCE(*p); }
exists (0:r0=x)`);
  expect(kinds(pointer, { x: 2, '1': 1 })).toEqual({ '0:r0=x;': 'sc 2', '0:r0=1;': 'forbidden 1' });
});
