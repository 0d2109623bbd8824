// SPDX-License-Identifier: MIT
import type { Heap } from '@lockless/cpu';
import { KernelBug, PRIMITIVES } from '@lockless/cpu';
import { ORDER_ACQUIRE, ORDER_RELEASE } from './codes.js';
import type { Lockdep } from './lockdep.js';
import type { Memory } from './memory/memory.js';
import type { Processor } from './processor.js';
import type { Statistics } from './statistics.js';

/** Spin locks: 0 free, n held by CPU n - 1, -n held by n readers, as cpu's spinlock.ts says. */
export class Locks {
  private readonly memory: Memory;
  private readonly heap: Heap;
  private readonly lockdep: Lockdep;
  private readonly statistics: Statistics;
  private readonly cpus: number;

  constructor(parts: { memory: Memory; heap: Heap; lockdep: Lockdep; statistics: Statistics; cpus: number }) {
    this.memory = parts.memory;
    this.heap = parts.heap;
    this.lockdep = parts.lockdep;
    this.statistics = parts.statistics;
    this.cpus = parts.cpus;
  }

  /** True when taken; otherwise the CPU has to spin. */
  lock(cpu: Processor, code: number, address: number): boolean {
    const holder = this.memory.latest(address);
    if (holder !== 0) return this.contended(cpu, code, address, holder);
    this.lockdep.acquire(cpu, address, false, false);
    return this.take(cpu, address, cpu.id + 1);
  }

  trylock(cpu: Processor, address: number): boolean {
    if (this.memory.latest(address) !== 0) {
      this.memory.failed(address);
      return false;
    }
    this.lockdep.acquire(cpu, address, true, false);
    return this.take(cpu, address, cpu.id + 1);
  }

  /** As {@link lock}, among readers. */
  readLock(cpu: Processor, code: number, address: number): boolean {
    const holder = this.memory.latest(address);
    if (holder > 0) return this.contended(cpu, code, address, holder);
    this.lockdep.acquire(cpu, address, false, true);
    return this.take(cpu, address, holder - 1);
  }

  unlock(cpu: Processor, code: number, address: number): void {
    this.release(cpu, code, address);
    this.memory.store(address, 0, ORDER_RELEASE);
  }

  readUnlock(cpu: Processor, code: number, address: number): void {
    this.release(cpu, code, address);
    this.memory.modify(address, this.memory.latest(address) + 1, ORDER_RELEASE);
  }

  /** From here on the CPU sees all that was there at this time: locks order more than acquire loads do (LKMM: po-unlock-lock-po). */
  private take(cpu: Processor, address: number, value: number): true {
    this.memory.modify(address, value, ORDER_ACQUIRE);
    this.memory.fence(ORDER_ACQUIRE);
    cpu.held.push(address);
    cpu.heldIn.push(cpu.top);
    return true;
  }

  /** Somebody has the lock. If that is this very CPU, it will never be free. */
  private contended(cpu: Processor, code: number, address: number, holder: number): false {
    const { name } = PRIMITIVES[code];
    const at = cpu.held.lastIndexOf(address);
    if (holder === cpu.id + 1 || (at >= 0 && holder < 0)) {
      const lock = this.heap.describe(address);
      const interrupted = at >= 0 && cpu.heldIn[at] !== cpu.top;
      throw new KernelBug(
        'self-deadlock',
        interrupted
          ? `interrupt took ${lock} held by the code it interrupted`
          : `${name}(${lock}) by the CPU that holds it`,
      );
    }
    if (holder > this.cpus)
      throw new KernelBug(
        'bad-lock',
        `${name}(${this.heap.describe(address)}): ${holder} is not what a lock word holds`,
      );
    this.statistics.contended++;
    cpu.spinsOn = address;
    return false;
  }

  private release(cpu: Processor, code: number, address: number): void {
    const { held, heldIn } = cpu;
    const last = held.length - 1;
    if (last >= 0 && held[last] === address) {
      held.pop();
      heldIn.pop();
      return;
    }
    const at = held.lastIndexOf(address);
    if (at < 0) {
      const lock = this.heap.describe(address);
      throw new KernelBug('unlock-not-held', `${PRIMITIVES[code].name}(${lock}) by a CPU that does not hold it`);
    }
    held.splice(at, 1);
    heldIn.splice(at, 1);
  }
}
