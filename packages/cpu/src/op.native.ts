// SPDX-License-Identifier: MIT
import type { Ptr } from './word.js';

/** Kernel-side code of the native build: what was a generator is a function, and gives its result at once. */
export type Op<T> = T;
/** One access to shared state, in the native build: its result. */
export type Access<R> = R;

/** What a thread knows by itself, and where its own words are. One object a thread, of the same fields as the CPU of the other engines. */
export interface CpuLocal {
  /** Number of this CPU, from 0: the thread's slot. */
  readonly id: number;
  /** As in the kernel: preempt_disable depth, softirq, hardirq. Nothing preempts a thread here; it tells what may not sleep. */
  preemptCount: number;
  /** Nothing interrupts a thread, so this orders nothing; mightSleep() looks at it. */
  irqsDisabled: boolean;
  /** Depth of rcu_read_lock(), as lockdep counts it. */
  rcuReaders: number;
  /** The task that runs here (a TaskStruct). */
  current: Ptr<unknown>;
  /** A word of this thread alone, for barriers. */
  readonly fence: number;
  /** Where this thread records the locks it takes, for who finds it dead; see held-locks.native.ts. */
  readonly held: number;
  /** How many are recorded there. */
  heldDepth: number;
}

/**
 * What executes native code beyond single memory accesses: memory, waiting, devices. The machine of `@lockless/native` is one. There is one in a
 * realm, so calls of its methods are direct.
 */
export interface NativeEngine {
  /** The shared word memory, over a SharedArrayBuffer. */
  readonly words: Int32Array;
  /** CONFIG_QUIET_RCU of the machine. */
  readonly quietRcu: boolean;
  /** kmem_cache_alloc(): an object of the cache with that id, zeroed unless the cache is type-stable, or 0 when memory is used up. */
  allocate(cache: number): number;
  /** kmem_cache_free(). Throws KernelBug when the object is free already, or none of that cache. */
  release(cache: number, object: number): void;
  /** Boot memory: zeroed words that are never freed. Throws RangeError when they are used up. */
  reserve(words: number): number;
  /** schedule(): returns when the state of the current task is TASK_RUNNING. */
  schedule(): void;
  /** wake_up_process(): makes a task runnable that sleeps in one of the states of the mask; whether it did. */
  wake(task: number, mask: number): boolean;
  /** exit_idle(): this thread has begun something that enterIdle() ends. The engine calls that when the thread has nothing more to do, or goes to sleep. */
  exitIdle(): void;
  /** cpu_relax(): one turn of a loop that waits for another thread. */
  relax(): void;
  /** Takes a spin lock, or an rwlock for writing, whose first compareExchange failed: spins for a while, then sleepUntilTaken(). */
  takeSlowly(lock: number): void;
  /** The same of an rwlock for reading: sleepUntilShared(). */
  shareSlowly(lock: number): void;
  /** releaseShared() of an rwlock. */
  unshare(lock: number): number;
  /** Sleeps on a lock word while it has that value, for a limited time. Throws when who holds the lock is surely or probably gone. */
  sleepOnLock(lock: number, value: number): void;
  /** Wakes threads that sleep until this lock word changes: one, or all. */
  notifyLock(lock: number, all: boolean): void;
  /** A lock (held-entry.ts) was taken while some are spoilt by a death: throws, with the lock released, if this is one. */
  refuseSpoiltLock(entry: number): void;
  /** submit_io(). Full barrier. */
  submitIo(request: number, device: number): void;
}

const NO_CPU: CpuLocal = {
  id: 0,
  preemptCount: 0,
  irqsDisabled: false,
  rcuReaders: 0,
  current: 0 as Ptr<unknown>,
  fence: 0,
  held: 0,
  heldDepth: 0,
};

const missing = (): never => {
  throw new Error(
    'this thread has no machine: call NativeMachine.create() or NativeMachine.attach() of @lockless/native before code of a /native build',
  );
};
const NO_ENGINE: NativeEngine = {
  words: new Int32Array(0),
  quietRcu: false,
  allocate: missing,
  release: missing,
  reserve: missing,
  schedule: missing,
  wake: missing,
  exitIdle: missing,
  relax: missing,
  takeSlowly: missing,
  shareSlowly: missing,
  unshare: missing,
  sleepOnLock: missing,
  notifyLock: missing,
  refuseSpoiltLock: missing,
  submitIo: missing,
};

/** What a realm is attached to. */
interface Attachment {
  engine: NativeEngine;
  words: Int32Array;
  quietRcu: boolean;
  thisCpu: CpuLocal;
}

/**
 * What this realm is attached to, for the primitives. A property that is set once is a constant to V8, as long as it is not set again; so it is only inherited
 * until the first {@link installEngine}, and in a realm that is attached once the memory is a constant of the compiled code.
 */
export const attached: Attachment = Object.create({
  engine: NO_ENGINE,
  words: NO_ENGINE.words,
  quietRcu: NO_ENGINE.quietRcu,
  thisCpu: NO_CPU,
});

/** The machine that this thread is attached to. */
export let engine: NativeEngine = NO_ENGINE;
/** Its word memory. */
export let words: Int32Array = NO_ENGINE.words;
/** This thread. */
export let thisCpu: CpuLocal = NO_CPU;

/** Attaches this realm to a machine, as that CPU; null detaches it. Returns the machine before. For engines. */
export function installEngine(next: NativeEngine | null, cpu: CpuLocal | null = null): NativeEngine {
  const before = engine;
  const { words: memory, quietRcu } = next ?? NO_ENGINE;
  const attachment: Attachment = { engine: next ?? NO_ENGINE, words: memory, quietRcu, thisCpu: cpu ?? NO_CPU };
  Object.assign(attached, attachment);
  engine = attachment.engine;
  words = attachment.words;
  thisCpu = attachment.thisCpu;
  return before;
}
