// SPDX-License-Identifier: MIT
import type { Ptr, TaskStruct as Task } from '@lockless/cpu/native';
import { TASK_RUNNING, TaskStruct, thisCpu } from '@lockless/cpu/native';
import { NativeError } from './errors.js';
import { NativeTask, slotOf, ThreadSlot } from './layout.js';
import type { Slab } from './slab.js';
import type { Threads } from './threads.js';

/** Milliseconds that a thread sleeps before it gives a sign of life. */
const BEAT = 250;

type WaitAsync = (
  words: Int32Array,
  index: number,
  value: number,
  timeout: number,
) => { readonly async: boolean; readonly value: unknown };

/** Sleeping and waking: what schedule() and wake_up_process() are on threads. */
export class Tasks {
  private readonly words: Int32Array;
  private readonly threads: Threads;
  private readonly slab: Slab;
  private readonly idle: Ptr<NativeTask>[] = [];
  /** Whether this thread may be blocked. */
  mayBlock: boolean;

  constructor(words: Int32Array, threads: Threads, slab: Slab, mayBlock: boolean) {
    this.words = words;
    this.threads = threads;
    this.slab = slab;
    this.mayBlock = mayBlock;
  }

  /** schedule(): sleeps while the state of the current task is not TASK_RUNNING. */
  sleep(stopWaiting: (task: Ptr<NativeTask>) => boolean): void {
    const state = TaskStruct.state(thisCpu.current as Ptr<Task>);
    // The barrier that schedule() is.
    Atomics.add(this.words, thisCpu.fence, 0);
    for (;;) {
      const value = Atomics.load(this.words, state);
      if (value === TASK_RUNNING) return;
      if (!this.mayBlock) return this.refuse(stopWaiting);
      this.threads.beat(thisCpu.id);
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
  async sleepAsync(task: Ptr<Task>): Promise<void> {
    const state = TaskStruct.state(task);
    const { waitAsync } = Atomics as unknown as { readonly waitAsync?: WaitAsync };
    for (;;) {
      const value = Atomics.load(this.words, state);
      if (value === TASK_RUNNING) return;
      if (waitAsync === undefined) await new Promise((resolve) => setTimeout(resolve, 1));
      else await waitAsync(this.words, state, value, BEAT).value;
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

  /** `stopWaiting` takes the task off what it waits for; false: too late, it was granted. */
  private refuse(stopWaiting: (task: Ptr<NativeTask>) => boolean): void {
    const task = thisCpu.current as unknown as Ptr<NativeTask>;
    if (!stopWaiting(task)) return;
    Atomics.store(this.words, TaskStruct.state(NativeTask.task(task)), TASK_RUNNING);
    throw new NativeError(
      'ERR_MUST_NOT_BLOCK',
      `${this.threads.nameOf(thisCpu.id)} would sleep here, and serves events, so it must not be blocked: use an async form, or attach with { mayBlock: true }`,
    );
  }
}
