// SPDX-License-Identifier: MIT
import type { Mutex as MutexType, Ptr, Ref, RwSemaphore as RwSemaphoreType } from '@lockless/cpu/native';
import {
  HELD_ADDRESS,
  HELD_LOCKS,
  HELD_MUTEX,
  HELD_READ,
  HELD_RWSEM,
  HELD_UNSURE,
  ListHead,
  Mutex,
  mutexUnlock,
  NULL,
  RwSemaphore,
  releaseAndWake,
  releaseShared,
  spinLock,
  spinUnlock,
  TaskStruct,
  thisCpu,
  upRead,
  upWrite,
  WaitQueueEntry,
  WaitQueueHead,
  wakeUp,
  withoutSleepers,
} from '@lockless/cpu/native';
import { NativeTask, SLOT_ALIVE, slotOf, ThreadSlot } from './layout.js';
import type { Threads } from './threads.js';

/*
 * What a thread left behind that ended anywhere: it is taken apart here, word by word. Everything runs in the thread that found out, as the dead one's CPU.
 *
 * A circular list that lost its owner while it was changed is whole in the forward direction: each change is made by one store to a `next` that
 * somebody can reach. So `prev` pointers are made from it.
 */

/** Makes a list's `prev` pointers fit its `next` pointers. */
export function repairList(words: Int32Array, head: Ptr<ListHead>): void {
  let at = head;
  do {
    const next = words[ListHead.next(at)] as Ptr<ListHead>;
    words[ListHead.prev(next)] = at;
    at = next;
  } while (at !== head);
}

/** Takes an element off a list that is whole, if it is on it. */
function removeFromList(words: Int32Array, head: Ptr<ListHead>, entry: Ptr<ListHead>): boolean {
  for (let at = head; ; ) {
    const next = words[ListHead.next(at)] as Ptr<ListHead>;
    if (next === head) return false;
    if (next === entry) {
      const after = words[ListHead.next(entry)] as Ptr<ListHead>;
      words[ListHead.prev(after)] = at;
      words[ListHead.next(at)] = after;
      words[ListHead.next(entry)] = entry;
      words[ListHead.prev(entry)] = entry;
      return true;
    }
    at = next;
  }
}

/** Whether a thread that is gone held a lock. `no`: it was only about to; `maybe`: it died within the few instructions in which nobody can tell. */
export type Held = 'yes' | 'no' | 'maybe';

/** Reads and clears away what one thread left. */
export class Leftovers {
  private readonly words: Int32Array;
  private readonly threads: Threads;

  constructor(words: Int32Array, threads: Threads) {
    this.words = words;
    this.threads = threads;
  }

  /** The entries of its record, last taken first. */
  recorded(cpu: number): number[] {
    const first = ThreadSlot.held(slotOf(cpu), 0);
    return [...this.words.slice(first, first + HELD_LOCKS)].filter((entry) => entry !== 0).reverse();
  }

  /** Whether the thread held a spin lock or rwlock of its record. */
  spinLockHeld(cpu: number, entry: number): Held {
    const lock = entry & HELD_ADDRESS;
    const value = withoutSleepers(Atomics.load(this.words, lock));
    if ((entry & HELD_READ) === 0) return value === cpu + 1 ? 'yes' : 'no';
    if ((entry & HELD_UNSURE) === 0) return 'yes';
    return this.oneTooMany(cpu, entry, value < 0 ? -value : 0, 0);
  }

  /** Releases a spin lock or rwlock on behalf of its holder. */
  releaseSpinLock(entry: number): void {
    const lock = (entry & HELD_ADDRESS) as Ref<number>;
    if ((entry & HELD_READ) !== 0) releaseShared(lock);
    else releaseAndWake(lock, true);
  }

  /** One look at whether the thread held a mutex or rwsem of which its record is not sure; takes it off its waiters. *Context*: the lock's waitLock is free, or held by the living. */
  sleepingLockHeld(cpu: number, entry: number, task: Ptr<NativeTask>): Held {
    return (entry & HELD_MUTEX) !== 0 ? this.leaveMutex(cpu, entry, task) : this.leaveRwsem(cpu, entry, task);
  }

  private leaveMutex(cpu: number, entry: number, task: Ptr<NativeTask>): Held {
    const { words } = this;
    const lock = (entry & HELD_ADDRESS) as Ptr<MutexType>;
    if (words[Mutex.owner(lock)] === NativeTask.task(task)) return 'yes';
    spinLock(Mutex.waitLock(lock));
    removeFromList(words, Mutex.waitList(lock), TaskStruct.waiter(NativeTask.task(task)));
    const free = Atomics.load(words, Mutex.count(lock)) === 1;
    const ownerless = words[Mutex.owner(lock)] === NULL;
    const waiting = lengthOf(words, Mutex.waitList(lock));
    spinUnlock(Mutex.waitLock(lock));
    // It may have been the one that was woken.
    if (free) this.wakeFirst(lock);
    if (free || !ownerless) return 'no';
    // Somebody has just taken it or is just releasing it: the dead thread, unless another one is about to.
    return this.oneTooMany(cpu, entry, 1, waiting);
  }

  private wakeFirst(lock: Ptr<MutexType>): void {
    // As an unlock does: who is first in the queue looks again.
    if (Atomics.compareExchange(this.words, Mutex.count(lock), 1, -1) !== 1) return;
    this.words[Mutex.owner(lock)] = thisCpu.current;
    mutexUnlock(lock);
  }

