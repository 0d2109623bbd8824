// SPDX-License-Identifier: MIT
import type { Random } from '../random.js';

/** Stores that a CPU can hold back. */
export const SIZE = 8;

/**
 * The store buffers of weak memory. Entries leave in any order except: one word's in order; none before those of an earlier group
 * (smp_wmb starts a group); a release store after all that are older.
 */
export class WeakBuffers {
  /** Entries of each CPU. */
  readonly count: Int32Array;
  private readonly addresses: Int32Array;
  private readonly values: Int32Array;
  private readonly groups: Int32Array;
  private readonly releases: Uint8Array;
  /** Group that the next store of the CPU belongs to. */
  private readonly group: Int32Array;
  private readonly random: Random;
  private readonly commit: (cpu: number, address: number, value: number) => void;

  constructor(cpus: number, random: Random, commit: (cpu: number, address: number, value: number) => void) {
    this.count = new Int32Array(cpus);
    this.addresses = new Int32Array(cpus * SIZE);
    this.values = new Int32Array(cpus * SIZE);
    this.groups = new Int32Array(cpus * SIZE);
    this.releases = new Uint8Array(cpus * SIZE);
    this.group = new Int32Array(cpus);
    this.random = random;
    this.commit = commit;
  }

  /** Position of the CPU's newest store to that word, or -1. */
  find(cpu: number, address: number): number {
    const base = cpu * SIZE;
    for (let at = base + this.count[cpu] - 1; at >= base; at--) if (this.addresses[at] === address) return at;
    return -1;
  }

  valueAt(at: number): number {
    return this.values[at];
  }

  push(cpu: number, address: number, value: number, release: boolean): void {
    if (this.count[cpu] === SIZE) this.drainOne(cpu);
    const at = cpu * SIZE + this.count[cpu]++;
    this.addresses[at] = address;
    this.values[at] = value;
    this.groups[at] = this.group[cpu];
    this.releases[at] = release ? 1 : 0;
  }

  /** smp_wmb(). */
  separate(cpu: number): void {
    // With nothing to separate from, the group goes on; so numbers stay small over any length of run.
    if (this.count[cpu] === 0) this.group[cpu] = 0;
    else this.group[cpu]++;
  }

  /** What the last smp_wmb() separates from later stores leaves. */
  drainEarlierGroups(cpu: number): void {
    const base = cpu * SIZE;
    while (this.count[cpu] > 0 && this.groups[base] !== this.group[cpu]) this.remove(cpu, base);
  }

  drain(cpu: number): void {
    while (this.count[cpu] > 0) this.remove(cpu, cpu * SIZE);
  }

  /** One store leaves, any that may. */
  drainOne(cpu: number): void {
    const base = cpu * SIZE;
    const end = base + this.count[cpu];
    // The oldest one always may, so the search ends; later ones are tried from a random place on.
    let at = base + this.random.below(this.count[cpu]);
    while (at > base && !this.mayLeave(base, at)) at--;
    if (at < end) this.remove(cpu, at);
  }

  /** The CPU holds back a store to these words. */
  touches(cpu: number, from: number, size: number): boolean {
    for (let at = cpu * SIZE; at < cpu * SIZE + this.count[cpu]; at++)
      if (this.addresses[at] >= from && this.addresses[at] < from + size) return true;
    return false;
  }

  private mayLeave(base: number, at: number): boolean {
    if (this.releases[at] === 1 || this.groups[base] !== this.groups[at]) return false;
    for (let older = base; older < at; older++) if (this.addresses[older] === this.addresses[at]) return false;
    return true;
  }

  private remove(cpu: number, at: number): void {
    const address = this.addresses[at];
    const value = this.values[at];
    const last = cpu * SIZE + --this.count[cpu];
    for (let i = at; i < last; i++) {
      this.addresses[i] = this.addresses[i + 1];
      this.values[i] = this.values[i + 1];
      this.groups[i] = this.groups[i + 1];
      this.releases[i] = this.releases[i + 1];
    }
    this.commit(cpu, address, value);
  }
}
