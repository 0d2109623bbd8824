// SPDX-License-Identifier: MIT
import type { Heap } from '@lockless/cpu';
import { fieldAt, KernelBug } from '@lockless/cpu';
import type { Processor } from './processor.js';

const UNKNOWN = 0;
const UNNAMED = 0xffff;
const IN_INTERRUPT = 1;
const IN_INTERRUPT_READ = 2;
const INTERRUPTS_ON = 4;
const INTERRUPTS_ON_READ = 8;

/**
 * A small lockdep: spin locks fall into classes by the struct field (or variable) they are, and what is recorded is the order in which
 * classes are taken and whether interrupt handlers take them. So a deadlock is found on a run in which it did not happen.
 * Two locks of one class are not told apart.
 */
export class Lockdep {
  private readonly heap: Heap;
  private readonly enabled: boolean;
  /** Class of each word that was locked once. */
  private readonly classOf: Uint16Array;
  private readonly names: string[] = [''];
  private readonly byName: Map<string, number> = new Map();
  /** Classes taken while holding the class, by class. */
  private readonly after: Set<number>[] = [new Set()];
  private readonly usage: number[] = [0];

  constructor(heap: Heap, enabled: boolean) {
    this.heap = heap;
    this.enabled = enabled;
    this.classOf = new Uint16Array(enabled ? heap.words.length : 0);
  }

  /** The CPU takes a lock. A trylock cannot wait, so it closes no cycle. Throws KernelBug on a broken order. */
  acquire(cpu: Processor, address: number, tryOnly: boolean, read: boolean): void {
    if (!this.enabled) return;
    const taken = this.classOf[address] || this.classify(address);
    if (taken === UNNAMED) return;
    if (cpu.inInterrupt) this.note(taken, read ? IN_INTERRUPT_READ : IN_INTERRUPT);
    else if (!cpu.irqsDisabled) this.note(taken, read ? INTERRUPTS_ON_READ : INTERRUPTS_ON);
    if (tryOnly) return;
    for (const held of cpu.held) {
      const holds = this.classOf[held];
      if (holds === UNNAMED || holds === taken || this.after[holds].has(taken)) continue;
      this.after[holds].add(taken);
      const path = this.path(taken, holds);
      if (path !== null)
        throw new KernelBug(
          'lock-order',
          `${this.names[taken]} is taken under ${this.names[holds]}, but elsewhere ${path.map((c) => this.names[c]).join(', then ')}`,
        );
    }
  }

  private note(lockClass: number, use: number): void {
    const before = this.usage[lockClass];
    const now = before | use;
    if (now === before) return;
    this.usage[lockClass] = now;
    const unsafe =
      ((now & IN_INTERRUPT) !== 0 && (now & (INTERRUPTS_ON | INTERRUPTS_ON_READ)) !== 0) ||
      ((now & IN_INTERRUPT_READ) !== 0 && (now & INTERRUPTS_ON) !== 0);
    if (unsafe)
      throw new KernelBug(
        'irq-unsafe-lock',
        `${this.names[lockClass]} is taken by an interrupt handler, and elsewhere with interrupts enabled`,
      );
  }

  private classify(address: number): number {
    const at = this.heap.locate(address);
    if (at === null) return (this.classOf[address] = UNNAMED);
    const field = at.layout === null ? '' : fieldAt(at.layout, address - at.base);
    // The elements of a per-CPU variable are one class; so are all heap objects of a cache.
    const owner = at.name.replace(/\[\d+\]$/, '');
    // A lock inside an embedded struct (a wait queue's) belongs to the place it is embedded in.
    const name = field === '' ? owner : `${owner}.${field}`;
    let lockClass = this.byName.get(name) ?? UNKNOWN;
    if (lockClass === UNKNOWN) {
      lockClass = this.names.push(name) - 1;
      this.byName.set(name, lockClass);
      this.after.push(new Set());
      this.usage.push(0);
    }
    return (this.classOf[address] = lockClass);
  }

  /** How `to` is reached from `from` along recorded orders, or null. */
  private path(from: number, to: number, seen: Set<number> = new Set([from])): number[] | null {
    for (const next of this.after[from]) {
      if (next === to) return [from, to];
      if (seen.has(next)) continue;
      seen.add(next);
      const rest = this.path(next, to, seen);
      if (rest !== null) return [from, ...rest];
    }
    return null;
  }
}
