// SPDX-License-Identifier: MIT
import type { CpuLocal, NativeEngine, Ptr, TaskStruct as Task } from '@lockless/cpu/native';
import {
  enterIdle,
  HELD_ADDRESS,
  HELD_READ,
  HELD_UNSURE,
  installEngine,
  readUnlockWord,
  spinUnlockWord,
  strikeHeld,
  TASK_RUNNING,
  TaskStruct,
  thisCpu,
} from '@lockless/cpu/native';
import type { Deaths } from './deaths.js';
import { NativeError } from './errors.js';
import { firstTaskOf, NativeTask, slotOf, ThreadSlot } from './layout.js';
import { isSleeping } from './leftovers.js';
import type { Names } from './names.js';
import { reportStall, STALL_AFTER, type Stall } from './stall.js';
import type { Sleeper } from './tasks.js';
import type { Threads } from './threads.js';

/** A depth of locks at which none is recorded any more. */
const UNRECORDED = 1 << 20;

/** Who this thread is to kernel-side code, and how it gets out of it when something goes wrong. */
export class ThisThread implements Sleeper {
  readonly local: CpuLocal;
  private readonly engine: NativeEngine;
  private readonly threads: Threads;
  private readonly deaths: Deaths;
  private readonly names: Names;
  private readonly silentAfter: number;
  /** By thread: what its transient words said, and since when. */
  private readonly unchanged = new Map<number, { readonly said: string; readonly since: number; reported: boolean }>();
  readonly onStall: ((stall: Stall) => void)[] = [];

  constructor(engine: NativeEngine, cpu: number, threads: Threads, deaths: Deaths, names: Names, silentAfter: number) {
    this.engine = engine;
    this.threads = threads;
    this.deaths = deaths;
    this.names = names;
    this.silentAfter = silentAfter;
    this.local = localOf(cpu);
  }

  /** Runs something as another task of this thread. */
  asTask<T>(task: Ptr<Task>, call: () => T): T {
    const before = this.local.current;
    this.local.current = task;
    try {
      return call();
    } finally {
      this.local.current = before;
    }
  }

  /** Runs something as another CPU, which nobody is at the time. It records no locks, and may wait for what waits for this thread. */
  asCpu<T>(cpu: number, call: () => T): T {
    const before = thisCpu;
    enterIdle();
    installEngine(this.engine, { ...localOf(cpu), heldDepth: UNRECORDED });
    try {
      return call();
    } finally {
      enterIdle();
      installEngine(this.engine, before);
    }
  }

  /** Puts this thread in order after an error in the middle of kernel-side code; false: it does not take part any more. */
  recover(): boolean {
    const { local } = this;
    if (thisCpu !== local) return false;
    local.preemptCount = 0;
    local.irqsDisabled = false;
    local.rcuReaders = 0;
    if (local.heldDepth > 0) this.asCpu(local.id, () => this.deaths.clearAway(local.id));
    else this.deaths.transient(local.id, true);
    local.heldDepth = 0;
    return true;
  }

  /** The lock that was just taken is released again, with an error, if its last holder left it spoilt. */
  refuseSpoiltLock(entry: number): void {
    const thread = this.deaths.spoiltBy(entry);
    // Whoever repairs may take any lock.
    if (thread === null || thisCpu !== this.local) return;
    const name = this.names.describeLock(entry);
    if (isSleeping(entry)) this.deaths.leftovers.releaseSleepingLock(entry);
    else if ((entry & HELD_READ) !== 0) readUnlockWord(entry & HELD_ADDRESS);
    else spinUnlockWord(entry & HELD_ADDRESS);
    if (!isSleeping(entry) && this.local.preemptCount > 0) this.local.preemptCount -= 1;
    throw new NativeError(
      'ERR_OWNER_DIED',
      `${thread} died while it held ${name}, and nobody has said how to repair what that protects (repairLock())`,
    );
  }

