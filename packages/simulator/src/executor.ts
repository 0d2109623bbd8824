// SPDX-License-Identifier: MIT
import type { Access, Engine, Heap, Ptr } from '@lockless/cpu';
import { access as accessOf, CACHE_LINE_WORDS, enterCpu, GFP_NOFAIL, KernelBug, kmemCacheOf } from '@lockless/cpu';
import * as C from './codes.js';
import type { History } from './history.js';
import type { Locks } from './locks.js';
import type { Memory } from './memory/memory.js';
import type { Processor } from './processor.js';
import { readModifyWrite } from './read-modify-write.js';
import type { Statistics } from './statistics.js';
import type { Context } from './task.js';

/** Why the running context gave control back to the machine. */
const STOPPED_BOUNDARY = 0;
export const STOPPED_SPIN = 1;
export const STOPPED_SCHEDULE = 2;

type Step = IteratorResult<Access<unknown>, unknown>;

/** What an access can ask of the machine around it. */
export interface Surroundings {
  /** wake_up_process(): true if the task slept. */
  wake(task: Ptr<unknown>, mask: number): boolean;
  submit(device: number, request: Ptr<unknown>): void;
  failsAllocation(): boolean;
  /** One of 0 .. alternatives - 1. */
  choose(alternatives: number): number;
  /** Called when a probe reaches the access at which a context is suspended. */
  probed(): void;
}

export interface ExecutorParts {
  readonly heap: Heap;
  readonly memory: Memory;
  readonly cpu: Processor;
  readonly cost: Uint16Array;
  readonly weight: Uint8Array;
  readonly surroundings: Surroundings;
  readonly locks: Locks;
  readonly statistics: Statistics;
  readonly history: History | null;
}

/**
 * Executes the accesses of the CPU whose turn it is: on the spot while its budget lasts, and otherwise by suspending the generators
 * with the access pending. Nothing is allocated on the way; `done` and `suspended` are the only results there are.
 */
export class Executor implements Engine {
  readonly words: Int32Array;
  readonly heap: Heap;
  readonly memory: Memory;
  private readonly cost: Uint16Array;
  private readonly weight: Uint8Array;
  private readonly surroundings: Surroundings;
  private readonly locks: Locks;
  private readonly statistics: Statistics;
  private readonly counts: Float64Array;
  private readonly done: { done: true; value: unknown } = { done: true, value: undefined };
  private readonly suspended: { done: false; value: Access<unknown> };

  /** CPU whose code runs, and its context. */
  cpu: Processor;
  private context: Context | null = null;
  /** What is left of the run; negative: stop at the next access. */
  private budget = 0;
  /** The CPU has something to attend to as soon as it may. */
  watch = false;
  private probing = false;
  stopped: number = STOPPED_BOUNDARY;
  /** Accesses and virtual ns of this run. */
  steps = 0;
  elapsed = 0;
  /** Clock of the CPU that comes next, for executors that keep to the order of time. */
  horizon: number = Number.POSITIVE_INFINITY;
  hash = 0x2f0b4c47;
  private readonly history: History | null;

  constructor(parts: ExecutorParts) {
    this.heap = parts.heap;
    this.words = parts.heap.words;
    this.memory = parts.memory;
    this.cpu = parts.cpu;
    this.cost = parts.cost;
    this.weight = parts.weight;
    this.surroundings = parts.surroundings;
    this.locks = parts.locks;
    this.statistics = parts.statistics;
    this.counts = parts.statistics.counts;
    this.history = parts.history;
    this.suspended = { done: false, value: accessOf(0, 0) };
  }

  /** From here on accesses are those of this CPU. */
  enter(cpu: Processor): void {
    this.cpu = cpu;
    this.memory.enter(cpu.id);
    enterCpu(cpu);
  }

  /** Runs a context of the current CPU until something stops it; true when it came to its end. */
  resume(context: Context, budget: number): boolean {
    this.context = context;
    this.budget = budget;
    this.watch = this.cpu.attention;
    this.stopped = STOPPED_BOUNDARY;
    this.steps = 0;
    this.elapsed = 0;
    this.restorePending(context);
    return context.op.next().done === true;
  }

  /** Lets a suspended context show its stack, and suspends it again where it was. */
  probe(context: Context): void {
    this.probing = true;
    this.budget = -1;
    try {
      context.op.next();
    } finally {
      this.probing = false;
    }
  }

  /** The running context stops at its next access. */
  stop(): void {
    this.budget = 0;
  }

  private restorePending(context: Context): void {
    if (!context.started) context.started = true;
    else accessOf(context.code, context.address, context.operand, context.expected);
  }

