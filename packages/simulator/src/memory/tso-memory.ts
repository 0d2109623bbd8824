// SPDX-License-Identifier: MIT
import { ORDER_FULL } from '../codes.js';
import type { Random } from '../random.js';
import type { CommitListener } from './memory.js';
import { Memory } from './memory.js';

/** Stores that a CPU can hold back. */
const SIZE = 16;
/** Turns that a CPU's buffer may stay non-empty. */
const OLDEST = 8;

/** Total store order, as on x86: one FIFO store buffer for each CPU. Read-modify-writes and full barriers empty it. */
export class TsoMemory extends Memory {
  private readonly random: Random;
  private readonly cpus: number;
  private readonly addresses: Int32Array;
  private readonly values: Int32Array;
  private readonly head: Int32Array;
  private readonly count: Int32Array;
  private readonly age: Int32Array;
  private cpu = 0;

  constructor(words: Int32Array, listener: CommitListener, random: Random, cpus: number) {
    super(words, listener);
    this.random = random;
    this.cpus = cpus;
    this.addresses = new Int32Array(cpus * SIZE);
    this.values = new Int32Array(cpus * SIZE);
    this.head = new Int32Array(cpus);
    this.count = new Int32Array(cpus);
    this.age = new Int32Array(cpus);
  }

  enter(cpu: number): void {
    this.cpu = cpu;
  }

  load(address: number): number {
    const cpu = this.cpu;
    for (let i = this.count[cpu] - 1; i >= 0; i--) {
      const at = cpu * SIZE + ((this.head[cpu] + i) % SIZE);
      if (this.addresses[at] === address) return this.values[at];
    }
    return this.words[address];
  }

  store(address: number, value: number, order: number): void {
    const cpu = this.cpu;
    if (this.count[cpu] === SIZE) this.drainOldest(cpu);
    const at = cpu * SIZE + ((this.head[cpu] + this.count[cpu]) % SIZE);
    this.addresses[at] = address;
    this.values[at] = value;
    this.count[cpu]++;
    this.bufferedStores++;
    if (order === ORDER_FULL) this.drain(cpu);
  }

  fence(order: number): void {
    if (order === ORDER_FULL) this.drain(this.cpu);
  }

  latest(address: number): number {
    this.drain(this.cpu);
    return this.words[address];
  }

  modify(address: number, value: number): void {
    this.reach(address, value);
  }

  failed(): void {}

  full(): void {
    this.drain(this.cpu);
  }

  forget(): void {}

  bufferedElsewhere(base: number, size: number): number {
    for (let cpu = 0; cpu < this.cpus; cpu++) {
      if (cpu === this.cpu) continue;
      for (let i = 0; i < this.count[cpu]; i++) {
        const address = this.addresses[cpu * SIZE + ((this.head[cpu] + i) % SIZE)];
        if (address >= base && address < base + size) return cpu;
      }
    }
    return -1;
  }

  drift(cpu: number): void {
    if (this.count[cpu] > 0) {
      if (++this.age[cpu] > OLDEST) this.drain(cpu);
      for (let n = this.random.below(this.count[cpu] + 1); n > 0; n--) this.drainOldest(cpu);
    }
    if (this.cpus === 1) return;
    const other = this.random.below(this.cpus);
    if (this.count[other] > 0) this.drainOldest(other);
  }

  drain(cpu: number): void {
    while (this.count[cpu] > 0) this.drainOldest(cpu);
    this.age[cpu] = 0;
  }

  private drainOldest(cpu: number): void {
    const at = cpu * SIZE + this.head[cpu];
    this.head[cpu] = (this.head[cpu] + 1) % SIZE;
    this.count[cpu]--;
    this.reach(this.addresses[at], this.values[at]);
  }
}
