// SPDX-License-Identifier: GPL-2.0-only

import type { Op, Ptr } from '@lockless/cpu';
import * as cpu from '@lockless/cpu';
import { RcuHead } from '@lockless/mm-types';
import { describe, expect, it } from 'vitest';
import * as rcu from '../src/index.js';

class Killed extends Error {}

/** A machine that ends an operation for good before one of its accesses. */
function mortal(without: readonly string[] = []): {
  engine: cpu.SequentialEngine;
  dies: (after: number, op: Op<unknown>) => boolean;
} {
  let left = Number.POSITIVE_INFINITY;
  const engine = new cpu.SequentialEngine({
    words: (1 << 18) + (1 << 14),
    onAccess() {
      if (left-- === 0) throw new Killed();
    },
  });
  engine.run(rcu.bootUrcu(2));
  engine.run(
    (function* (): Op<void> {
      cpu.omitGuards(without);
    })(),
  );
  return {
    engine,
    dies(after, op) {
      left = after;
      try {
        engine.run(op);
        return false;
      } catch (error) {
        if (error instanceof Killed) return true;
        throw error;
      } finally {
        left = Number.POSITIVE_INFINITY;
        Object.assign(engine.cpu, { preemptCount: 0, rcuReaders: 0 });
      }
    },
  };
}

/** The next thread runs as another CPU, without what the dead one held of mutexes: that is for an engine to end. */
function* survive(): Op<void> {
  yield* rcu.rcuThreadDied(0);
  for (const { name, address, layout } of cpu.staticSymbols()) {
    if (name === 'urcu_callbacks' && layout !== null)
      yield* cpu.mutexInit((address + layout.$offset.reclaim) as Ptr<cpu.Mutex>);
  }
}

let order: number[] = [];
let heads: Ptr<RcuHead>[] = [];
const note = cpu.functionPointer('death_note', function* (head: Ptr<RcuHead>): Op<void> {
  order.push(heads.indexOf(head));
});

/** Kills who reclaims three callbacks at each access; another queues a fourth and goes on. Returns what was invoked each time. */
function* reclaimersDeaths(without: readonly string[] = []): Generator<readonly number[]> {
  for (let accesses = 0; ; accesses++) {
    const { engine, dies } = mortal(without);
    heads = Array.from({ length: 4 }, () => engine.heap.reserve(RcuHead.$size) as Ptr<RcuHead>);
    order = [];
    for (const head of heads.slice(0, 3)) engine.run(rcu.callRcu(head, note));
    const died = dies(accesses, rcu.urcuReclaim());
    engine.run(survive());
    engine.run(rcu.callRcu(heads[3], note));
    engine.run(rcu.rcuBarrier());
    yield order;
    if (!died) return;
  }
}

describe('a thread that dies', () => {
  it('inside a reader holds up no grace period once it is said to be dead', () => {
    for (const nested of [1, 2]) {
      const { engine } = mortal();
      engine.run(
        (function* (): Op<void> {
          for (let i = 0; i < nested; i++) yield* rcu.rcuReadLock();
        })(),
      );
      Object.assign(engine.cpu, { preemptCount: 0, rcuReaders: 0 });
      expect(() => engine.run(rcu.synchronizeRcu())).toThrow(/cpu_relax/);
      engine.run(survive());
      engine.run(rcu.synchronizeRcu());
    }
  });

  it('anywhere in synchronize_rcu() keeps nobody from the next grace period', () => {
    for (let accesses = 0; ; accesses++) {
      const { engine, dies } = mortal();
      const died = dies(accesses, rcu.synchronizeRcu());
      engine.run(survive());
      engine.run(rcu.synchronizeRcu());
      if (!died) break;
      expect(accesses).toBeLessThan(40);
    }
    const { engine, dies } = mortal(['rcuThreadDied.gpLock']);
    expect(dies(3, rcu.synchronizeRcu())).toBe(true);
    engine.run(survive());
    expect(() => engine.run(rcu.synchronizeRcu())).toThrow(/cpu_relax/);
  });

  it('anywhere while it reclaims: the others are invoked once, in order, and at most the one in hand is lost', () => {
    const outcomes = [...reclaimersDeaths()];
    for (const invoked of outcomes) {
      expect(invoked).toEqual([...new Set(invoked)].sort());
      expect(invoked.length).toBeGreaterThanOrEqual(3);
      expect(invoked.at(-1)).toBe(3);
    }
    expect(outcomes.filter(({ length }) => length === 4).length).toBeGreaterThan(outcomes.length / 2);
    const forgetful = [...reclaimersDeaths(['urcuReclaim.takeOver'])];
    expect(forgetful.some(({ length }) => length < 3)).toBe(true);
  });
});
