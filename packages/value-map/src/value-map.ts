// SPDX-License-Identifier: GPL-2.0-only
import type { Embed, KmemCache, Null, Op, Ptr, Ref, SpinLock, StructOf, Vec } from '@lockless/cpu';
import {
  CACHE_LINE_WORDS,
  defineGuard,
  definePerCpu,
  defineWord,
  GFP_KERNEL,
  kmemCacheAlloc,
  kmemCacheCreate,
  load,
  NULL,
  preemptDisable,
  readOnce,
  smpProcessorId,
  spinLock,
  spinUnlock,
  store,
  struct,
  writeOnce,
} from '@lockless/cpu';
import { EAGAIN, RadixTreeRoot } from '@lockless/mm-types';
import {
  RADIX_TREE_RETRY,
  radixTreeDelete,
  radixTreeDerefSlot,
  radixTreeGangLookupSlot,
  radixTreeGangLookupTagSlot,
  radixTreeInit,
  radixTreeInsert,
  radixTreeLookup,
  radixTreeLookupSlot,
  radixTreePreload,
  radixTreePreloadEnd,
  radixTreeReplaceSlot,
  radixTreeTagClear,
  radixTreeTagGet,
  radixTreeTagSet,
} from '@lockless/radix-tree';
import { callRcu } from '@lockless/rcu';
import { isImmediate, Value, valueAlloc, valueFree, valueFreeRcu } from './value.js';

/*
 * A map from index to value. Who reads is under rcu_read_lock() alone; who writes holds the map's lock for the change of the tree, and for nothing else.
 *
 *  1. A writer fills the value before rcu_assign_pointer() puts it into its slot; a reader finds it with rcu_dereference(). So it is complete.
 *  2. What a writer takes out of its slot he gives to call_rcu() after that. A reader that found it is in a section that began before, so it is
 *     not freed, nor used again, until that reader is done.
 *  3. Compare and set compares entries, not values: who compares is in the section in which he found the old one, so no other value can
 *     have its address (no ABA).
 *  4. A thread can die anywhere. Before it has a value that no slot leads to, it writes down that it is about to: `added`, until the value is in its slot; `removed`,
 *     from before the value leaves its slot until just before call_rcu(). With the lock held by the dead, or before it was taken, the tree tells
 *     which is the case: see repair.ts.
 */

export interface ValueMap {
  tree: Embed<RadixTreeRoot>;
  /** Readers look at the tree alone: what writers write is on a cache line of its own. */
  padding: Vec<number>;
  lock: SpinLock;
  /** Entries. Under the lock; read without. */
  size: number;
}
export const ValueMap: StructOf<ValueMap> = struct<ValueMap>('value_map', {
  tree: RadixTreeRoot,
  padding: CACHE_LINE_WORDS - RadixTreeRoot.$size,
  lock: 1,
  size: 1,
});
export const valueMapCachep: KmemCache<ValueMap> = kmemCacheCreate(ValueMap);

/** For who waits without blocking until a writer is done, or memory was freed, in any map of the machine: an event count. Who uses the maps notifies it. */
export const valueMapEvents: Ref<number> = defineWord('value_map_events');

/** What a CPU's writer is at: 4. Its own, with preemption off, until it dies. */
export interface ValueIntent {
  map: Ptr<ValueMap> | Null;
  index: number;
  added: number;
  removed: number;
}
export const ValueIntent: StructOf<ValueIntent> = struct<ValueIntent>('value_intent', {
  map: 1,
  index: 1,
  added: 1,
  removed: 1,
});
export const valueIntents: (cpu: number) => Ptr<ValueIntent> = definePerCpu(ValueIntent, 'value_intents');

const gracePeriod = defineGuard('valueMapStore.gracePeriod', 'a value is freed while readers may be copying it');
const lockless = defineGuard('valueMapStore.lock', 'writers change the tree at the same time');

/** valueMapStore(): whatever the slot holds, replace it. */
export const EXPECT_ANY = -1;

/** An empty map. *Returns* NULL when memory is used up. */
export function* valueMapCreate(): Op<Ptr<ValueMap> | Null> {
  const map = yield* kmemCacheAlloc(valueMapCachep, GFP_KERNEL);
  if (map !== NULL) yield* radixTreeInit(ValueMap.tree(map), 0);
  return map;
}

/**
 * The entry of an index.
 *
 * *Context*: rcu_read_lock(), as long as the entry's value is used.
 * *Returns* NULL when there is none.
 */
export const valueMapLoad = (map: Ptr<ValueMap>, index: number): Op<number> =>
  radixTreeLookup(ValueMap.tree(map), index);

/** Entries. *Context*: any. */
export function* valueMapSize(map: Ptr<ValueMap>): Op<number> {
  return yield* readOnce(ValueMap.size(map));
}

/**
 * Begins a change: nodes for it are at hand, and the CPU is the writer's alone. To be ended by {@link valueMapWriteEnd}. `adds` false: it only deletes, which needs no nodes, and so
 * goes on when memory is used up.
 *
 * *Returns* 0 with preemption off; -ENOMEM with preemption as it was.
 */
export function* valueMapWriteBegin(map: Ptr<ValueMap>, index: number, adds = true): Op<number> {
  if (adds) {
    const error = yield* radixTreePreload(GFP_KERNEL);
    if (error !== 0) return error;
  } else preemptDisable();
  const intent = valueIntents(smpProcessorId());
  yield* store(ValueIntent.map(intent), map);
  yield* store(ValueIntent.index(intent), index | 0);
  return 0;
}

export function valueMapWriteEnd(): void {
  radixTreePreloadEnd();
}

