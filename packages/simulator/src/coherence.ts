// SPDX-License-Identifier: MIT
import { CACHE_LINE_WORDS } from '@lockless/cpu';
import type { CacheDistance, CacheParameters } from './caches.js';
import { CACHES } from './caches.js';
import type { MachineConfig } from './options.js';

const NOBODY = -1;

/** What became of the accesses so far. Times are virtual ns. */
export interface CoherenceStatistics {
  /** Lines that came from memory. */
  readonly memory: number;
  /** Unmodified lines that were copied from another CPU or from their home. */
  readonly clean: number;
  /** Modified lines that moved from one CPU to another. */
  readonly dirty: number;
  /** Lines whose other copies were taken away for a store. */
  readonly upgrades: number;
  /** Time that CPUs waited for lines, and the part of it in which the line's home was busy with others. */
  readonly stalled: number;
  readonly queued: number;
}

/**
 * Who has which cache line, and what it costs to get one. MESI by line of 64 bytes, kept by a directory: a line is with nobody, with one CPU that may write
 * it, or with several that may read. A line's home serves one request after the other, so whoever comes while it is busy waits: that is what makes
 * a word that everybody writes slower the more CPUs there are. Caches have room for everything: what was touched once is missed only because
 * others wrote it. An exclusive line that its owner did not write moves at the price of a modified one, since its home does not know.
 */
export class Coherence {
  private readonly parameters: CacheParameters;
  /** The CPU that may write, or NOBODY. */
  private readonly owner: Int8Array;
  /** CPUs that may read, the owner too: one bit each. */
  private readonly low: Uint32Array;
  private readonly high: Uint32Array;
  /** Until when the line's home serves the requests that came so far. */
  private readonly busy: Float64Array;
  /** ns that CPUs waited for each line, and that each CPU waited. */
  readonly stalledByLine: Float64Array;
  readonly stalledByCpu: Float64Array;
  private readonly counts = { memory: 0, clean: 0, dirty: 0, upgrades: 0, stalled: 0, queued: 0 };

  constructor(parameters: CacheParameters, cpus: number, words: number) {
    const lines = Math.ceil(words / CACHE_LINE_WORDS);
    this.parameters = parameters;
    this.owner = new Int8Array(lines).fill(NOBODY);
    this.low = new Uint32Array(lines);
    this.high = new Uint32Array(lines);
    this.busy = new Float64Array(lines);
    this.stalledByLine = new Float64Array(lines);
    this.stalledByCpu = new Float64Array(cpus);
  }

  get statistics(): CoherenceStatistics {
    return { ...this.counts };
  }

  /** A load by that CPU at that time. Returns how long it waits for the line. */
  read(cpu: number, address: number, now: number): number {
    const line = Math.floor(address / CACHE_LINE_WORDS);
    if (this.has(line, cpu)) return 0;
    const { parameters, counts } = this;
    const owner = this.owner[line];
    let latency = parameters.memory;
    let occupied = parameters.service;
    if (owner !== NOBODY) {
      latency = this.distance(cpu, owner).dirty;
      occupied = latency;
      this.owner[line] = NOBODY;
      counts.dirty++;
    } else if (this.low[line] !== 0 || this.high[line] !== 0) {
      latency = this.nearest(line, cpu);
      counts.clean++;
    } else {
      this.owner[line] = cpu;
      counts.memory++;
    }
    if (cpu < 32) this.low[line] |= 1 << cpu;
    else this.high[line] |= 1 << (cpu - 32);
    return this.serve(cpu, line, now, latency, occupied);
  }

  /** A store, a read-modify-write or a lock operation. Returns how long it waits until the line is this CPU's alone. */
  write(cpu: number, address: number, now: number): number {
    const line = Math.floor(address / CACHE_LINE_WORDS);
    const owner = this.owner[line];
    if (owner === cpu) return 0;
    const { parameters, counts } = this;
    let latency = parameters.memory;
    if (owner !== NOBODY) {
      latency = this.distance(cpu, owner).dirty;
      counts.dirty++;
    } else if (this.low[line] !== 0 || this.high[line] !== 0) {
      latency = this.invalidate(line, cpu);
      counts.upgrades++;
    } else counts.memory++;
    this.owner[line] = cpu;
    this.low[line] = cpu < 32 ? 1 << cpu : 0;
    this.high[line] = cpu < 32 ? 0 : 1 << (cpu - 32);
    return this.serve(cpu, line, now, latency, latency);
  }

  /** All caches are emptied: every line is in memory only. */
  empty(): void {
    this.owner.fill(NOBODY);
    this.low.fill(0);
    this.high.fill(0);
  }

  /** Virtual ns that CPUs waited for the line that the address lies in. */
  stalledAt(address: number): number {
    return this.stalledByLine[Math.floor(address / CACHE_LINE_WORDS)];
  }

  /** CPUs that have a copy of the line that the address lies in, and which of them may write it. For tests and reports. */
  copies(address: number): { readonly readers: number[]; readonly writer: number | null } {
    const line = Math.floor(address / CACHE_LINE_WORDS);
    const readers = Array.from({ length: 64 }, (_, cpu) => cpu).filter((cpu) => this.has(line, cpu));
    return { readers, writer: this.owner[line] === NOBODY ? null : this.owner[line] };
  }

  private has(line: number, cpu: number): boolean {
    return ((cpu < 32 ? this.low[line] >>> cpu : this.high[line] >>> (cpu - 32)) & 1) !== 0;
  }

  /** The line's home takes the request up when it is done with those before. */
  private serve(cpu: number, line: number, now: number, latency: number, occupied: number): number {
    const start = Math.max(now, this.busy[line]);
    this.busy[line] = start + occupied;
    const stalled = start - now + latency;
    this.counts.queued += start - now;
    this.counts.stalled += stalled;
    this.stalledByLine[line] += stalled;
    this.stalledByCpu[cpu] += stalled;
    return stalled;
  }

  /** The smallest group that holds both. */
  private distance(cpu: number, other: number): CacheDistance {
    const { distances } = this.parameters;
    let at = 0;
    while (Math.floor(cpu / distances[at].cpus) !== Math.floor(other / distances[at].cpus)) at++;
    return distances[at];
  }

  /** The price of the nearest copy. */
  private nearest(line: number, cpu: number): number {
    let latency = Number.POSITIVE_INFINITY;
    this.forEachCopy(line, (other) => {
      latency = Math.min(latency, this.distance(cpu, other).clean);
    });
    return latency;
  }

  /** The price of having all other copies taken away: the farthest, and a little for each of the others. */
  private invalidate(line: number, cpu: number): number {
    let latency = 0;
    let others = 0;
    this.forEachCopy(line, (other) => {
      if (other === cpu) return;
      others++;
      latency = Math.max(latency, this.distance(cpu, other).clean);
    });
    return latency + Math.max(0, others - 1) * this.parameters.invalidation;
  }

  private forEachCopy(line: number, visit: (cpu: number) => void): void {
    for (let bits = this.low[line]; bits !== 0; bits &= bits - 1) visit(31 - Math.clz32(bits & -bits));
    for (let bits = this.high[line]; bits !== 0; bits &= bits - 1) visit(63 - Math.clz32(bits & -bits));
  }
}

/** The caches that the configuration names. */
export function coherenceOf({ caches, cpus, memoryWords }: MachineConfig): Coherence | null {
  return caches === 'none' ? null : new Coherence(CACHES[caches], cpus, memoryWords);
}
