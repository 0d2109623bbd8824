// SPDX-License-Identifier: MIT
import type { Op, Ref } from '@lockless/cpu';
import { atomicCmpxchg, bugOn, defineWord, readOnce, writeOnce } from '@lockless/cpu';
import { describe, expect, test } from 'vitest';
import { check } from '../src/check.js';
import type { Program } from '../src/program.js';
import type { CheckResult } from '../src/result.js';

const x: Ref<number> = defineWord('carried_x');
const y: Ref<number> = defineWord('carried_y');
const z: Ref<number> = defineWord('carried_z');
const rounds: Ref<number> = defineWord('carried_rounds');

const models = ['sc', 'tso', 'lkmm'] as const;

describe.each(models)('%s: a round in vain that leaves something behind', (model) => {
  /** What the waiter returns, in executions that end. */
  async function explored(waiter: () => Op<unknown>, setter: () => Op<void>, maxEvents = 10_000): Promise<CheckResult> {
    return check(
      {
        name: 'carried',
        setup: function* () {},
        threads: { waiter, setter },
        finally: function* (_, outcome) {
          outcome.reach(String(outcome.results.waiter));
        },
      },
      { model, all: true, maxEvents },
    );
  }
  const outcomes = ({ reached }: CheckResult): string[] => Object.keys(reached).sort();

  function* setX(): Op<void> {
    yield* writeOnce(x, 1);
  }

  test('in a local variable', async () => {
    function* waiter(): Op<number> {
      for (let waited = 0; ; waited = 1) if ((yield* readOnce(x)) === 1) return waited;
    }
    const result = await explored(waiter, setX);
    expect([result.verdict, outcomes(result)]).toEqual(['holds', ['0', '1']]);
  });

  test('of a loop whose first round has an effect', async () => {
    function* waiter(): Op<number> {
      let old: number;
      do old = yield* atomicCmpxchg(z, 0, 1);
      while ((yield* readOnce(x)) !== 1);
      return old;
    }
    const result = await explored(waiter, setX);
    expect([result.verdict, outcomes(result)]).toEqual(['holds', ['0', '1']]);
  });

  test('by what it read', async () => {
    function* waiter(): Op<number> {
      for (let last = 0; ; ) {
        if ((yield* readOnce(x)) === 1) return last;
        last = yield* readOnce(y);
      }
    }
    function* setter(): Op<void> {
      yield* writeOnce(y, 5);
      yield* writeOnce(x, 1);
    }
    expect(outcomes(await explored(waiter, setter))).toEqual(['0', '5']);
  });

  test('by what it read, and leaves by', async () => {
    function* waiter(): Op<number> {
      for (let last = 0; ; ) {
        if ((yield* readOnce(x)) === 1) return last;
        const now = yield* readOnce(y);
        if (now !== 0 && now === last) return 10 + now;
        last = now;
      }
    }
    function* setter(): Op<void> {
      yield* writeOnce(y, 5);
      yield* writeOnce(x, 1);
    }
    const result = await explored(waiter, setter);
    expect([result.verdict, outcomes(result)]).toEqual(['holds', ['0', '15', '5']]);
  });

  test('that counts: what is not looked at is owned up to', async () => {
    function* waiter(): Op<number> {
      for (let tries = 0; ; tries++) if ((yield* readOnce(x)) === 1) return tries;
    }
    const result = await explored(waiter, setX);
    expect([result.verdict, outcomes(result)]).toEqual(['bounded', ['0', '1', '2', '3']]);
    expect(result.bound).toBe('the loop in waiter counts its rounds in vain, cut after 3 alike');
  });

  /** Counts its rounds in a word that no other thread touches. */
  function* waiterThatCountsInMemory(): Op<void> {
    while ((yield* readOnce(x)) !== 1) yield* writeOnce(rounds, (yield* readOnce(rounds)) + 1);
  }

  test('that counts in memory which nobody reads', async () => {
    expect((await explored(waiterThatCountsInMemory, setX)).verdict).toBe('holds');
  });

  test('that counts in memory which is read in the end', async () => {
    const result = await check(
      {
        name: 'counted',
        setup: function* () {},
        threads: { waiter: waiterThatCountsInMemory, setX },
        finally: function* (_, { reach }) {
          reach(String(yield* readOnce(rounds)));
        },
      },
      { model },
    );
    expect([result.verdict, outcomes(result)]).toEqual(['bounded', ['0', '1', '2', '3']]);
  });

  test('that shows in the end: the violation can be repeated', async () => {
    const program: Program = {
      name: 'counted',
      setup: function* () {},
      threads: { waiter: waiterThatCountsInMemory, setX },
      finally: function* () {
        bugOn((yield* readOnce(rounds)) === 2, 'two rounds');
      },
    };
    const { violation } = await check(program, { model });
    expect(violation?.kind).toBe('BUG');
    expect((await check(program, { model, replay: violation?.replay ?? '' })).violation?.message).toBe(
      violation?.message,
    );
  });

  describe('and gives up after hundreds', () => {
    function* waiter(): Op<string> {
      for (let tries = 0; tries < 300; tries++) if ((yield* readOnce(x)) === 1) return 'set';
      return 'gave up';
    }

    test('is not explored to its end', async () => {
      const result = await explored(waiter, setX);
      expect([result.verdict, outcomes(result)]).toEqual(['bounded', ['set']]);
      expect(result.bound).toBe('the loop in waiter gives up after very many rounds in vain, cut before');
    });

    test('is no livelock', async () => {
      function* setterOfAnotherValue(): Op<void> {
        yield* writeOnce(x, 2);
      }
      expect((await explored(waiter, setterOfAnotherValue)).verdict).toBe('bounded');
    });
  });
});