  step(access: Access<unknown>): Step {
    const code = access.code;
    this.budget -= this.weight[code];
    if ((this.budget < 0 || this.watch) && this.mustStop()) return this.suspend(access, STOPPED_BOUNDARY);
    this.steps++;
    this.elapsed += this.cost[code];
    this.counts[code]++;
    const address = access.address;
    const done = this.done;
    let value = 0;
    switch (C.EVENT[code]) {
      case C.EVENT_R:
        this.heap.check(address);
        done.value = value = this.memory.load(address, C.ORDER[code]);
        break;
      case C.EVENT_W:
        this.heap.check(address);
        this.memory.store(address, (value = access.operand), C.ORDER[code]);
        done.value = undefined;
        break;
      case C.EVENT_RMW:
        this.heap.check(address);
        done.value = readModifyWrite(this.memory, code, address, access.operand, access.expected);
        value = this.words[address];
        break;
      case C.EVENT_F:
        this.memory.fence(C.ORDER[code]);
        done.value = undefined;
        break;
      default: {
        const stop = this.machineEvent(access);
        if (stop >= 0) return this.suspend(access, stop);
        value = done.value === undefined ? 0 : Number(done.value);
      }
    }
    this.hash = (Math.imul(this.hash ^ address ^ (code << 24) ^ (this.cpu.id << 18), 0x9e3779b1) + value) | 0;
    if (this.history !== null) this.history.record(this.cpu.id, code, address, value);
    return done;
  }

  private mustStop(): boolean {
    if (this.probing) {
      this.surroundings.probed();
      return true;
    }
    if (this.budget < 0) return true;
    const cpu = this.cpu;
    return cpu.canTakeInterrupt || cpu.canPreempt || cpu.canRunSoftirq;
  }

  private suspend(access: Access<unknown>, why: number): Step {
    if (this.probing) return this.suspended;
    const context = this.context as Context;
    context.code = access.code;
    context.address = access.address;
    context.operand = access.operand;
    context.expected = access.expected;
    this.stopped = why;
    return this.suspended;
  }

  /** Events other than plain memory accesses. Returns why the context must stop, or -1 with the result in `done`. */
  private machineEvent(access: Access<unknown>): number {
    const { code, address, operand } = access;
    const cpu = this.cpu;
    this.done.value = undefined;
    switch (C.EVENT[code]) {
      case C.EVENT_LK:
        this.heap.check(address);
        return this.locks.lock(cpu, code, address) ? -1 : STOPPED_SPIN;
      case C.EVENT_LF:
        this.heap.check(address);
        this.done.value = this.locks.trylock(cpu, address);
        return -1;
      case C.EVENT_RLK:
        this.heap.check(address);
        return this.locks.readLock(cpu, code, address) ? -1 : STOPPED_SPIN;
      case C.EVENT_UL:
        this.heap.check(address);
        this.locks.unlock(cpu, code, address);
        return -1;
      case C.EVENT_RUL:
        this.heap.check(address);
        this.locks.readUnlock(cpu, code, address);
        return -1;
      case C.EVENT_RCU_LOCK:
        cpu.preemptCount++;
        return -1;
      case C.EVENT_RCU_UNLOCK:
        if ((cpu.preemptCount & 0xff) === 0)
          throw new KernelBug('rcu-imbalance', 'rcu_read_unlock() without rcu_read_lock()');
        cpu.preemptCount--;
        return -1;
      case C.EVENT_ALLOC:
        this.done.value = this.allocate(address, operand);
        return -1;
      case C.EVENT_FREE:
        this.free(address, operand);
        return -1;
      case C.EVENT_RELAX:
        cpu.relaxed = true;
        this.budget = 0;
        return -1;
      case C.EVENT_SCHEDULE:
        return this.schedule(access);
      case C.EVENT_WAKE:
        this.heap.check(address);
        this.memory.full();
        this.done.value = this.surroundings.wake(address as Ptr<unknown>, operand);
        return -1;
      case C.EVENT_IO:
        this.memory.full();
        this.surroundings.submit(operand, address as Ptr<unknown>);
        return -1;
      case C.EVENT_CHOOSE:
        this.done.value = this.surroundings.choose(operand);
        return -1;
      default:
        throw new KernelBug('no-grace-periods', 'grace periods as events: this machine runs the classic RCU');
    }
  }

  private schedule(access: Access<unknown>): number {
    const cpu = this.cpu;
    if (cpu.preemptCount !== 0 || cpu.top?.kind !== 'task')
      throw new KernelBug('scheduling-while-atomic', `schedule() with preempt_count ${cpu.preemptCount.toString(16)}`);
    this.memory.full();
    access.code = C.NOTHING;
    return STOPPED_SCHEDULE;
  }

  private allocate(cache: number, gfp: number): number {
    if ((gfp & GFP_NOFAIL) === 0 && this.surroundings.failsAllocation()) return 0;
    const base = this.heap.allocate(cache);
    this.statistics.highWater = Math.max(this.statistics.highWater, this.heap.end);
    if (base !== 0 && !kmemCacheOf(cache).typesafeByRcu)
      this.memory.forget(base, roundUp(kmemCacheOf(cache).type.$size));
    this.memory.fence(C.ORDER_ACQUIRE);
    return base;
  }

  private free(base: number, cache: number): void {
    this.memory.drain(this.cpu.id);
    const { type, typesafeByRcu } = kmemCacheOf(cache);
    const other = typesafeByRcu ? -1 : this.memory.bufferedElsewhere(base, type.$size);
    if (other >= 0)
      throw new KernelBug(
        'use-after-free',
        `${this.heap.describe(base)} is freed while a store of CPU ${other} to it is still on its way`,
      );
    this.heap.release(base, cache);
  }
}

const roundUp = (size: number): number => Math.ceil(size / CACHE_LINE_WORDS) * CACHE_LINE_WORDS;