  private leaveRwsem(cpu: number, entry: number, task: Ptr<NativeTask>): Held {
    const { words } = this;
    const sem = (entry & HELD_ADDRESS) as Ptr<RwSemaphoreType>;
    spinLock(RwSemaphore.waitLock(sem));
    removeFromList(words, RwSemaphore.waitList(sem), TaskStruct.waiter(NativeTask.task(task)));
    const activity = words[RwSemaphore.activity(sem)];
    const waiting = lengthOf(words, RwSemaphore.waitList(sem));
    spinUnlock(RwSemaphore.waitLock(sem));
    const reading = (entry & HELD_READ) !== 0;
    const holders = reading ? Math.max(activity, 0) : Math.max(-activity, 0);
    return this.oneTooMany(cpu, entry, holders, waiting);
  }

  /** Whether a task is among the waiters of a mutex or rwsem. */
  waits(entry: number, task: Ptr<NativeTask>): boolean {
    const lock = entry & HELD_ADDRESS;
    const mutex = (entry & HELD_MUTEX) !== 0;
    const waitLock = mutex
      ? Mutex.waitLock(lock as Ptr<MutexType>)
      : RwSemaphore.waitLock(lock as Ptr<RwSemaphoreType>);
    const list = mutex ? Mutex.waitList(lock as Ptr<MutexType>) : RwSemaphore.waitList(lock as Ptr<RwSemaphoreType>);
    const waiter = TaskStruct.waiter(NativeTask.task(task));
    spinLock(waitLock);
    let at = this.words[ListHead.next(list)];
    while (at !== list && at !== waiter) at = this.words[ListHead.next(at as Ptr<ListHead>)];
    spinUnlock(waitLock);
    return at === waiter;
  }

  /** Takes a living task off the waiters of a lock. False: too late, it was granted the lock. */
  stopWaiting(entry: number, task: Ptr<NativeTask>): boolean {
    const { words } = this;
    const waiter = TaskStruct.waiter(NativeTask.task(task));
    if ((entry & HELD_MUTEX) !== 0) {
      const lock = (entry & HELD_ADDRESS) as Ptr<MutexType>;
      spinLock(Mutex.waitLock(lock));
      removeFromList(words, Mutex.waitList(lock), waiter);
      const free = Atomics.load(words, Mutex.count(lock)) === 1;
      spinUnlock(Mutex.waitLock(lock));
      if (free) this.wakeFirst(lock);
      return true;
    }
    const sem = (entry & HELD_ADDRESS) as Ptr<RwSemaphoreType>;
    spinLock(RwSemaphore.waitLock(sem));
    const waited = removeFromList(words, RwSemaphore.waitList(sem), waiter);
    spinUnlock(RwSemaphore.waitLock(sem));
    return waited;
  }

  /** Releases a mutex or rwsem on behalf of its holder. *Context*: the current task is the holder. */
  releaseSleepingLock(entry: number): void {
    const lock = entry & HELD_ADDRESS;
    if ((entry & HELD_MUTEX) !== 0) {
      this.words[Mutex.owner(lock as Ptr<MutexType>)] = thisCpu.current;
      mutexUnlock(lock as Ptr<MutexType>);
    } else if ((entry & HELD_READ) !== 0) upRead(lock as Ptr<RwSemaphoreType>);
    else upWrite(lock as Ptr<RwSemaphoreType>);
  }

  /** Takes a task off the queue that it waits on, and passes on a wake-up that it may have had. */
  leaveQueue(task: Ptr<NativeTask>): number {
    const { words } = this;
    const queue = words[NativeTask.queue(task)] as Ptr<WaitQueueHead>;
    if (queue === 0) return 0;
    const wait = TaskStruct.wait(NativeTask.task(task));
    spinLock(WaitQueueHead.lock(queue));
    removeFromList(words, WaitQueueHead.taskList(queue), WaitQueueEntry.entry(wait));
    words[WaitQueueEntry.task(wait)] = NULL;
    spinUnlock(WaitQueueHead.lock(queue));
    wakeUp(queue);
    words[NativeTask.queue(task)] = 0;
    return queue;
  }

  /**
   * Whether a thread is among the holders of a lock of which its record is not sure: the lock has so many, and the living account for some of them. Of
   * those that are not sure either, `waiting` are known to wait.
   */
  private oneTooMany(cpu: number, entry: number, holders: number, waiting: number): Held {
    const sure = this.others(cpu, entry & ~HELD_UNSURE);
    const unsure = Math.max(this.others(cpu, entry | HELD_UNSURE) - waiting, 0);
    if (holders > sure + unsure) return 'yes';
    return holders <= sure ? 'no' : 'maybe';
  }

  /** How often the other living threads have exactly that entry in their records. */
  private others(cpu: number, entry: number): number {
    let found = 0;
    for (let other = 0; other < this.threads.limit; other++) {
      if (other === cpu || this.threads.state(other) !== SLOT_ALIVE) continue;
      found += this.recorded(other).filter((each) => each === entry).length;
    }
    return found;
  }
}

function lengthOf(words: Int32Array, head: Ptr<ListHead>): number {
  let length = 0;
  for (let at = words[ListHead.next(head)]; at !== head; at = words[ListHead.next(at as Ptr<ListHead>)]) length++;
  return length;
}

/** Whether an entry is a mutex or an rwsem. */
export const isSleeping = (entry: number): boolean => (entry & (HELD_MUTEX | HELD_RWSEM)) !== 0;
