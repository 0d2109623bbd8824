// SPDX-License-Identifier: MIT
import type { Ref } from '@lockless/cpu/native';
import {
  enterIdle,
  releaseShared,
  sleepUntilShared,
  sleepUntilTaken,
  thisCpu,
  withoutSleepers,
} from '@lockless/cpu/native';
import { NativeError } from './errors.js';
import { Machine, machineWords, SLOT_ALIVE } from './layout.js';
import type { Names } from './names.js';
import type { Threads } from './threads.js';

/** Turns of a loop that waits for another thread before it sleeps: about as long as a short critical section. */
const SPINS = 200;
/** Milliseconds that a thread sleeps on a lock before it looks whether the holder is still there. */
const LOOK_AFTER = 50;
/** Milliseconds of one pause of cpu_relax(). */
const PAUSE = 0.05;
/** In a loop around cpu_relax(): milliseconds between two looks at whom it may wait for, and between two that are of different loops. */
const BETWEEN_LOOKS = 10;
const SAME_LOOP = 200;
/** cpu_relax() without a pause in between. */
const TURNS = 128;

const NOT_IN_VAIN: { readonly lock: number; readonly value: number; readonly since: number } = {
  lock: 0,
  value: 0,
  since: 0,
};

/** How a thread waits for a lock word, or in a loop around cpu_relax(). */
export class LockWaiting {
  private readonly words: Int32Array;
  private readonly threads: Threads;
  private readonly names: Names;
  private readonly canSleep: boolean;
  private readonly silentAfter: number;
  private turns = 0;
  private looked = 0;
  /** Looks whether a loop waits for a thread that is gone; true: another loop than the last time. */
  private readonly watchLoop: (another: boolean) => void;
  /** The lock on which this thread slept last without being woken, its word, and since when. */
  private vain = NOT_IN_VAIN;

  constructor(
    words: Int32Array,
    threads: Threads,
    names: Names,
    canSleep: boolean,
    silentAfter: number,
    watchLoop: (another: boolean) => void,
  ) {
    this.words = words;
    this.threads = threads;
    this.names = names;
    this.canSleep = canSleep;
    this.silentAfter = silentAfter;
    this.watchLoop = watchLoop;
  }

  take(lock: number): void {
    const mine = thisCpu.id + 1;
    for (let turn = 0; turn < SPINS; turn++)
      if (this.words[lock] === 0 && Atomics.compareExchange(this.words, lock, 0, mine) === 0) return;
    this.refuseDeadlock(lock, mine);
    sleepUntilTaken(lock as Ref<number>, mine);
  }

  share(lock: number): void {
    for (let turn = 0; turn < SPINS; turn++) {
      const before = this.words[lock];
      if (before <= 0 && Atomics.compareExchange(this.words, lock, before, before - 1) === before) return;
    }
    this.refuseDeadlock(lock, thisCpu.id + 1);
    sleepUntilShared(lock as Ref<number>);
  }

  unshare(lock: number): number {
    return releaseShared(lock as Ref<number>);
  }

  /** One sleep on a lock word. */
  sleep(lock: number, value: number): void {
    this.threads.beat(thisCpu.id);
    enterIdle();
    if (!this.canSleep || Atomics.wait(this.words, lock, value, LOOK_AFTER) === 'timed-out')
      this.refuseSilent(lock, value);
    else this.vain = NOT_IN_VAIN;
  }

  notify(lock: number, all: boolean): void {
    Atomics.notify(this.words, lock, all ? Number.POSITIVE_INFINITY : 1);
  }

  relax(): void {
    this.turns += 1;
    if (this.turns % TURNS !== 0) return;
    this.threads.beat(thisCpu.id);
    enterIdle();
    const now = Date.now();
    if (now - this.looked >= BETWEEN_LOOKS) {
      this.watchLoop(now - this.looked > SAME_LOOP);
      this.looked = now;
    }
    if (this.canSleep) Atomics.wait(this.words, Machine.idle(machineWords), 0, PAUSE);
  }

  /** A thread that waits for itself would wait for ever. */
  private refuseDeadlock(lock: number, mine: number): void {
    if (withoutSleepers(this.words[lock]) !== mine) return;
    throw new Error(`deadlock: ${this.names.describeLock(lock)} is taken twice by ${this.threads.nameOf(thisCpu.id)}`);
  }

  /** The holder is not known to be dead, or its lock would have been released: but it may be, where nobody watches it. */
  private refuseSilent(lock: number, value: number): void {
    // A thread that is busy gives no sign of life for long, and may be held up in its critical section for a moment: only who holds it all the time is suspect.
    if (this.vain.lock !== lock || this.vain.value !== value) this.vain = { lock, value, since: Date.now() };
    if (Date.now() - this.vain.since < this.silentAfter) return;
    const holder = withoutSleepers(value) - 1;
    if (holder < 0 || this.threads.state(holder) !== SLOT_ALIVE) return;
    const silentFor = this.threads.silentFor(holder);
    this.vain = NOT_IN_VAIN;
    if (silentFor < this.silentAfter) return;
    throw new NativeError('ERR_OWNER_SILENT', this.threads.silence(this.names.describeLock(lock), holder));
  }
}
