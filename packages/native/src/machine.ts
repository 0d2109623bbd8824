// SPDX-License-Identifier: MIT
import type { KmemCache, Ptr, Ref, TaskStruct } from '@lockless/cpu/native';
import { installEngine, words as wordsHere } from '@lockless/cpu/native';
import { AsyncTask } from './async-task.js';
import type { DeathReport, LockRepair } from './deaths.js';
import { NativeError } from './errors.js';
import { Heartbeat } from './heartbeat.js';
import { Machine, machineWords, type NativeTask } from './layout.js';
import { Lifelines } from './lifelines.js';
import {
  formatMemory,
  handleOf,
  type MachineHandle,
  type MachineOptions,
  openMemory,
  type ThreadOptions,
} from './memory.js';
import { allCaches, type CacheStatistics } from './slab.js';
import type { Stall } from './stall.js';
import { onWorkerStart, type WatchedWorker } from './surroundings.js';
import { nativeTaskCache } from './task-cache.js';
import { type Device, ThreadEngine } from './thread-engine.js';
import type { ThreadStatus } from './threads.js';
import { waitOnWord } from './wait-async.js';

/**
 * The machine that native builds run on: one memory, shared by all threads, and what this thread needs to take part in it. A thread takes part in one machine
 * at a time.
 *
 * ```ts
 * const machine = NativeMachine.create({ words: 1 << 22 });   // the thread that makes it takes part, as CPU 0
 * bootUrcu(machine.threads);                                   // code of /native builds runs from here on
 * new Worker(file, { workerData: machine.share() });           // there: NativeMachine.attach(workerData)
 * ```
 */
export class NativeMachine {
  readonly words: Int32Array;
  /** Number of this thread: the CPU that it is to kernel-side code. */
  readonly cpu: number;
  /** Threads that may be attached at a time: what code that boots something for all CPUs wants to know. */
  readonly threads: number;
  private readonly engine: ThreadEngine;
  private readonly lifelines: Lifelines;
  private readonly listeners: ((report: DeathReport) => void)[] = [];
  private readonly abandoned: ((cpu: number) => void)[] = [];
  private readonly heartbeat: Heartbeat;
  private readonly stopWatching: () => void;

  private constructor(words: Int32Array, options: ThreadOptions) {
    if (wordsHere.length !== 0)
      throw new NativeError('ERR_ATTACHED', 'this thread takes part in a machine already: detach() it first');
    this.engine = new ThreadEngine(words, options);
    this.words = words;
    this.cpu = this.engine.cpu;
    this.threads = this.engine.slots.limit;
    this.lifelines = new Lifelines(words, this.cpu, (cpu) => this.lineFell(cpu));
    this.heartbeat = new Heartbeat(() => {
      this.engine.slots.beat(this.cpu);
      this.lifelines.look(this.threads);
    });
    this.stopWatching = onWorkerStart((worker) => this.watch(worker));
  }

  /** Makes a machine, with this thread as CPU 0. Boot code of kernel packages comes next, then {@link NativeMachine.share}. */
  static create(options: MachineOptions = {}): NativeMachine {
    return NativeMachine.begin(formatMemory(options), options);
  }

  /**
   * Takes part in a machine that another thread made. Throws NativeError when the handle is none, its memory is not shared, all slots are taken, or this
   * thread has loaded other versions of the kernel packages.
   */
  static attach(handle: MachineHandle, options: ThreadOptions = {}): NativeMachine {
    return NativeMachine.begin(openMemory(handle), options);
  }

  private static begin(words: Int32Array, options: ThreadOptions): NativeMachine {
    const machine = new NativeMachine(words, options);
    try {
      machine.engine.deaths.transient(machine.cpu, true);
      machine.engine.published.agree();
    } catch (error) {
      machine.detach();
      throw error;
    }
    return machine;
  }

  /** What other threads attach to. May be sent to any number of them. */
  share(): MachineHandle {
    this.engine.published.agree();
    return handleOf(this.words);
  }

  /** This thread takes part no longer; its slot is free. Throws NativeError while it holds locks. */
  detach(): void {
    if (wordsHere !== this.words)
      throw new NativeError('ERR_ATTACHED', 'this thread does not take part in this machine');
    const held = this.engine.deaths.leftovers.recorded(this.cpu);
    if (held.length > 0) {
      const names = held.map((entry) => this.engine.names.describeLock(entry)).join(', ');
      throw new NativeError(
        'ERR_ATTACHED',
        `${this.engine.slots.nameOf(this.cpu)} cannot detach while it holds or waits for ${names}`,
      );
    }
    this.engine.deaths.transient(this.cpu, true);
    this.heartbeat.stop();
    this.stopWatching();
    installEngine(null);
    this.engine.slots.free(this.cpu);
    this.lifelines.release();
  }

  /** The threads that take part. */
  allThreads(): readonly ThreadStatus[] {
    return this.engine.slots.all();
  }

