// SPDX-License-Identifier: MIT
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { check } from '@lockless/checker';
import { cyclicTest, type Edge, type Litmus, parseLitmus, solve } from '@lockless/litmus';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { programOf, stateKey, Untranslatable } from './engines/litmus-as-program.js';
import { solveAssuming } from './engines/litmus-with-assumed-dependencies.js';
import { randomLitmus } from './engines/random-litmus.js';

/*
 * The checker against the litmus engine, which agrees with herd7: the same test as kernel-side code and as syntax. Final states, and how many executions
 * end in each. Under LKMM the litmus engine is given the dependencies that the checker assumes.
 */
const RUNS = Number(process.env.LOCKLESS_RUNS ?? 20);
const MODELS = ['sc', 'tso', 'lkmm'] as const;
type Model = (typeof MODELS)[number];

/** Deadlocks are violations to the checker, and no executions to the litmus engine. Null for what kernel-side code cannot say. */
async function checked(litmus: Litmus, model: Model): Promise<Readonly<Record<string, number>> | null> {
  try {
    const { reached, violations = [], bound } = await check(programOf(litmus), { model, all: true });
    expect(bound).toBeNull();
    for (const { kind, message } of violations) {
      if (message.includes('Untranslatable')) return null;
      expect(`${kind}: ${message}`).toMatch(/^deadlock:/);
    }
    return reached;
  } catch (error) {
    if (error instanceof Untranslatable) return null;
    throw error;
  }
}

async function agree(text: string, model: Model): Promise<void> {
  const litmus = parseLitmus(text, 'test.litmus');
  expect(await checked(litmus, model)).toEqual(solveAssuming(litmus, model).states);
}

/** The checker cuts rounds in vain, so it counts fewer executions. */
const LOOPS = ['language-do-while-cmpxchg.litmus', 'language-while-spin.litmus'];
/** It takes an access to what the thread was once given a pointer to for one through that pointer, also if it passed on a word of its own. */
const MORE_DEPENDENT = ['pointer-no-dependency.litmus', 'pointer-dependency-through-memory.litmus'];

async function compare(path: string, file: string): Promise<void> {
  const litmus = parseLitmus(readFileSync(path, 'utf8'), file);
  for (const model of MODELS) {
    const states = await checked(litmus, model);
    if (states === null) return;
    const expected = solveAssuming(litmus, model).states;
    if (LOOPS.includes(file)) expect(Object.keys(states)).toEqual(Object.keys(expected));
    else if (MORE_DEPENDENT.includes(file) && model === 'lkmm')
      for (const state of Object.keys(states)) expect(expected).toHaveProperty([state]);
    else expect(states).toEqual(expected);
    // Without the assumptions there may be more.
    const exact = new Set(solve(litmus, { model }).states.map(stateKey));
    for (const state of Object.keys(states)) expect(exact).toContain(state);
  }
}

describe('our own litmus tests', () => {
  const folder = new URL('../packages/litmus/corpus/', import.meta.url).pathname;
  it.each(readdirSync(folder))('%s', (file) => compare(join(folder, file), file));
});

const FOLDER = process.env.LITMUS_TESTS;
const published =
  FOLDER === undefined
    ? []
    : readdirSync(FOLDER, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.litmus'));

describe.skipIf(FOLDER === undefined)('published litmus tests (LITMUS_TESTS)', () => {
  it.each(published)('%s', (file) => compare(join(FOLDER ?? '', file), file));
});

const edge: fc.Arbitrary<Edge> = fc.record({
  order: fc.constantFrom(
    ...([
      'Po',
      'Mb',
      'Wmb',
      'Rmb',
      'Release',
      'Acquire',
      'Lock',
      'Rcu',
      'Rcu',
      'Sync',
      'Sync',
      'Data',
      'Ctrl',
    ] as const),
  ),
  next: fc.constantFrom('Rfe', 'Fre', 'Coe'),
});

describe.each(MODELS)('%s', (model) => {
  it('cycles of two to six threads', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(edge, { minLength: 2, maxLength: 6 }), (edges) =>
        agree(cyclicTest('cycle', edges), model),
      ),
      { numRuns: Math.ceil(RUNS / 2) },
    );
  });

  it('random tests with locks, RCU, pointers, read-modify-writes and branches', async () => {
    await fc.assert(
      fc.asyncProperty(randomLitmus, (text) => agree(text, model)),
      { numRuns: RUNS },
    );
  });
});
