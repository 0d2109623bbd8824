// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { defineGuard, load, NULL, spinLock, spinUnlock, store, writeOnce } from '@lockless/cpu';
import { radixTreeLookup, radixTreeRepair } from '@lockless/radix-tree';
import { isImmediate, type Value, valueFree } from './value.js';
import { ValueIntent, ValueMap, valueIntents, valueRetire } from './value-map.js';

/*
 * After the death of a thread. What it was at stands in its intent (4 in value-map.ts), and the tree tells how far it came:
 *
 *  - `added` is in its slot: published, so the map's. It is not: nobody has ever seen it, so it is freed at once.
 *  - `removed` is in its slot: nothing happened to it. It is not: readers may have found it before, so it waits for a grace period.
 *
 * The slot tells this only until another writer changes it. Either the dead holds the lock, so nobody has; or it had not taken it, then `added` was in no slot and
 * `removed` is NULL; or it had released it, then `added` is NULL and `removed` left its slot for good.
 */

const settleIntent = defineGuard('valueMapThreadDied.settle', 'what a dead thread had in hand is never freed');
const asTheSlotSays = defineGuard(
  'valueMapThreadDied.slot',
  'what a dead thread had added is freed, whether it was published or not',
);

/** Frees what a dead CPU had in hand. *Context*: the lock of the map that its intent names. */
function* settle(cpu: number): Op<void> {
  const intent = valueIntents(cpu);
  const map = yield* load(ValueIntent.map(intent));
  const added = yield* load(ValueIntent.added(intent));
  const removed = yield* load(ValueIntent.removed(intent));
  yield* store(ValueIntent.added(intent), NULL);
  if (map === NULL || !settleIntent()) return;
  const entry = yield* radixTreeLookup(ValueMap.tree(map), (yield* load(ValueIntent.index(intent))) >>> 0);
  if (added !== NULL && !isImmediate(added) && (added !== entry || !asTheSlotSays()))
    yield* valueFree(added as Ptr<Value>);
  yield* valueRetire(intent, removed === entry ? NULL : removed);
}

/**
 * Makes a map whole whose lock a dead thread holds.
 *
 * *Context*: the map's lock, taken over from that CPU, whose stores are seen; the caller releases it afterwards. May be done again from the beginning by another,
 * if the caller dies, too.
 */
export function* valueMapTakeOver(map: Ptr<ValueMap>, cpu: number): Op<void> {
  yield* writeOnce(ValueMap.size(map), yield* radixTreeRepair(ValueMap.tree(map), cpu));
  if ((yield* load(ValueIntent.map(valueIntents(cpu)))) === map) yield* settle(cpu);
}

/**
 * Frees what a thread had in hand that died without the lock of a map.
 *
 * *Context*: no locks. The CPU is dead, its stores are seen, nobody has its number yet; once for each death.
 */
export function* valueMapThreadDied(cpu: number): Op<void> {
  const map = yield* load(ValueIntent.map(valueIntents(cpu)));
  if (map === NULL) return;
  yield* spinLock(ValueMap.lock(map));
  yield* settle(cpu);
  yield* spinUnlock(ValueMap.lock(map));
}
