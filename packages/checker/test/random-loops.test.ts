// SPDX-License-Identifier: MIT
import type { Op, Ref } from '@lockless/cpu';
import { atomicCmpxchg, atomicXchg, defineWord, readOnce, writeOnce } from '@lockless/cpu';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { check } from '../src/check.js';

/*
 * Loops that carry state from round to round, at random, beside a thread that stores: what they return, by the checker and by a search of the
 * states of words and local variables, of which there are few, so that it needs not know what a round in vain is.
 */

const WORDS: readonly Ref<number>[] = [0, 1, 2].map((i) => defineWord(`random_loop_${i}`));
const STATES = 3;

interface Access {
  readonly kind: 'read' | 'cmpxchg' | 'xchg';
  readonly word: number;
  /** New state, by old state and value read; one that is `STATES` or more leaves the loop, and is what the thread returns. */
  readonly next: readonly (readonly [number, number])[];
}

interface Store {
  readonly word: number;
  readonly value: number;
}

interface RandomLoop {
  readonly round: readonly Access[];
  readonly stores: readonly Store[];
}

const word = fc.nat(WORDS.length - 1);
const nextState = fc.oneof({ weight: 3, arbitrary: fc.nat(STATES - 1) }, fc.integer({ min: STATES, max: STATES + 2 }));
const randomLoop: fc.Arbitrary<RandomLoop> = fc.record({
  round: fc.array(
    fc.record({
      kind: fc.oneof({ weight: 4, arbitrary: fc.constant('read' as const) }, fc.constant('cmpxchg' as const), {
        weight: 1,
        arbitrary: fc.constant('xchg' as const),
      }),
      word,
      next: fc.array(fc.tuple(nextState, nextState), { minLength: STATES, maxLength: STATES }),
    }),
    { minLength: 1, maxLength: 3 },
  ),
  stores: fc.array(fc.record({ word, value: fc.nat(1) }), { maxLength: 3 }),
});

/** A cmpxchg takes 0 to 1, an xchg stores 1. */
const stored = (kind: Access['kind'], value: number): number => (kind === 'read' ? value : 1);

/** What the loop can return, when any store may come between any two accesses. */
function reachable({ round, stores }: RandomLoop): string[] {
  const found = new Set<string>();
  const seen = new Set<string>();
  const todo = [{ memory: WORDS.map(() => 0), at: 0, state: 0, stored: 0 }];
  for (let here = todo.pop(); here !== undefined; here = todo.pop()) {
    const key = JSON.stringify(here);
    if (seen.has(key)) continue;
    seen.add(key);
    const { memory, at, state } = here;
    if (here.stored < stores.length) {
      const { word, value } = stores[here.stored];
      todo.push({ ...here, memory: memory.with(word, value), stored: here.stored + 1 });
    }
    const { kind, word, next } = round[at];
    const after = next[state][memory[word]];
    if (after >= STATES) found.add(String(after));
    else {
      const changed = memory.with(word, stored(kind, memory[word]));
      todo.push({ ...here, memory: changed, at: (at + 1) % round.length, state: after });
    }
  }
  return [...found].sort();
}

function* perform({ kind, word }: Access): Op<number> {
  const at = WORDS[word];
  if (kind === 'read') return yield* readOnce(at);
  return kind === 'cmpxchg' ? yield* atomicCmpxchg(at, 0, 1) : yield* atomicXchg(at, 1);
}

async function explored({ round, stores }: RandomLoop, model: 'sc' | 'tso' | 'lkmm') {
  const result = await check(
    {
      name: 'random loop',
      setup: function* () {},
      threads: {
        *loop() {
          for (let state = 0; ; )
            for (const access of round) {
              state = access.next[state][yield* perform(access)];
              if (state >= STATES) return state;
            }
        },
        *stores() {
          for (const { word, value } of stores) yield* writeOnce(WORDS[word], value);
        },
      },
      finally: function* (_, { results, reach }) {
        reach(String(results.loop));
      },
    },
    { model, all: true, maxEvents: 60, maxExecutions: 3000 },
  );
  return { verdict: result.verdict, outcomes: Object.keys(result.reached).sort() };
}

test('a loop returns what the search of states says, or the verdict is none of holding', {
  timeout: 600_000,
}, async () => {
  let held = 0;
  await fc.assert(
    fc.asyncProperty(randomLoop, async (loop) => {
      const { verdict, outcomes } = await explored(loop, 'sc');
      const expected = reachable(loop);
      if (verdict === 'bounded') expect(expected).toEqual(expect.arrayContaining(outcomes));
      else expect(outcomes).toEqual(expected);
      if (verdict === 'holds') held++;
    }),
    { numRuns: Number(process.env.LOOPS_RUNS ?? 40) },
  );
  expect(held).toBeGreaterThan(0);
});

test('weaker models allow no less', { timeout: 600_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(randomLoop, fc.constantFrom('tso' as const, 'lkmm' as const), async (loop, model) => {
      const { verdict, outcomes } = await explored(loop, model);
      if (verdict !== 'bounded') expect(outcomes).toEqual(expect.arrayContaining(reachable(loop)));
    }),
    { numRuns: Number(process.env.LOOPS_RUNS ?? 30) },
  );
});
