// SPDX-License-Identifier: MIT
import { NULL_GUARD_WORDS } from '@lockless/cpu';
import { ORDER_ACQUIRE, ORDER_DEPENDENCY, ORDER_FULL, ORDER_RELEASE, ORDER_RMB, ORDER_WMB } from '../codes.js';
import type { Random } from '../random.js';
import type { CommitListener } from './memory.js';
import { Memory } from './memory.js';
import { SIZE, WeakBuffers } from './weak-buffers.js';

/** Commits that are remembered, a power of two. */
const REMEMBERED = 256;
/** Words of which a CPU remembers how new a value it has seen, a power of two. */
const WATCHED_WORDS = 128;
/** A load that may go back one value does, once in so many. A power of two. */
const BACK_ONE_IN = 4;
/** Commit times start over before they leave 31 bits. */
const LAST_TIME = 2 ** 30;

/**
 * Weak memory, a part of what LKMM allows. Stores wait in buffers and become visible to all others at once, at a commit, the n-th commit
 * at time n. A load returns a value that was current at some time not before its floor; barriers raise floors.
 * docs/simulator-memory.md has the argument.
 */
export class WeakMemory extends Memory {
  private readonly random: Random;
  private readonly cpus: number;
  private readonly buffers: WeakBuffers;
  private readonly count: Int32Array;
  /** How many stores a CPU holds back at present: 0 to SIZE. */
  private readonly capacity: Int32Array;
  private readonly heapEnd: () => number;

  /** Time of the last commit. */
  private time: number;
  /** Time of the last commit to each word; 0: too long ago to matter. */
  private readonly last: Int32Array;
  /** What the commit at a time replaced: the value, and when that was committed. Rings of REMEMBERED. */
  private readonly replacedValue: Int32Array = new Int32Array(REMEMBERED);
  private readonly replacedTime: Int32Array = new Int32Array(REMEMBERED);

  /** No load of the CPU returns a value that was replaced at or before this time. */
  private readonly floor: Int32Array;
  /** Newest commit that the CPU has read from: what smp_rmb makes the floor. */
  private readonly newestRead: Int32Array;
  /** Per CPU and word: the time of the value last seen or stored. Direct-mapped; what is pushed out raises the CPU's floor. */
  private readonly seenWord: Int32Array;
  private readonly seenTime: Int32Array;
  private cpu = 0;

  constructor(
    words: Int32Array,
    listener: CommitListener,
    random: Random,
    cpus: number,
    heapEnd: () => number,
    startTime: number = REMEMBERED,
  ) {
    super(words, listener);
    this.random = random;
    this.cpus = cpus;
    this.heapEnd = heapEnd;
    this.time = startTime;
    this.buffers = new WeakBuffers(cpus, random, (cpu, address, value) => this.commit(cpu, address, value));
    this.count = this.buffers.count;
    this.capacity = new Int32Array(cpus).fill(SIZE);
    this.last = new Int32Array(words.length);
    this.floor = new Int32Array(cpus);
    this.newestRead = new Int32Array(cpus);
    this.seenWord = new Int32Array(cpus * WATCHED_WORDS);
    this.seenTime = new Int32Array(cpus * WATCHED_WORDS);
  }

  enter(cpu: number): void {
    this.cpu = cpu;
  }

  load(address: number, order: number): number {
    const cpu = this.cpu;
    if (this.count[cpu] !== 0) {
      const at = this.buffers.find(cpu, address);
      if (at >= 0) return this.forward(this.buffers.valueAt(at), order);
    }
    if (this.last[address] <= this.floor[cpu]) return this.words[address];
    return this.loadRecent(address, order);
  }

  /** The CPU's own store, not visible yet. What it stored may depend on any load before (LKMM: dep ; rfi), so a dependency on it does too. */
  private forward(value: number, order: number): number {
    if (order === ORDER_ACQUIRE || order === ORDER_DEPENDENCY || this.isPointer(value)) this.fence(ORDER_RMB);
    return value;
  }

  /** A word that changed after the floor: one of its values since then. */
  private loadRecent(address: number, order: number): number {
    const cpu = this.cpu;
    const seen = this.seen(cpu, address);
    const oldest = Math.max(this.floor[cpu], seen);
    let value = this.words[address];
    let time = this.last[address];
    while (time > oldest && this.time - time < REMEMBERED && this.random.oneIn(BACK_ONE_IN)) {
      const at = time & (REMEMBERED - 1);
      value = this.replacedValue[at];
      time = this.replacedTime[at];
    }
    if (time !== this.last[address]) this.staleLoads++;
    if (time > seen) this.see(cpu, address, time);
    this.readFrom(cpu, time, order === ORDER_ACQUIRE || order === ORDER_DEPENDENCY || this.isPointer(value));
    return value;
  }

  private readFrom(cpu: number, time: number, orders: boolean): void {
    if (time > this.newestRead[cpu]) this.newestRead[cpu] = time;
    if (orders && time > this.floor[cpu]) this.floor[cpu] = time;
  }

