// SPDX-License-Identifier: MIT
import type { Access, Engine, Heap, Ptr } from '@lockless/cpu';
import { access as accessOf, CACHE_LINE_WORDS, enterCpu, GFP_NOFAIL, KernelBug, kmemCacheOf, PRIMITIVES } from '@lockless/cpu';
import * as C from './codes.js';
import type { Lockdep } from './lockdep.js';
import type { Memory } from './memory/memory.js';
import type { Processor } from './processor.js';
import type { Statistics } from './statistics.js';
import type { Context } from './task.js';

/** Why the running context gave control back to the machine. */
export const STOPPED_BOUNDARY = 0;
export const STOPPED_SPIN = 1;
export const STOPPED_SCHEDULE = 2;

type Step = IteratorResult<Access<unknown>, unknown>;

/** What an access can ask of the machine around it. */
export interface Surroundings {
  /** wake_up_process(): true if the task slept. */
  wake(task: Ptr<unknown>, mask: number): boolean;
  submit(device: number, request: Ptr<unknown>): void;
  failsAllocation(): boolean;
  /** Called when a probe reaches the access at which a context is suspended. */
  probed(): void;
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
  private readonly lockdep: Lockdep;
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
  hash = 0x2f0b4c47;
  /** Ring of the last accesses per CPU (code, address, value), or null. */
  private readonly history: Int32Array | null;
  private readonly historySize: number;
  private readonly historyAt: Uint32Array;