  /** A wait for a spin lock; if it ends in an error, the lock is not recorded any more. */
  orForget(entry: number, wait: () => void): void {
    try {
      wait();
    } catch (error) {
      strikeHeld(entry);
      if (this.local.preemptCount > 0) this.local.preemptCount -= 1;
      throw error;
    }
  }

  /** The current task gives up waiting. False: too late. */
  stopWaiting(task: Ptr<NativeTask>): boolean {
    const { leftovers } = this.deaths;
    if (leftovers.leaveQueue(task) !== 0) return true;
    const [entry] = leftovers.recorded(this.local.id);
    if (entry === undefined || !isSleeping(entry) || (entry & HELD_UNSURE) === 0) return true;
    if (!leftovers.stopWaiting(entry, task)) return false;
    strikeHeld(entry);
    return true;
  }

  /** Who holds what the task waits for is not known to be dead, or it would have been released; but it may be, where nobody watches it. */
  refuseSilent(task: Ptr<NativeTask>): void {
    const { leftovers } = this.deaths;
    for (const entry of leftovers.recorded(this.local.id)) {
      if (!isSleeping(entry) || (entry & HELD_UNSURE) === 0) continue;
      const holder = this.silentHolder(entry & HELD_ADDRESS);
      if (holder < 0 || !leftovers.waits(entry, task) || !leftovers.stopWaiting(entry, task)) continue;
      strikeHeld(entry);
      Atomics.store(this.engine.words, TaskStruct.state(NativeTask.task(task)), TASK_RUNNING);
      throw new NativeError('ERR_OWNER_SILENT', this.threads.silence(this.names.describeLock(entry), holder));
    }
  }

  /**
   * A loop around cpu_relax() goes on, and may wait for a thread that is gone: one that gives no sign of life, and whose transient words have been the same, and
   * not 0, for long. (One that is only busy gives no sign of life either, but its words change.) It is reported before it is an error. `another`: the loop before was
   * another one.
   */
  watchLoop(another: boolean): void {
    if (another) this.unchanged.clear();
    const now = Date.now();
    const stallAfter = Math.min(STALL_AFTER, this.silentAfter / 4);
    for (const thread of this.threads.all()) {
      const { cpu, silentFor } = thread;
      if (cpu === this.local.id || silentFor < stallAfter) continue;
      const words = this.deaths.transient(cpu, false);
      const names = words.map(({ name }) => name).join(', ');
      const said = words.map(({ name, value }) => `${name}=${value}`).join();
      const before = this.unchanged.get(cpu);
      if (said === '' || before?.said !== said) {
        this.unchanged.set(cpu, { said, since: now, reported: false });
        continue;
      }
      const unchangedFor = now - before.since;
      if (unchangedFor >= stallAfter && !before.reported) {
        before.reported = true;
        reportStall({ thread, words: names, waiter: this.threads.nameOf(this.local.id), unchangedFor }, this.onStall);
      }
      if (unchangedFor >= this.silentAfter && silentFor >= this.silentAfter)
        throw new NativeError('ERR_OWNER_SILENT', this.threads.silence(names, cpu));
    }
  }

  /** A thread that surely holds a mutex or rwsem and gives no sign of life; -1: none. */
  private silentHolder(lock: number): number {
    const holds = (entry: number): boolean =>
      isSleeping(entry) && (entry & HELD_ADDRESS) === lock && (entry & HELD_UNSURE) === 0;
    for (const { cpu, silentFor } of this.threads.all())
      if (silentFor >= this.silentAfter && this.deaths.leftovers.recorded(cpu).some(holds)) return cpu;
    return -1;
  }
}

function localOf(cpu: number): CpuLocal {
  return {
    id: cpu,
    preemptCount: 0,
    irqsDisabled: false,
    rcuReaders: 0,
    current: NativeTask.task(firstTaskOf(cpu)),
    fence: ThreadSlot.fence(slotOf(cpu)),
    held: ThreadSlot.held(slotOf(cpu), 0),
    heldDepth: 0,
  };
}
