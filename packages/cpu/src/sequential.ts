// SPDX-License-Identifier: MIT
import { KernelBug } from './bug.js';
import type { FunctionPointer } from './function-pointer.js';
import { pointedFunction } from './function-pointer.js';
import { Heap } from './heap.js';
import { STATIC_WORDS } from './memory.js';
import type { Access, CpuLocal, Engine, Op } from './op.js';
import { enterCpu, installEngine } from './op.js';
import { PRIMITIVES, type Primitive, rmwResult, rmwStore, rmwSucceeds } from './primitive.js';
import { TASK_RUNNING, TaskStruct } from './sched.js';
import { kmemCacheOf } from './slab.js';
import type { Ptr } from './word.js';
import { CACHE_LINE_WORDS } from './word.js';

export interface SequentialOptions {
  /** Words of memory; the static segment alone is 262,144. */
  readonly words?: number;
  /** Called before each access, with the kernel's name of the primitive: the single-threaded trace. */
  readonly onAccess?: (name: string, address: number, operand: number) => void;
  /** Makes an allocation fail. */
  readonly failAllocation?: () => boolean;
}

/**
 * One CPU, one task, program order: the engine of unit tests and of single-threaded use. Code that would wait for somebody else (a lock
 * held, a sleep that nobody ends) is a deadlock and throws.
 */
export class SequentialEngine implements Engine {
  readonly words: Int32Array;
  readonly heap: Heap;
  readonly cpu: CpuLocal;
  private readonly options: SequentialOptions;
  /** What call_rcu() was given and that was not yet invoked. */
  private callbacks: { readonly head: number; readonly func: FunctionPointer<(head: number) => Op<void>> }[] = [];

  constructor(options: SequentialOptions = {}) {
    this.options = options;
    this.words = new Int32Array(options.words ?? STATIC_WORDS + (1 << 20));
    this.heap = new Heap(this.words);
    const task = this.heap.reserve(TaskStruct.$size + CACHE_LINE_WORDS) as Ptr<TaskStruct>;
    this.words[TaskStruct.pid(task)] = 1;
    this.words[TaskStruct.tgid(task)] = 1;
    this.cpu = { id: 0, preemptCount: 0, irqsDisabled: false, rcuReaders: 0, current: task };
  }

  /**
   * Runs kernel-side code to its end and returns its result. If that end is outside every RCU reader, it is the end of a grace period too: what
   * the code gave to call_rcu() is invoked, in order.
   */
  run<T>(op: Op<T>): T {
    const before = installEngine(this);
    enterCpu(this.cpu);
    try {
      const result = this.drive(op);
      while (this.callbacks.length > 0 && this.cpu.preemptCount === 0) {
        const { head, func } = this.callbacks.shift() as (typeof this.callbacks)[number];
        this.drive(pointedFunction(func)(head));
      }
      return result;
    } finally {
      installEngine(before.words.length === 0 ? null : before);
    }
  }

  private allocate(cache: number): number {
    const object = this.heap.allocate(cache);
    const hand = kmemCacheOf(cache).hand?.(this.cpu.id);
    if (hand !== undefined) this.words[hand] = object;
    return object;
  }

  private free(object: number, cache: number): void {
    this.heap.release(object, cache);
    const hand = kmemCacheOf(cache).hand?.(this.cpu.id);
    if (hand !== undefined && this.words[hand] === object) this.words[hand] = 0;
  }

  private drive<T>(op: Op<T>): T {
    for (;;) {
      const step = op.next();
      if (step.done) return step.value;
    }
  }

  step(access: Access<unknown>): IteratorResult<Access<unknown>, unknown> {
    const { name } = PRIMITIVES[access.code];
    this.options.onAccess?.(name, access.address, access.operand);
    return { done: true, value: this.perform(access) };
  }

  private perform(access: Access<unknown>): unknown {
    const { address, operand } = access;
    const { event, name } = PRIMITIVES[access.code];
    switch (event) {
      case 'R':
        this.heap.check(address);
        return this.words[address];
      case 'W':
        this.heap.check(address);
        this.words[address] = operand;
        return undefined;
      case 'RMW':
        return this.readModifyWrite(access, PRIMITIVES[access.code] as Required<Primitive>);
      case 'LK':
      case 'LF':
        this.heap.check(address);
        if (this.words[address] !== 0) {
          if (event === 'LF') return false;
          throw new KernelBug('deadlock', `${name}(${this.heap.describe(address)}): held, and nobody else runs`);
        }
        this.words[address] = 1;
        return true;
      case 'UL':
        if (this.words[address] !== 1)
          throw new KernelBug('unlock-not-held', `${name}(${this.heap.describe(address)}): not held`);
        this.words[address] = 0;
        return undefined;
      case 'RLK':
        if (this.words[address] > 0) throw new KernelBug('deadlock', `${name}: held by a writer, and nobody else runs`);
        this.words[address] -= 1;
        return undefined;
      case 'RUL':
        if (this.words[address] >= 0) throw new KernelBug('unlock-not-held', `${name}: not held`);
        this.words[address] += 1;
        return undefined;
      case 'ALLOC':
        return this.options.failAllocation?.() ? 0 : this.allocate(address);
      case 'FREE':
        return this.free(address, operand);
      case 'SCHEDULE':
        if (this.words[TaskStruct.state(this.cpu.current as Ptr<TaskStruct>)] !== TASK_RUNNING)
          throw new KernelBug('deadlock', 'schedule(): sleeps, and nobody else runs');
        return undefined;
      case 'WAKE':
        return this.wake(address as Ptr<TaskStruct>, operand);
      case 'RCU_LOCK':
        this.cpu.preemptCount += 1;
        return undefined;
      case 'RCU_UNLOCK':
        this.cpu.preemptCount -= 1;
        return undefined;
      case 'RCU_SYNC':
        if (this.cpu.preemptCount !== 0) throw new KernelBug('deadlock', 'synchronize_rcu() inside a reader');
        return undefined;
      case 'CALL_RCU':
        this.callbacks.push({ head: address, func: operand as FunctionPointer<(head: number) => Op<void>> });
        return undefined;
      case 'CHOOSE':
        return 0;
      case 'RELAX':
        throw new KernelBug('livelock', 'cpu_relax(): spins, and nobody else runs');
      case 'IO':
        throw new KernelBug('no-device', 'submit_io(): this engine has no devices');
      case 'F':
        return undefined;
    }
  }

  private readModifyWrite(
    { address, operand, expected }: Access<unknown>,
    { operation, result }: Required<Primitive>,
  ): unknown {
    this.heap.check(address);
    const old = this.words[address];
    const success = rmwSucceeds(operation, old, expected);
    const stored = success ? rmwStore(operation, old, operand) : old;
    this.words[address] = stored;
    return rmwResult(result, old, stored, expected, success);
  }

  private wake(task: Ptr<TaskStruct>, mask: number): boolean {
    const state = TaskStruct.state(task);
    if ((this.words[state] & mask) === 0) return false;
    this.words[state] = TASK_RUNNING;
    return true;
  }
}

/** Runs one piece of kernel-side code alone on a fresh machine of one CPU. */
export function runSequentially<T>(op: () => Op<T>, options: SequentialOptions = {}): T {
  return new SequentialEngine(options).run(op());
}
