// SPDX-License-Identifier: MIT
import { check } from '@lockless/checker';
import { peek, STATIC_WORDS } from '@lockless/cpu';
import { lkmm, sc, tso } from '@lockless/memory-model';
import { Machine } from '@lockless/simulator';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { enumerate, outcomeOf } from './engines/enumeration.js';
import { type RandomProgram, randomProgram, runThread, WORDS } from './engines/random-program.js';

/*
 * Three engines on the same random programs: the definition (every candidate, filtered by the axioms), the checker (every execution, none
 * twice) and the simulator (some executions).
 */
const RUNS = Number(process.env.LOCKLESS_RUNS ?? 20);
/** A machine costs more than a check, so the simulator gets fewer programs, with some seeds each. */
const SIMULATED_RUNS = Math.ceil(RUNS / 4);
const SEEDS = 10;
const MODELS = [
  { model: sc, simulated: 'sc' },
  { model: tso, simulated: 'tso' },
  { model: lkmm, simulated: 'weak' },
] as const;

const loadedOf = (results: Readonly<Record<string, unknown>>, threads: number): number[][] =>
  Array.from({ length: threads }, (_, i) => results[`P${i}`] as number[]);

async function checked(program: RandomProgram, model: 'sc' | 'tso' | 'lkmm') {
  const outcomes = new Set<string>();
  const result = await check(
    {
      name: 'random',
      setup: function* () {},
      threads: Object.fromEntries(program.map((thread, i) => [`P${i}`, () => runThread(thread)])),
      finally: function* (_, { results }) {
        outcomes.add(outcomeOf(loadedOf(results, program.length), WORDS.map(peek)));
      },
    },
    { model },
  );
  return { outcomes, result };
}

function simulated(program: RandomProgram, model: 'sc' | 'tso' | 'weak', seed: number): string {
  const machine = new Machine({ cpus: program.length, model, seed, memoryWords: STATIC_WORDS + (1 << 16) });
  const loaded: number[][] = [];
  program.forEach((thread, i) => {
    machine.spawn(
      `P${i}`,
      function* () {
        loaded[i] = yield* runThread(thread);
      },
      { cpu: i },
    );
  });
  machine.run();
  return outcomeOf(
    loaded,
    WORDS.map((word) => machine.heap.words[word]),
  );
}

describe.each(MODELS)('$model.name', ({ model, simulated: mode }) => {
  it('the checker finds the executions of the definition, each once, and no other outcome', async () => {
    await fc.assert(
      fc.asyncProperty(randomProgram, async (program) => {
        const expected = enumerate(program, model);
        const { outcomes, result } = await checked(program, model.name);
        expect(result.verdict).toBe('holds');
        expect([...outcomes].sort()).toEqual([...expected.outcomes].sort());
        expect(result.executions).toBe(expected.executions);
      }),
      { numRuns: RUNS },
    );
  });

  it('the simulator shows no outcome that the checker does not', async () => {
    await fc.assert(
      fc.asyncProperty(randomProgram, async (program) => {
        const { outcomes } = await checked(program, model.name);
        for (let seed = 1; seed <= SEEDS; seed++) expect(outcomes).toContain(simulated(program, mode, seed));
      }),
      { numRuns: SIMULATED_RUNS },
    );
  });
});
