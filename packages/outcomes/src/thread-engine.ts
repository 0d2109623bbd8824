// SPDX-License-Identifier: GPL-2.0-only
import type { CpuLocal, NativeEngine } from '@lockless/cpu/native';
import { HELD_LOCKS, installEngine, STATIC_WORDS } from '@lockless/cpu/native';
import { THREADS } from './rendezvous.js';

const LINE = 16;
const HELD = Math.ceil(HELD_LOCKS / LINE) * LINE;
/** Words of each thread: for barriers, and for the locks that it holds. */
const OWN = LINE + HELD;

/** Behind the data of the packages and what belongs to threads: words that nobody uses yet. */
export const FREE_WORDS: number = STATIC_WORDS + THREADS * OWN;

const none = (what: string) => (): never => {
  throw new Error(`litmus tests have no ${what}`);
};

/** Puts this realm on a CPU of a machine that is nothing but memory: litmus tests need no more. */
export function installThreadEngine(buffer: SharedArrayBuffer, thread: number): Int32Array {
  const words = new Int32Array(buffer);
  const own = STATIC_WORDS + thread * OWN;
  const cpu: CpuLocal = {
    id: thread,
    preemptCount: 0,
    irqsDisabled: false,
    rcuReaders: 0,
    current: 0 as CpuLocal['current'],
    fence: own,
    held: own + LINE,
    heldDepth: 0,
  };
  const idle = new Int32Array(new SharedArrayBuffer(4));
  let turns = 0;
  const engine: NativeEngine = {
    words,
    quietRcu: false,
    exitIdle: none('event loop'),
    // Now and then the processor is left to whoever is waited for.
    relax: () => void (++turns % 512 === 0 && Atomics.wait(idle, 0, 0, 0.05)),
    allocate: none('heap'),
    release: none('heap'),
    reserve: none('heap'),
    schedule: none('tasks'),
    wake: none('tasks'),
    takeSlowly: none('locks that sleep'),
    shareSlowly: none('locks that sleep'),
    unshare: none('locks that sleep'),
    sleepOnLock: none('locks that sleep'),
    notifyLock: none('locks that sleep'),
    refuseSpoiltLock: none('dead threads'),
    submitIo: none('devices'),
  };
  installEngine(engine, cpu);
  return words;
}