  /** An address that is then used carries a dependency, whoever loads it and how. */
  private isPointer(value: number): boolean {
    return value >= NULL_GUARD_WORDS && value < this.heapEnd();
  }

  store(address: number, value: number, order: number): void {
    const cpu = this.cpu;
    if (this.count[cpu] === 0 && this.capacity[cpu] === 0) this.commit(cpu, address, value);
    else {
      this.buffers.push(cpu, address, value, order === ORDER_RELEASE);
      this.bufferedStores++;
      while (this.count[cpu] > this.capacity[cpu]) this.buffers.drainOne(cpu);
    }
    if (order === ORDER_FULL) this.full();
  }

  fence(order: number): void {
    const cpu = this.cpu;
    switch (order) {
      case ORDER_FULL:
        this.full();
        break;
      case ORDER_RMB:
        if (this.newestRead[cpu] > this.floor[cpu]) this.floor[cpu] = this.newestRead[cpu];
        break;
      case ORDER_WMB:
        this.buffers.separate(cpu);
        break;
      case ORDER_ACQUIRE:
        this.floor[cpu] = this.time;
        break;
    }
  }

  latest(address: number): number {
    const cpu = this.cpu;
    if (this.count[cpu] !== 0) {
      if (this.buffers.find(cpu, address) >= 0) this.buffers.drain(cpu);
      else this.buffers.drainEarlierGroups(cpu);
    }
    return this.words[address];
  }

  modify(address: number, value: number, order: number): void {
    const cpu = this.cpu;
    if (order === ORDER_FULL || order === ORDER_RELEASE) this.buffers.drain(cpu);
    this.readFrom(cpu, this.last[address], order === ORDER_ACQUIRE || this.isPointer(this.words[address]));
    this.commit(cpu, address, value);
    if (order === ORDER_FULL) this.floor[cpu] = this.time;
  }

  failed(address: number): void {
    const time = this.last[address];
    if (time > this.floor[this.cpu]) this.see(this.cpu, address, time);
    this.readFrom(this.cpu, time, this.isPointer(this.words[address]));
  }

  full(): void {
    this.buffers.drain(this.cpu);
    this.floor[this.cpu] = this.time;
  }

  forget(base: number, size: number): void {
    this.last.fill(0, base, base + size);
  }

  bufferedElsewhere(base: number, size: number): number {
    for (let cpu = 0; cpu < this.cpus; cpu++)
      if (cpu !== this.cpu && this.count[cpu] > 0 && this.buffers.touches(cpu, base, size)) return cpu;
    return -1;
  }

  /**
   * At each of its turns a CPU gets a new character: half the time it sees all that happened, and it holds back between none and SIZE
   * stores. So a value stays behind for few turns, and a reader that waits for one gets it.
   */
  drift(cpu: number): void {
    const bits = this.random.bits();
    if ((bits & 1) === 0) this.floor[cpu] = this.time;
    this.capacity[cpu] = (bits & 2) === 0 ? 0 : (bits >>> 2) % (SIZE + 1);
    if (this.count[cpu] > 0) for (let n = (bits >>> 8) % (this.count[cpu] + 1); n > 0; n--) this.buffers.drainOne(cpu);
    if (this.cpus === 1) return;
    const other = (bits >>> 16) % this.cpus;
    if (this.count[other] > 0) this.buffers.drainOne(other);
  }

  drain(cpu: number): void {
    if (this.count[cpu] > 0) this.buffers.drain(cpu);
  }

  private commit(cpu: number, address: number, value: number): void {
    if (this.time >= LAST_TIME) this.startOver();
    const time = ++this.time;
    const at = time & (REMEMBERED - 1);
    this.replacedValue[at] = this.words[address];
    this.replacedTime[at] = this.last[address];
    this.last[address] = time;
    this.see(cpu, address, time);
    this.reach(address, value);
  }

  private seen(cpu: number, address: number): number {
    const at = cpu * WATCHED_WORDS + (address & (WATCHED_WORDS - 1));
    return this.seenWord[at] === address ? this.seenTime[at] : 0;
  }

  private see(cpu: number, address: number, time: number): void {
    const at = cpu * WATCHED_WORDS + (address & (WATCHED_WORDS - 1));
    if (this.seenWord[at] !== address) {
      if (this.seenTime[at] > this.floor[cpu]) this.floor[cpu] = this.seenTime[at];
      this.seenWord[at] = address;
    }
    this.seenTime[at] = time;
  }

  /** Moves all times down by the same amount. A multiple of REMEMBERED, so the rings stay where they are. */
  private startOver(): void {
    const shift = Math.floor((this.time - REMEMBERED) / REMEMBERED) * REMEMBERED;
    for (const times of [this.last, this.replacedTime, this.floor, this.newestRead, this.seenTime])
      for (let i = 0; i < times.length; i++) times[i] = Math.max(0, times[i] - shift);
    this.time -= shift;
  }
}