  constructor(parts: {
    heap: Heap;
    memory: Memory;
    cpu: Processor;
    cost: Uint16Array;
    weight: Uint8Array;
    surroundings: Surroundings;
    lockdep: Lockdep;
    statistics: Statistics;
    cpus: number;
    history: number;
  }) {
    this.heap = parts.heap;
    this.words = parts.heap.words;
    this.memory = parts.memory;
    this.cpu = parts.cpu;
    this.cost = parts.cost;
    this.weight = parts.weight;
    this.surroundings = parts.surroundings;
    this.lockdep = parts.lockdep;
    this.statistics = parts.statistics;
    this.counts = parts.statistics.counts;
    this.history = parts.history > 0 ? new Int32Array(parts.cpus * parts.history * 3) : null;
    this.historySize = parts.history;
    this.historyAt = new Uint32Array(parts.cpus);
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
        done.value = this.readModifyWrite(code, address, access.operand, access.expected);
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
    if (this.history !== null) this.remember(code, address, value);
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

  private readModifyWrite(code: number, address: number, operand: number, expected: number): unknown {
    const memory = this.memory;
    const old = memory.latest(address);
    let stored = operand;
    let success = true;
    switch (C.OPERATION[code]) {
      case C.OPERATION_ADD:
        stored = (old + operand) | 0;
        break;
      case C.OPERATION_AND:
        stored = old & operand;
        break;
      case C.OPERATION_OR:
        stored = old | operand;
        break;
      case C.OPERATION_XOR:
        stored = old ^ operand;
        break;
      case C.OPERATION_CMPXCHG:
        success = old === expected;
        break;
      case C.OPERATION_ADD_UNLESS:
        success = old !== expected;
        stored = (old + operand) | 0;
        break;
    }
    if (success) memory.modify(address, stored, C.ORDER[code]);
    else memory.failed(address);
    switch (C.RESULT[code]) {
      case C.RESULT_OLD:
        return old;
      case C.RESULT_NEW:
        return stored;
      case C.RESULT_ZERO:
        return stored === 0;
      case C.RESULT_NEGATIVE:
        return stored < 0;
      case C.RESULT_BITS:
        return (old & expected) !== 0;
      case C.RESULT_SUCCESS:
        return success;
      default:
        return undefined;
    }
  }

  /** Events other than plain memory accesses. Returns why the context must stop, or -1 with the result in `done`. */
  private machineEvent(access: Access<unknown>): number {
    const { code, address, operand } = access;
    const cpu = this.cpu;
    this.done.value = undefined;
    switch (C.EVENT[code]) {
      case C.EVENT_LK:
        return this.lock(code, address, false);
      case C.EVENT_LF:
        this.lock(code, address, true);
        return -1;
      case C.EVENT_RLK:
        return this.readLock(code, address);
      case C.EVENT_UL:
        this.unlock(code, address);
        return -1;
      case C.EVENT_RUL:
        this.readUnlock(code, address);
        return -1;
      case C.EVENT_RCU_LOCK:
        cpu.preemptCount++;
        return -1;
      case C.EVENT_RCU_UNLOCK:
        if ((cpu.preemptCount & 0xff) === 0) throw new KernelBug('rcu-imbalance', 'rcu_read_unlock() without rcu_read_lock()');
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
      default:
        this.memory.full();
        this.surroundings.submit(operand, address as Ptr<unknown>);
        return -1;
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

  private lock(code: number, address: number, tryOnly: boolean): number {
    this.heap.check(address);
    const holder = this.memory.latest(address);
    if (holder !== 0) {
      if (!tryOnly) return this.contended(code, address, holder);
      this.memory.failed(address);
      this.done.value = false;
      return -1;
    }
    if (tryOnly) this.done.value = true;
    this.lockdep.acquire(this.cpu, address, tryOnly, false);
    this.take(address, this.cpu.id + 1);
    return -1;
  }

  /** After an acquisition the CPU sees all that was there at that time: locks order more than acquire loads do (LKMM: po-unlock-lock-po). */
  private take(address: number, value: number): void {
    this.memory.modify(address, value, C.ORDER_ACQUIRE);
    this.memory.fence(C.ORDER_ACQUIRE);
    this.cpu.held.push(address);
    this.cpu.heldIn.push(this.cpu.top);
  }

  private readLock(code: number, address: number): number {
    this.heap.check(address);
    const holder = this.memory.latest(address);
    if (holder > 0) return this.contended(code, address, holder);
    this.lockdep.acquire(this.cpu, address, false, true);
    this.take(address, holder - 1);
    return -1;
  }

  /** Somebody has the lock. If that is this very CPU, it will never be free. */
  private contended(code: number, address: number, holder: number): number {
    const { name } = PRIMITIVES[code];
    const at = this.cpu.held.lastIndexOf(address);
    if (holder === this.cpu.id + 1 || (at >= 0 && holder < 0)) {
      const lock = this.heap.describe(address);
      throw new KernelBug('self-deadlock', at >= 0 && this.cpu.heldIn[at] !== this.cpu.top
        ? `interrupt took ${lock} held by the code it interrupted`
        : `${name}(${lock}) by the CPU that holds it`);
    }
    this.statistics.contended++;
    this.cpu.spinsOn = address;
    return STOPPED_SPIN;
  }

  private unlock(code: number, address: number): void {
    this.heap.check(address);
    this.release(code, address);
    this.memory.store(address, 0, C.ORDER_RELEASE);
  }

  private readUnlock(code: number, address: number): void {
    this.heap.check(address);
    this.release(code, address);
    this.memory.modify(address, this.memory.latest(address) + 1, C.ORDER_RELEASE);
  }

  private release(code: number, address: number): void {
    const { held, heldIn } = this.cpu;
    const at = held.lastIndexOf(address);
    if (at < 0)
      throw new KernelBug('unlock-not-held', `${PRIMITIVES[code].name}(${this.heap.describe(address)}) by a CPU that does not hold it`);
    held.splice(at, 1);
    heldIn.splice(at, 1);
  }

  private allocate(cache: number, gfp: number): number {
    if ((gfp & GFP_NOFAIL) === 0 && this.surroundings.failsAllocation()) return 0;
    const base = this.heap.allocate(cache);
    this.statistics.highWater = Math.max(this.statistics.highWater, this.heap.end);
    if (base !== 0 && !kmemCacheOf(cache).typesafeByRcu) this.memory.forget(base, roundUp(kmemCacheOf(cache).type.$size));
    this.memory.fence(C.ORDER_ACQUIRE);
    return base;
  }

  private free(base: number, cache: number): void {
    this.memory.drain(this.cpu.id);
    const { type, typesafeByRcu } = kmemCacheOf(cache);
    const other = typesafeByRcu ? -1 : this.memory.bufferedElsewhere(base, type.$size);
    if (other >= 0)
      throw new KernelBug('use-after-free', `${this.heap.describe(base)} is freed while a store of CPU ${other} to it is still on its way`);
    this.heap.release(base, cache);
  }

  private remember(code: number, address: number, value: number): void {
    const cpu = this.cpu.id;
    const at = (cpu * this.historySize + (this.historyAt[cpu]++ % this.historySize)) * 3;
    const history = this.history as Int32Array;
    history[at] = code;
    history[at + 1] = address;
    history[at + 2] = value;
  }

  /** The last accesses of a CPU, oldest first, as far as they are kept. */
  lastAccesses(cpu: number): { name: string; address: number; value: number }[] {
    if (this.history === null) return [];
    const size = this.historySize;
    const end = this.historyAt[cpu];
    return Array.from({ length: Math.min(end, size) }, (_, i) => {
      const at = (cpu * size + ((end - Math.min(end, size) + i) % size)) * 3;
      const [code, address, value] = (this.history as Int32Array).subarray(at, at + 3);
      return { name: PRIMITIVES[code].name, address, value };
    });
  }
}

const roundUp = (size: number): number => Math.ceil(size / CACHE_LINE_WORDS) * CACHE_LINE_WORDS;
