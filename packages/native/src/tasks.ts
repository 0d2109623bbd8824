// SPDX-License-Identifier: MIT
import type { Ptr, TaskStruct as Task } from '@lockless/cpu/native';
import { enterIdle, TASK_RUNNING, TaskStruct, thisCpu } from '@lockless/cpu/native';
import { NativeError } from './errors.js';
import { NativeTask, slotOf, ThreadSlot } from './layout.js';
import type { Slab } from './slab.js';
import type { Threads } from './threads.js';
import { waitOnWord } from './wait-async.js';

/** Milliseconds that a thread sleeps before it gives a sign of life. */
const BEAT = 250;

/** How a thread looks after a task of its own that sleeps. */
export interface Sleeper {
  /** Takes the task off what it waits for; false: too late, it was granted. */
  stopWaiting(task: Ptr<NativeTask>): boolean;
  /** The task has slept for long without being woken: throws when it waits for somebody who seems to be gone. */
  refuseSilent(task: Ptr<NativeTask>): void;
}

/** Sleeping and waking: what schedule() and wake_up_process() are on threads. */
export class Tasks {
  private readonly words: Int32Array;
  private readonly threads: Threads;
  private readonly slab: Slab;
  private readonly idle: Ptr<NativeTask>[] = [];
  /** Whether this thread may be blocked. */
  mayBlock: boolean;
  private readonly silentAfter: number;

  constructor(words: Int32Array, threads: Threads, slab: Slab, mayBlock: boolean, silentAfter: number) {
    this.words = words;
    this.threads = threads;
    this.slab = slab;
    this.mayBlock = mayBlock;
    this.silentAfter = silentAfter;
  }

  /** schedule(): sleeps while the state of the current task is not TASK_RUNNING. */
  sleep(sleeper: Sleeper): void {
    const task = thisCpu.current as unknown as Ptr<NativeTask>;
    const state = TaskStruct.state(NativeTask.task(task));
    // The barrier that schedule() is.
    Atomics.add(this.words, thisCpu.fence, 0);
    for (let slept = 0; ; slept += BEAT) {
      const value = Atomics.load(this.words, state);
      if (value === TASK_RUNNING) return;
      if (!this.mayBlock) return this.refuse(sleeper, task);
      this.threads.beat(thisCpu.id);
      if (slept >= this.silentAfter) sleeper.refuseSilent(task);
      enterIdle();
      Atomics.wait(this.words, state, value, BEAT);
    }
  }

  /** wake_up_process(). */
  wake(task: Ptr<Task>, mask: number): boolean {
    const state = TaskStruct.state(task);
    // What was stored before comes before the look at the state; pairs with the barrier of set_current_state().
    Atomics.add(this.words, thisCpu.fence, 0);
    for (;;) {
      const value = Atomics.load(this.words, state);
      if ((value & mask) === 0) return false;
      if (Atomics.compareExchange(this.words, state, value, TASK_RUNNING) !== value) continue;
      Atomics.notify(this.words, state);
      return true;
    }
  }

  /** Resolves when the state of that task, of this thread, is TASK_RUNNING. */
  async sleepAsync(task: Ptr<NativeTask>, sleeper: Sleeper): Promise<void> {
    const state = TaskStruct.state(NativeTask.task(task));
    const begin = Date.now();
    for (;;) {
      const value = Atomics.load(this.words, state);
      if (value === TASK_RUNNING) return;
      if (Date.now() - begin >= this.silentAfter) sleeper.refuseSilent(task);
      await waitOnWord(this.words, state, value, BEAT);
    }
  }

  /** A task of this thread beside the one that it began with. Throws NativeError when memory is used up. */
  make(cache: number): Ptr<NativeTask> {
    const old = this.idle.pop();
    if (old !== undefined) return old;
    const task = this.slab.allocate(cache) as Ptr<NativeTask>;
    if (task === 0) throw new NativeError('ERR_OUT_OF_MEMORY', 'no memory for a task');
    this.threads.resetTask(thisCpu.id, task);
    const first = this.words[ThreadSlot.task(slotOf(thisCpu.id))] as Ptr<NativeTask>;
    // Complete before it is reached from the slot, as who finds the thread dead goes along there.
    this.words[NativeTask.next(task)] = this.words[NativeTask.next(first)];
    Atomics.store(this.words, NativeTask.next(first), task);
    return task;
  }

  /** Its work is done: it may be used again. */
  retire(task: Ptr<NativeTask>): void {
    this.threads.resetTask(thisCpu.id, task);
    this.idle.push(task);
  }

  /** A thread that had the slot before left tasks with it. */
  inherit(): void {
    const first = this.words[ThreadSlot.task(slotOf(thisCpu.id))] as Ptr<NativeTask>;
    let task = this.words[NativeTask.next(first)] as Ptr<NativeTask>;
    for (; task !== 0; task = this.words[NativeTask.next(task)] as Ptr<NativeTask>) this.idle.push(task);
  }

  /** All tasks of a thread. */
  *of(cpu: number): Generator<Ptr<NativeTask>> {
    const first = this.words[ThreadSlot.task(slotOf(cpu))] as Ptr<NativeTask>;
    for (let task = first; task !== 0; task = this.words[NativeTask.next(task)] as Ptr<NativeTask>) yield task;
  }

  private refuse(sleeper: Sleeper, task: Ptr<NativeTask>): void {
    if (!sleeper.stopWaiting(task)) return;
    Atomics.store(this.words, TaskStruct.state(NativeTask.task(task)), TASK_RUNNING);
    throw new NativeError(
      'ERR_MUST_NOT_BLOCK',
      `${this.threads.nameOf(thisCpu.id)} would sleep here, and serves events, so it must not be blocked: use an async form, or attach with { mayBlock: true }`,
    );
  }
}