  /** What a cache holds, of all caches that this thread knows and that hold something. */
  cacheStatistics(): readonly CacheStatistics[] {
    return allCaches()
      .map(({ id }) => this.engine.slab.statistics(id))
      .filter(({ made }) => made > 0);
  }

  /** The objects of a cache that are in use, by ascending address: for who looks for what the dead have left. Exact while nobody allocates. */
  objectsOf<S>(cache: KmemCache<S>): Generator<Ptr<S>> {
    return this.engine.slab.objects(cache.id) as Generator<number> as Generator<Ptr<S>>;
  }

  /** Words that nobody has had yet. */
  freeWords(): number {
    return this.words.length - Atomics.load(this.words, Machine.top(machineWords));
  }

  /** The name of a word, for messages: `zone.lock`, `address_space@1310720.treeLock`. */
  describe(address: number): string {
    return this.engine.names.describe(address);
  }

  // Waiting.

  /** A task of this thread that waits without blocking it. Throws NativeError when memory is used up. */
  task(): AsyncTask {
    return new AsyncTask(
      {
        asTask: (task, call) => this.engine.self.asTask(task, call),
        sleepAsync: (task) =>
          this.heartbeat.whileAsleep(() =>
            this.engine.tasks.sleepAsync(task as unknown as Ptr<NativeTask>, this.engine.self),
          ),
        retire: (task) => this.engine.tasks.retire(task as unknown as Ptr<NativeTask>),
      },
      this.engine.tasks.make(nativeTaskCache.id) as unknown as Ptr<TaskStruct>,
    );
  }

  /** sleepOnWord() without blocking: resolves when somebody wakes who sleeps on the word, at once if it has another value, or after so many milliseconds. */
  sleepOnWord(word: Ref<number>, value: number, milliseconds: number): Promise<void> {
    return this.heartbeat.whileAsleep(() => waitOnWord(this.words, word, value, milliseconds));
  }

  // Threads that die.

  /** Notices when this worker ends without having detached. Workers that this thread starts are watched by themselves, in Node.js. */
  watch(worker: WatchedWorker): void {
    const { threadId } = worker;
    worker.once('exit', () => {
      if (wordsHere !== this.words) return;
      for (const thread of this.engine.slots.all()) if (thread.threadId === threadId) this.threadDied(thread.cpu);
    });
  }

  /** A browser has taken a thread's lock away. Packages that this thread has not loaded may have something to clear away as well: who has loaded them does. */
  private lineFell(cpu: number): boolean {
    if (!this.engine.published.hasAll()) return false;
    this.threadDied(cpu);
    return true;
  }

  /**
   * Says that a thread is dead: it ended without detaching, and executes no more. What it held is released, or reported; null when that was done before.
   * Throws RangeError for this thread itself.
   */
  threadDied(cpu: number): DeathReport | null {
    if (cpu === this.cpu) throw new RangeError('threadDied() of the thread that calls it');
    return this.engine.deaths.declare(cpu, (report) => {
      for (const listener of this.abandoned) this.engine.self.asCpu(cpu, () => listener(cpu));
      for (const listener of this.listeners) this.engine.self.asCpu(cpu, () => listener(report));
    });
  }

  /** Called for each dead thread that this thread clears away, as its CPU and before anybody gets its slot: to pass on what is per CPU. */
  onThreadDeath(listener: (report: DeathReport) => void): void {
    this.listeners.push(listener);
  }

  /**
   * Called when a thread goes no further in what it was doing, as its CPU: it died, or it is this one, and an error ended it ({@link NativeMachine.run}). For what
   * packages keep of a CPU's doings: `machine.onAbandoned((cpu) => rcuThreadDied(cpu))`.
   */
  onAbandoned(listener: (cpu: number) => void): void {
    this.abandoned.push(listener);
  }

  /**
   * Called when this thread has waited for some seconds for another that shows no sign of going on (an RCU stall, mostly): its name is in it. Without a listener it is
   * a warning of the process. After `silentAfter` it is an error.
   */
  onStall(listener: (stall: Stall) => void): void {
    this.engine.self.onStall.push(listener);
  }

  /** Says how to put in order what locks of that name protect (`<struct>.<field>`, or the name of a static lock) when their holder died. */
  repairLock(name: string, repair: LockRepair): void {
    this.engine.deaths.repair(name, repair);
  }

  /**
   * Runs code, and puts this thread in order if it throws in the middle of kernel-side code: locks that it held are spoilt or repaired as those of a dead
   * thread, it is no RCU reader any more, and may sleep again. The error goes on.
   */
  run<T>(call: () => T): T {
    try {
      return call();
    } catch (error) {
      if (this.engine.self.recover()) for (const listener of this.abandoned) listener(this.cpu);
      throw error;
    }
  }

  /** Gives submitIo() a device. Its number is the same in every thread that adds its devices in the same order. */
  addDevice(device: Device): number {
    return this.engine.addDevice(device);
  }
}
