// SPDX-License-Identifier: MIT
import type { Embed, Ptr, StructOf, Vec } from '@lockless/cpu/native';
import { HELD_LOCKS, NR_CPUS, STATIC_WORDS, struct, TASK_WORDS, TaskStruct } from '@lockless/cpu/native';

/*
 * Where the engine keeps its own words: behind the static data of the packages. The same in every thread by construction; VERSION changes with it.
 *
 *   STATIC_WORDS   machine, spoilt locks, thread slots, tasks of the threads, published layouts, links of the heap, heap
 */

/** 'lock' in a word. */
export const MAGIC = 0x6c6f636b;
export const VERSION = 2;

/** Words of the published layouts, see published-layout.ts. */
export const LAYOUT_WORDS: number = 1 << 15;
/** Locks that can be spoilt at a time. */
export const SPOILT_LOCKS = 63;

/** The machine's own words. */
export interface Machine {
  magic: number;
  version: number;
  /** Words of the whole memory. */
  size: number;
  /** Threads that may be attached at a time. */
  threads: number;
  /** First word of the heap that was never allocated. */
  top: number;
  /** First word of the heap's links, one for each cache line of the heap. */
  links: number;
  /** First word of the heap. */
  heap: number;
  /** Spin lock of the published layouts, and how many words of them there are. */
  layoutLock: number;
  layoutWords: number;
  /** Spin lock of the table of spoilt locks. */
  spoiltLock: number;
  /** Never changes: what who sleeps for a moment sleeps on. */
  idle: number;
  /** 1: readers of RCU say nothing. */
  quietRcu: number;
}
export const Machine: StructOf<Machine> = struct<Machine>(
  'native_machine',
  {
    magic: 1,
    version: 1,
    size: 1,
    threads: 1,
    top: 1,
    links: 1,
    heap: 1,
    layoutLock: 1,
    layoutWords: 1,
    spoiltLock: 1,
    idle: 1,
    quietRcu: 1,
  },
  64,
);
export const machineWords: Ptr<Machine> = STATIC_WORDS as Ptr<Machine>;

/** A lock that was left in the middle of things: its address, CPU + 1 of who died, and the name of that thread. */
export const spoiltEntry = (index: number): number => machineWords + Machine.$size + 16 * index;

/** Words of a thread's name. */
export const NAME_WORDS = 9;

/** A thread slot's state. */
export const SLOT_FREE = 0;
export const SLOT_ALIVE = 1;
export const SLOT_CLAIMED = 2;
/** The thread is dead; somebody repairs what it left. */
export const SLOT_DYING = 3;

/** One thread that is, or may be, attached: a CPU. */
export interface ThreadSlot {
  state: number;
  /** Counts the threads that had the slot. */
  generation: number;
  /** Node's threadId; in a browser, the number of its lifeline when it has that. */
  threadId: number;
  /** When the thread gave the last sign of life, in milliseconds, modulo 2^30. */
  beat: number;
  /** CPU + 1 of who repairs what it left. */
  repairer: number;
  /** Task of the thread; more tasks of it hang on that one. */
  task: Ptr<NativeTask>;
  /** For barriers: only this thread writes it. */
  fence: number;
  /** UTF-8, padded with zeros. */
  name: Vec<number>;
  /** Entries of held-entry.ts. */
  held: Vec<number>;
}
export const ThreadSlot: StructOf<ThreadSlot> = struct<ThreadSlot>(
  'native_thread',
  { state: 1, generation: 1, threadId: 1, beat: 1, repairer: 1, task: 1, fence: 1, name: NAME_WORDS, held: HELD_LOCKS },
  64,
);
export const slotOf = (cpu: number): Ptr<ThreadSlot> =>
  (spoiltEntry(SPOILT_LOCKS) + cpu * ThreadSlot.$size) as Ptr<ThreadSlot>;

/** A TaskStruct and what the engine keeps with it. */
export interface NativeTask {
  task: Embed<TaskStruct>;
  /** Wait queue that it is on, or 0; written by waitingOn() of cpu. */
  queue: number;
  /** CPU of the thread that it belongs to. */
  cpu: number;
  /** Next task of the same thread. */
  next: Ptr<NativeTask>;
}
export const NativeTask: StructOf<NativeTask> = struct<NativeTask>(
  'native_task',
  { task: TaskStruct, queue: 1, cpu: 1, next: 1 },
  32,
);
if (TaskStruct.$size !== TASK_WORDS) throw new Error(`a TaskStruct has ${TaskStruct.$size} words, not ${TASK_WORDS}`);

/** The task that a thread begins with. */
export const firstTaskOf = (cpu: number): Ptr<NativeTask> =>
  (slotOf(NR_CPUS) + cpu * NativeTask.$size) as Ptr<NativeTask>;

/** The published layouts. */
export const layoutWords: number = firstTaskOf(NR_CPUS);
/** What is left for links and heap begins here. */
export const ENGINE_END: number = layoutWords + LAYOUT_WORDS;
