// SPDX-License-Identifier: GPL-2.0-only
import type { Embed, Op, Ptr, StructOf } from '@lockless/cpu';
import {
  functionPointer,
  GFP_KERNEL,
  kmemCacheAlloc,
  kmemCacheCreate,
  kmemCacheFree,
  load,
  NULL,
  preemptDisable,
  preemptEnable,
  SequentialEngine,
  store,
  struct,
} from '@lockless/cpu';
import { RcuHead } from '@lockless/mm-types';
import { describe, expect, it } from 'vitest';
import {
  callRcu,
  rcuCheckCallbacks,
  rcuIdle,
  rcuInit,
  rcuNoteContextSwitch,
  rcuPending,
  rcuProcessCallbacks,
  rcuReadLock,
  rcuReadLockHeld,
  rcuReadUnlock,
  rcuStatistics,
  rcuTick,
  synchronizeRcu,
} from '../src/index.js';

interface Item {
  rcu: Embed<RcuHead>;
  value: number;
}
const Item: StructOf<Item> = struct<Item>('rcu_test_item', { rcu: RcuHead, value: 1 });
const itemCache = kmemCacheCreate(Item);
const freeItem = functionPointer('free_item', (head: Ptr<RcuHead>): Op<void> => freeOf(head));
function* freeOf(head: Ptr<RcuHead>): Op<void> {
  yield* kmemCacheFree(itemCache, head as number as Ptr<Item>);
}

function* newItem(value: number): Op<Ptr<Item>> {
  const item = yield* kmemCacheAlloc(itemCache, GFP_KERNEL);
  if (item === NULL) throw new Error('no memory');
  yield* store(Item.value(item), value);
  return item;
}

function machine(nrCpus = 1): SequentialEngine {
  const engine = new SequentialEngine();
  engine.run(rcuInit(nrCpus));
  return engine;
}
const statistics = (engine: SequentialEngine) =>
  engine.run(
    (function* () {
      return rcuStatistics();
    })(),
  );

describe('a machine of one CPU', () => {
  it('invokes a callback after a quiescent state, not before', () => {
    const engine = machine();
    engine.run(
      (function* () {
        const item = yield* newItem(7);
        yield* callRcu(Item.rcu(item), freeItem);
        expect(yield* rcuPending()).toBe(true);
        for (let tick = 0; tick < 5; tick++) yield* rcuTick(false);
        // Five ticks hit a kernel-side reader, so the object lives.
        expect(yield* load(Item.value(item))).toBe(7);
        yield* rcuNoteContextSwitch();
        for (let tick = 0; tick < 3; tick++) yield* rcuTick(false);
        expect(yield* rcuPending()).toBe(false);
      })(),
    );
    expect(engine.heap.live[itemCache.id]).toBe(0);
    expect(statistics(engine)).toMatchObject({ gracePeriods: 1, callbacksQueued: 1, callbacksInvoked: 1 });
  });

  it('does not count a quiescent state that came before the batch', () => {
    const engine = machine();
    engine.run(
      (function* () {
        const item = yield* newItem(7);
        yield* callRcu(Item.rcu(item), freeItem);
        yield* rcuNoteContextSwitch();
        yield* rcuProcessCallbacks();
        yield* rcuProcessCallbacks();
        yield* rcuProcessCallbacks();
        expect(yield* load(Item.value(item))).toBe(7);
      })(),
    );
  });

  it('invokes callbacks in the order in which they were queued, ten in one softirq', () => {
    const engine = machine();
    const order: number[] = [];
    const note = functionPointer('note', function* (head: Ptr<RcuHead>): Op<void> {
      order.push(yield* load(Item.value(head as number as Ptr<Item>)));
    });
    const perSoftirq: number[] = [];
    engine.run(
      (function* () {
        for (let i = 0; i < 25; i++) yield* callRcu(Item.rcu(yield* newItem(i)), note);
        while (yield* rcuPending()) {
          const before = order.length;
          yield* rcuCheckCallbacks(true);
          yield* rcuProcessCallbacks();
          if (order.length > before) perSoftirq.push(order.length - before);
        }
      })(),
    );
    expect(order).toEqual(Array.from({ length: 25 }, (_, i) => i));
    expect(perSoftirq).toEqual([10, 10, 5]);
  });

  it('lifts the limit of a softirq when more than 10,000 callbacks wait', () => {
    const engine = machine();
    let most = 0;
    engine.run(
      (function* () {
        for (let i = 0; i < 10_001; i++) yield* callRcu(Item.rcu(yield* newItem(i)), freeItem);
        let before = 0;
        while (yield* rcuPending()) {
          yield* rcuTick(true);
          const { callbacksInvoked } = rcuStatistics();
          most = Math.max(most, callbacksInvoked - before);
          before = callbacksInvoked;
        }
      })(),
    );
    expect(most).toBe(10_001);
    expect(engine.heap.live[itemCache.id]).toBe(0);
  });

  it('lets a callback queue another, which waits for its own grace period', () => {
    const engine = machine();
    let runs = 0;
    const again = functionPointer('again', function* (head: Ptr<RcuHead>): Op<void> {
      if (++runs < 3) yield* callRcu(head, again);
    });
    engine.run(
      (function* () {
        yield* callRcu(Item.rcu(yield* newItem(0)), again);
        yield* rcuIdle();
      })(),
    );
    expect(runs).toBe(3);
    expect(statistics(engine).gracePeriods).toBe(3);
  });

  it('crosses the wrap of the batch numbers', () => {
    const engine = machine();
    engine.run(
      (function* () {
        for (let i = 0; i < 400; i++) {
          yield* callRcu(Item.rcu(yield* newItem(i)), freeItem);
          yield* rcuIdle();
        }
      })(),
    );
    expect(statistics(engine)).toMatchObject({ gracePeriods: 400, callbacksInvoked: 400 });
  });

  it('synchronize_rcu returns at once, but not in atomic context', () => {
    const engine = machine();
    engine.run(synchronizeRcu());
    expect(() =>
      engine.run(
        (function* () {
          yield* rcuReadLock();
          yield* synchronizeRcu();
        })(),
      ),
    ).toThrow(/atomic context/);
  });
});

it('knows whether the caller is in a reader', () => {
  machine().run(
    (function* () {
      expect(rcuReadLockHeld()).toBe(false);
      yield* rcuReadLock();
      yield* rcuReadLock();
      yield* rcuReadUnlock();
      expect(rcuReadLockHeld()).toBe(true);
      yield* rcuReadUnlock();
      expect(rcuReadLockHeld()).toBe(false);
      preemptDisable();
      expect(rcuReadLockHeld()).toBe(true);
      preemptEnable();
    })(),
  );
});

it('waits for every CPU of the machine: alone, CPU 0 of 64 ends no grace period', () => {
  const engine = machine(64);
  engine.run(
    (function* () {
      yield* callRcu(Item.rcu(yield* newItem(1)), freeItem);
      for (let i = 0; i < 10; i++) yield* rcuTick(true);
    })(),
  );
  expect(statistics(engine)).toMatchObject({ gracePeriods: 0, callbacksInvoked: 0 });
});
