// SPDX-License-Identifier: MIT
import type { Heap } from './heap.js';
import type { Ptr } from './word.js';

/**
 * A piece of kernel-side code: a generator whose every `yield*` of a primitive is an access that another CPU can see.
 * Nobody but the engine ever sees what is yielded.
 */
export type Op<T> = Generator<Access<unknown>, T, unknown>;

/**
 * One access to shared state, as the operand of `yield*`.
 *
 * There is a single object of this class per realm: a primitive fills it in and `yield*` asks its iterator at once, so nothing comes
 * between. The engine then either performs the access on the spot (`done: true`, no generator is suspended, whatever the depth) or
 * suspends the whole stack of generators, having copied what it needs. Measured on Node 20 (docs/op-shape.md): 45 to 60 ns an access
 * at any depth when it is performed on the spot, where yielding to a driver costs 99 ns at depth 1 and 590 ns at depth 11.
 */
export class Access<out R> {
  /** Row of the primitive table. */
  code = 0;
  /** Word address, or what the primitive names (cache, task, device). */
  address = 0;
  /** Value to store, operand or mask. */
  operand = 0;
  /** Expected value of a cmpxchg, the forbidden one of add_unless, the bits a `test_and_*` asks about. */
  expected = 0;
  /** Phantom: the type that `yield*` evaluates to. */
  declare readonly result: R;

  [Symbol.iterator](): AccessIterator<R> {
    return this as unknown as AccessIterator<R>;
  }

  next(): IteratorResult<Access<unknown>, unknown> {
    return engine.step(this);
  }
}

export interface AccessIterator<R> extends Iterator<Access<unknown>, R, unknown> {
  [Symbol.iterator](): AccessIterator<R>;
}

/** What the CPU that runs the current code knows by itself: no other CPU sees it, so reading it is no access. */
export interface CpuLocal {
  /** Number of this CPU, from 0. */
  readonly id: number;
  /** As in the kernel: bits 0-7 preempt_disable depth, 8-15 softirq, 16-27 hardirq. */
  preemptCount: number;
  /** True after local_irq_disable(). */
  irqsDisabled: boolean;
  /** Depth of rcu_read_lock() of what runs here, as lockdep counts it. Engines keep it with the task. */
  rcuReaders: number;
  /** The task that runs here (a TaskStruct). */
  current: Ptr<unknown>;
}

/** What executes kernel-side code: the simulator, the checker, or {@link SequentialEngine}. One at a time is installed. */
export interface Engine {
  /** The flat word memory. */
  readonly words: Int32Array;
  /** Where kernel objects and boot memory come from. An engine of straight-line tests may do without. */
  readonly heap?: Heap;
  /** Performs the access (`done: true`, value = its result) or suspends the caller (`done: false`). */
  step(access: Access<unknown>): IteratorResult<Access<unknown>, unknown>;
}

const NO_CPU: CpuLocal = { id: 0, preemptCount: 0, irqsDisabled: false, rcuReaders: 0, current: 0 as Ptr<unknown> };
const NO_ENGINE: Engine = {
  words: new Int32Array(0),
  step() {
    throw new Error('no engine is installed: kernel-side code runs under an engine, for example runSequentially()');
  },
};

/** The engine in charge. */
export let engine: Engine = NO_ENGINE;
/** The flat word memory of the engine in charge. */
export let words: Int32Array = NO_ENGINE.words;
/** The CPU whose code runs now. */
export let thisCpu: CpuLocal = NO_CPU;

/** Puts an engine in charge; returns the one before, so that it can be put back. */
export function installEngine(next: Engine | null): Engine {
  const before = engine;
  engine = next ?? NO_ENGINE;
  words = engine.words;
  if (next === null) thisCpu = NO_CPU;
  return before;
}

/** Tells which CPU's code runs from here on; engines call it whenever they switch. */
export function enterCpu(cpu: CpuLocal): void {
  thisCpu = cpu;
}

const shared = new Access<never>();

/** Fills in the access of this realm. For primitives only; the result must be given to `yield*` at once. */
export function access<R>(code: number, address: number, operand = 0, expected = 0): Access<R> {
  shared.code = code;
  shared.address = address;
  shared.operand = operand;
  shared.expected = expected;
  return shared as Access<R>;
}
