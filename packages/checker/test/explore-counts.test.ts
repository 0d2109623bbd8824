// SPDX-License-Identifier: MIT
import { describe, expect, test } from 'vitest';
import { fibonacci, increments, lastZero, readers, storeBuffering, ticketLock } from '../src/bench-programs.js';
import type { Program } from '../src/program.js';
import type { ModelName } from '../src/result.js';
import { graphsOf } from './explore/graphs.js';

const factorial = (n: number): number => (n < 2 ? 1 : n * factorial(n - 1));

/** Complete executions, by model. The numbers are those of the literature on stateless model checking. */
const rows: readonly (readonly [Program, Partial<Record<ModelName, number>>])[] = [
  ...[2, 3, 6, 10].map((n) => [storeBuffering(n), { sc: 2 ** n - 1, tso: 2 ** n, lkmm: 2 ** n }] as const),
  ...[2, 3, 6].map((n) => [storeBuffering(n, true), { sc: 2 ** n - 1, tso: 2 ** n - 1, lkmm: 2 ** n - 1 }] as const),
  ...[1, 2, 4, 6].map((n) => [increments(n), { sc: factorial(n), tso: factorial(n), lkmm: factorial(n) }] as const),
  ...[1, 4, 10].map((n) => [readers(n), { sc: 2 ** n, tso: 2 ** n, lkmm: 2 ** n }] as const),
  [lastZero(8), { sc: 704, tso: 704, lkmm: 704 }],
  [fibonacci(3), { sc: 141, tso: 175, lkmm: 175 }],
  [fibonacci(4), { sc: 1_107, lkmm: 1_764 }],
  ...[2, 3, 4].map((n) => [ticketLock(n), { sc: factorial(n), tso: factorial(n), lkmm: factorial(n) }] as const),
];
const cases = rows.flatMap(([program, counts]) =>
  (Object.entries(counts) as [ModelName, number][]).map(
    ([model, count]) => [program.name, model, count, program] as const,
  ),
);

describe('complete executions are as many as is known, none twice', () => {
  test.each(cases)('%s under %s: %i', (_, model, count, program) => {
    const { keys } = graphsOf(program, model);
    expect(keys.length).toBe(count);
    expect(new Set(keys).size).toBe(count);
  });
});

test('without waits no execution is blocked', () => {
  for (const program of [storeBuffering(5), increments(4), readers(5), lastZero(4), fibonacci(3)])
    for (const model of ['sc', 'tso', 'lkmm'] as const) expect(graphsOf(program, model).counts.blocked).toBe(0);
});

test('fib(5), under SC', () => {
  expect(graphsOf(fibonacci(5), 'sc').counts.executions).toBe(8_953);
});
