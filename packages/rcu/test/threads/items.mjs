// SPDX-License-Identifier: GPL-2.0-only
import {
  atomicInc,
  containerOf,
  GFP_KERNEL,
  kmemCacheAlloc,
  kmemCacheFree,
  load,
  Mutex,
  mutexLock,
  mutexUnlock,
  NULL,
  peek,
  rcuAssignPointer,
  rcuDereference,
  readOnce,
  staticData,
  store,
  struct,
} from '@lockless/cpu/native';
import { RcuHead } from '@lockless/mm-types/native';
import { callRcu, rcuReadLock, rcuReadUnlock, synchronizeRcu, urcuReclaim } from '@lockless/rcu/native';

const { defineStatic, defineWord, functionPointer, kmemCacheCreate } = staticData(63, 'rcu tests');

/** Two words that are always equal while anybody may look at them. */
const Item = struct('item', { one: 1, two: 1, head: RcuHead });
const itemCache = kmemCacheCreate(Item);
const slot = defineWord('slot');
export const stop = defineWord('stop');
export const mutex = defineStatic(Mutex, 'mutex');
/** Readers that saw what they must not. */
export const torn = defineWord('torn');

function freeItem(item) {
  store(Item.one(item), -1);
  store(Item.two(item), -2);
  kmemCacheFree(itemCache, item);
}
const freeByRcu = functionPointer('free_item', (head) => freeItem(containerOf(head, Item, 'head')));

/** Puts a new item in the slot; the one before. */
export function replaceItem(value) {
  const item = kmemCacheAlloc(itemCache, GFP_KERNEL);
  if (item === NULL) throw new Error('memory is used up');
  store(Item.one(item), value);
  store(Item.two(item), value);
  const before = peek(slot);
  rcuAssignPointer(slot, item);
  return before;
}

function look(rounds) {
  rcuReadLock();
  const item = rcuDereference(slot);
  for (let i = 0; i < rounds; i++) if (load(Item.one(item)) !== load(Item.two(item))) atomicInc(torn);
  rcuReadUnlock();
}

/** What threads do, until they are told to stop or `n` times. */
export const jobs = {
  read() {
    for (let i = 0; readOnce(stop) === 0; i++) look(1 + (i % 40));
  },
  /** Each reader begins where the thread is offline: the job of the event loop before is over. */
  async readInTurns() {
    for (let i = 0; readOnce(stop) === 0; i++) {
      look(1 + (i % 40));
      await (i % 50 === 0 ? new Promise((resolve) => setImmediate(resolve)) : undefined);
    }
  },
  /** Reads, and then does something else for so many milliseconds without coming to an end, or saying that it is in no reader. */
  doElse(n) {
    look(1);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, n);
  },
  /** Reads, and its event loop goes on. */
  async idle() {
    look(1);
    while (readOnce(stop) === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  },
  /** Reads, and sleeps on a mutex that somebody else holds. */
  sleep() {
    look(1);
    mutexLock(mutex);
    mutexUnlock(mutex);
  },
  readForEver() {
    rcuReadLock();
    for (;;) look(1);
  },
  /** The updater waits for each grace period itself. */
  synchronize(n) {
    for (let i = 1; i <= n; i++) {
      const before = replaceItem(i);
      synchronizeRcu();
      freeItem(before);
    }
  },
  /** The updater leaves it to callbacks. */
  callbacks(n) {
    for (let i = 1; i <= n; i++) {
      callRcu(Item.head(replaceItem(i)), freeByRcu);
      if (i % 50 === 0) urcuReclaim();
    }
    urcuReclaim();
  },
  /** What goes wrong without grace periods. */
  impatient(n) {
    for (let i = 1; i <= n; i++) freeItem(replaceItem(i));
  },
};
