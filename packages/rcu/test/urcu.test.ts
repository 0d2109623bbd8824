// SPDX-License-Identifier: GPL-2.0-only
import { fileURLToPath } from 'node:url';
import * as cpu from '@lockless/cpu';
import { type Op, SequentialEngine } from '@lockless/cpu';
import * as mmTypes from '@lockless/mm-types';
import { type Edit, loadMutant } from '@lockless/mutant';
import { describe, expect, it } from 'vitest';
import * as rcu from '../src/index.js';
import { barrierAfterCallbacks, type Rcu, type RcuRunOptions, readersAndUpdaters } from './machine.js';

const models = ['sc', 'tso', 'weak'] as const;
const flavours = ['urcu-mb', 'urcu-qsbr'] as const;
const sizes = [1, 2, 3, 4, 8].flatMap((cpus) =>
  models.flatMap((model) => flavours.map((flavour) => ({ cpus, model, flavour }))),
);
/** A longer campaign: docs/testing.md. */
const SEEDS = Number(process.env.LOCKLESS_SEEDS ?? 3);

describe('user-space RCU: no reader meets a freed object, and everything is freed in the end', () => {
  it.each(sizes)('$flavour, $cpus CPUs, $model', (options) => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const run = readersAndUpdaters(rcu, { ...options, seed });
      expect(run.outcome.violation?.report() ?? run.outcome.status).toBe('finished');
      expect(run.gracePeriods).toBeGreaterThanOrEqual(7);
      expect(run.callbacksInvoked).toBeGreaterThanOrEqual(19);
      expect(run.live).toBe(1);
      const outcome = barrierAfterCallbacks(rcu, { ...options, seed });
      expect(outcome.violation?.report() ?? outcome.status).toBe('finished');
    }
  });
});

/** The reader's object was freed, or is another one by now. */
const DIES = /use after free: rcu_test_config|changes under its reader/;
const imports = { '@lockless/cpu': cpu, '@lockless/mm-types': mmTypes };
const withEdit = (edit: Edit): Rcu =>
  loadMutant<Rcu>(fileURLToPath(new URL('../src', import.meta.url)), [edit], imports);

/** The first seed in which the bug shows, of 200. */
function showsAt(variant: Rcu, options: RcuRunOptions): number | undefined {
  for (let seed = 1; seed <= 200; seed++) {
    const { violation } = readersAndUpdaters(variant, { cpus: 4, ...options, flavour: 'urcu-mb', seed }).outcome;
    if (violation === null) continue;
    expect(violation.report()).toMatch(DIES);
    return seed;
  }
  return undefined;
}

describe('broken variants are found by the simulator', () => {
  // Not urcuSynchronizeRcu.secondFlip: a reader would have to be held up between two accesses for a whole grace period. See the checker.
  it.each(['urcuMbReadLock.nesting', 'updateCounterAndWait.wait'])('without %s', (guard) => {
    expect(showsAt(rcu, { model: 'sc', without: [guard] })).toBeDefined();
  });

  it('without barrier A, under tso but not under sc', () => {
    const variant = withEdit({
      file: 'urcu-mb.ts',
      from: '  yield* smpMb();\n}\n\n/** rcu_read_unlock',
      to: '}\n\n/** rcu_read_unlock',
    });
    expect(showsAt(variant, { model: 'tso' })).toBeDefined();
    expect(showsAt(variant, { model: 'sc' })).toBeUndefined();
  });
});

describe('on one CPU', () => {
  const booted = (): SequentialEngine => {
    const engine = new SequentialEngine();
    engine.run(rcu.bootUrcu(1));
    return engine;
  };

  it('a reader knows that it is one, nested or not, and unlocking too often is a bug', () => {
    booted().run(
      (function* (): Op<void> {
        expect(rcu.rcuReadLockHeld()).toBe(false);
        yield* rcu.rcuReadLock();
        yield* rcu.rcuReadLock();
        yield* rcu.rcuReadUnlock();
        expect(rcu.rcuReadLockHeld()).toBe(true);
        yield* rcu.rcuReadUnlock();
        expect(rcu.rcuReadLockHeld()).toBe(false);
        expect(() => rcu.rcuReadUnlock().next()).toThrow(/rcu_read_unlock\(\) without/);
      })(),
    );
  });

  it('synchronize_rcu() inside a reader is a bug, not a deadlock', () => {
    expect(() =>
      booted().run(
        (function* (): Op<void> {
          yield* rcu.rcuReadLock();
          yield* rcu.synchronizeRcu();
        })(),
      ),
    ).toThrow(/atomic context/);
  });

  it('invokes callbacks in the order in which they were queued, and those that they queue the next time', () => {
    const engine = booted();
    const heads = Array.from({ length: 3 }, () => engine.heap.reserve(2) as cpu.Ptr<mmTypes.RcuHead>);
    const order: number[] = [];
    const note = cpu.functionPointer('note', function* (head: cpu.Ptr<mmTypes.RcuHead>): Op<void> {
      order.push(heads.indexOf(head));
      if (order.length === 1) yield* rcu.callRcu(head, note);
    });
    engine.run(
      (function* (): Op<void> {
        for (const head of heads) yield* rcu.callRcu(head, note);
        expect(rcu.rcuStatistics()).toMatchObject({ gracePeriods: 0, callbacksQueued: 3, callbacksInvoked: 0 });
        yield* rcu.rcuIdle();
        expect(order).toEqual([0, 1, 2]);
        expect(rcu.rcuStatistics()).toMatchObject({ gracePeriods: 1, callbacksQueued: 4, callbacksInvoked: 3 });
        yield* rcu.rcuBarrier();
      })(),
    );
    expect(order).toEqual([0, 1, 2, 0]);
  });

  it('where grace periods are events, rcu_barrier() is refused', () => {
    const engine = new SequentialEngine();
    expect(() =>
      engine.run(
        (function* (): Op<void> {
          rcu.bootRcuEvents();
          yield* rcu.synchronizeRcu();
          yield* rcu.rcuBarrier();
        })(),
      ),
    ).toThrow(/rcu_barrier\(\): where grace periods are events/);
  });
});
