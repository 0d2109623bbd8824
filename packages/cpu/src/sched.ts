// SPDX-License-Identifier: MIT
import { readOnce, smpStoreMb, writeOnce } from './access.js';
import { ListHead } from './list.js';
import type { Access, Op } from './op.js';
import { access } from './op.js';
import { current, mightSleep } from './preempt.js';
import { code } from './primitive.js';
import type { StructOf } from './struct.js';
import { struct } from './struct.js';
import type { Embed, Null, Ptr } from './word.js';

const SCHEDULE = code('schedule');
const WAKE = code('wake_up_process');

export const TASK_RUNNING = 0;
export const TASK_INTERRUPTIBLE = 1;
export const TASK_UNINTERRUPTIBLE = 2;
export const TASK_DEAD = 64;

/** One wait of one task: `wait_queue_t`. It lives in the task, because a task waits in one place at a time. */
export interface WaitQueueEntry {
  task: Ptr<TaskStruct> | Null;
  /** WQ_FLAG_EXCLUSIVE: one wake-up wakes one such waiter. */
  exclusive: number;
  /** What is waited for, on queues that several things share (a bit of a word). */
  key: number;
  entry: Embed<ListHead>;
}
export const WaitQueueEntry: StructOf<WaitQueueEntry> = struct<WaitQueueEntry>('wait_queue_t', {
  task: 1,
  exclusive: 1,
  key: 1,
  entry: ListHead,
});

/** struct task_struct, the part that locks and memory management use. */
export interface TaskStruct {
  /** TASK_RUNNING or why it sleeps. */
  state: number;
  /** PF_* bits. */
  flags: number;
  pid: number;
  /** Process: pid of the thread group's leader. */
  tgid: number;
  /** struct mm_struct, opaque here; 0 for kernel threads. */
  mm: number;
  /** Not 0 when a signal waits to be handled: TIF_SIGPENDING. */
  signalPending: number;
  /** Entry for wait queues. */
  wait: Embed<WaitQueueEntry>;
  /** Entry for lists of sleepers in a mutex or rwsem. */
  waiter: Embed<ListHead>;
  /** What the sleeper wants (rwsem: 0 read, 1 write), then cleared by who grants it. */
  waiterWants: number;
  /** Backing for `current->reclaim_state` and such: words that only this task touches. */
  reclaimState: number;
  /** Not 0: it acts for a tracer, so the page faults it takes are not the program's, and not counted. Only this task looks at it. */
  faultsUncounted: number;
}
export const TaskStruct: StructOf<TaskStruct> = struct<TaskStruct>(
  'task_struct',
  {
    state: 1,
    flags: 1,
    pid: 1,
    tgid: 1,
    mm: 1,
    signalPending: 1,
    wait: WaitQueueEntry,
    waiter: ListHead,
    waiterWants: 1,
    reclaimState: 1,
    faultsUncounted: 1,
  },
  16,
);

/** The task reclaims memory: its allocations may use the reserves and do not reclaim again. */
export const PF_MEMALLOC = 0x800;
/** The task is kswapd. */
export const PF_KSWAPD = 0x40000;
/** The task is going away. */
export const PF_EXITING = 0x4;

/** set_current_state(): the store, then a full barrier, so a condition tested after it cannot be missed by who wakes us. Pairs with the barrier in {@link wakeUpProcess}. */
export function* setCurrentState(state: number): Op<void> {
  yield* smpStoreMb(TaskStruct.state(current()), state);
}

/** __set_current_state(): no barrier. */
export function* setCurrentStateRelaxed(state: number): Op<void> {
  yield* writeOnce(TaskStruct.state(current()), state);
}

/** The scheduler itself; gives up the CPU, for good unless the state is TASK_RUNNING or somebody wakes the task. */
const switchTasks = (): Access<void> => access(SCHEDULE, 0);

/** schedule(). Full barrier. BUG in atomic context. */
export function* schedule(): Op<void> {
  mightSleep();
  yield* switchTasks();
}

/** io_schedule() and cond_resched() differ from {@link schedule} only in accounting here. */
export function* condResched(): Op<void> {
  mightSleep();
  yield* switchTasks();
}

/** wake_up_process(): makes a sleeping task runnable; true if it slept. Full barrier before the state is read. */
export const wakeUpProcess = (task: Ptr<TaskStruct>): Access<boolean> =>
  access(WAKE, task, TASK_INTERRUPTIBLE | TASK_UNINTERRUPTIBLE);

/** signal_pending(current). */
export function* signalPending(): Op<boolean> {
  return (yield* readOnce(TaskStruct.signalPending(current()))) !== 0;
}