/** A value for {@link valueMapStore}. *Context*: between begin and end. *Returns* NULL when memory is used up. */
export const valueMapAlloc = (kind: number, length: number, words: Int32Array): Op<Ptr<Value> | Null> =>
  valueAlloc(kind, length, words, ValueIntent.added(valueIntents(smpProcessorId())));

/** Frees what valueMapAlloc() gave and no map has. */
function* discard(entry: number): Op<void> {
  if (entry === NULL || isImmediate(entry)) return;
  yield* store(ValueIntent.added(valueIntents(smpProcessorId())), NULL);
  yield* valueFree(entry as Ptr<Value>);
}

/** Under the lock: puts the entry in (NULL: takes out what is there) and says so in `size`. `slot` is that of the old entry. */
function* change(map: Ptr<ValueMap>, index: number, slot: Ref<number> | Null, entry: number): Op<number> {
  const size = ValueMap.size(map);
  if (entry === NULL) {
    yield* radixTreeDelete(ValueMap.tree(map), index);
    yield* writeOnce(size, (yield* load(size)) - 1);
    return 0;
  }
  if (slot !== NULL) {
    yield* radixTreeReplaceSlot(slot, entry);
    return 0;
  }
  const error = yield* radixTreeInsert(ValueMap.tree(map), index, entry);
  if (error === 0) yield* writeOnce(size, (yield* load(size)) + 1);
  return error;
}

/**
 * Stores an entry at an index, if the index has the entry `expected` (NULL: none; EXPECT_ANY: any). The entry NULL deletes.
 *
 * *Context*: between valueMapWriteBegin() and End(). With an entry that was found as `expected`: in the rcu_read_lock() section in which it was found.
 * *Returns* 1 when the index had an entry, 0 when it had none; -EAGAIN when that was not the expected one, -ENOMEM: the map is as before then,
 * and the new value is freed.
 * *Ordering*: release: who finds the entry sees the value; by the radix tree.
 */
export function* valueMapStore(map: Ptr<ValueMap>, index: number, expected: number, entry: number): Op<number> {
  const intent = valueIntents(smpProcessorId());
  if (lockless()) yield* spinLock(ValueMap.lock(map));
  const slot = yield* radixTreeLookupSlot(ValueMap.tree(map), index);
  const old = slot === NULL ? NULL : yield* load(slot);
  let error = expected === EXPECT_ANY || old === expected ? 0 : -EAGAIN;
  if (error === 0 && (old !== NULL || entry !== NULL)) {
    yield* store(ValueIntent.removed(intent), old);
    error = yield* change(map, index, slot, entry);
    if (error === 0) yield* store(ValueIntent.added(intent), NULL);
  }
  if (lockless()) yield* spinUnlock(ValueMap.lock(map));
  if (error !== 0) {
    yield* discard(entry);
    return error;
  }
  yield* valueRetire(intent, old);
  return old === NULL ? 0 : 1;
}

/** Frees a value that left its slot, when nobody reads it any more; the CPU has no more to do with it. */
export function* valueRetire(intent: Ptr<ValueIntent>, old: number): Op<void> {
  // Before call_rcu(): rather lose it, if we die in between, than free it twice.
  yield* store(ValueIntent.removed(intent), NULL);
  if (old === NULL || isImmediate(old)) return;
  if (gracePeriod()) yield* callRcu(Value.rcu(old as Ptr<Value>), valueFreeRcu);
  else yield* valueFree(old as Ptr<Value>);
}

/**
 * Sets or clears one of the two tags of an index.
 *
 * *Context*: not under the map's lock.
 * *Returns* whether the index has an entry.
 */
export function* valueMapTag(map: Ptr<ValueMap>, index: number, tag: number, tagged: boolean): Op<boolean> {
  const tree = ValueMap.tree(map);
  yield* spinLock(ValueMap.lock(map));
  const found = (yield* radixTreeLookup(tree, index)) !== NULL;
  if (found && tagged) yield* radixTreeTagSet(tree, index, tag);
  if (found && !tagged) yield* radixTreeTagClear(tree, index, tag);
  yield* spinUnlock(ValueMap.lock(map));
  return found;
}

/** Whether an index has an entry with the tag. *Context*: rcu_read_lock(). */
export const valueMapTagged = (map: Ptr<ValueMap>, index: number, tag: number): Op<boolean> =>
  radixTreeTagGet(ValueMap.tree(map), index, tag);

/** Entries with their indexes, in ascending order. */
export interface Gang {
  readonly indices: readonly number[];
  readonly entries: readonly number[];
}

/**
 * Up to `max` entries from index `first` on; with a tag, those that have it. No snapshot: as if each had been looked up by itself, in that order.
 *
 * *Context*: rcu_read_lock(), as long as the values are used.
 */
export function* valueMapGang(map: Ptr<ValueMap>, first: number, max: number, tag: number): Op<Gang> {
  const tree = ValueMap.tree(map);
  restart: for (;;) {
    const found: number[] = [];
    const slots =
      tag < 0
        ? yield* radixTreeGangLookupSlot(tree, first, max, found)
        : yield* radixTreeGangLookupTagSlot(tree, first, max, tag, found);
    const indices: number[] = [];
    const entries: number[] = [];
    for (let i = 0; i < slots.length; i++) {
      const entry = yield* radixTreeDerefSlot(slots[i]);
      if (entry === RADIX_TREE_RETRY) continue restart;
      if (entry === NULL) continue;
      indices.push(found[i]);
      entries.push(entry);
    }
    // All that was found has gone since: the end is where nothing is found.
    if (indices.length > 0 || slots.length === 0) return { indices, entries };
  }
}
