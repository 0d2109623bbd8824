// SPDX-License-Identifier: MIT
import type { Op, Ref } from '@lockless/cpu';
import { atomicCmpxchg, defineWord, readOnce, writeOnce } from '@lockless/cpu';
import { describe, expect, test } from 'vitest';
import { check } from '../src/check.js';
import type { CheckResult } from '../src/result.js';

const x: Ref<number> = defineWord('carried_x');
const y: Ref<number> = defineWord('carried_y');
const z: Ref<number> = defineWord('carried_z');

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

  test('that counts: what is not looked at is owned up to', async () => {
    function* waiter(): Op<number> {
      for (let tries = 0; ; tries++) if ((yield* readOnce(x)) === 1) return tries;
    }
    const result = await explored(waiter, setX, 10);
    expect([result.verdict, outcomes(result)]).toEqual(['bounded', ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']]);
  });

  test('and gives up after hundreds', async () => {
    function* waiter(): Op<string> {
      for (let tries = 0; tries < 300; tries++) if ((yield* readOnce(x)) === 1) return 'set';
      return 'gave up';
    }
    expect((await explored(waiter, setX, 200)).verdict).toBe('bounded');
  });
});
