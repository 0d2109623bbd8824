// SPDX-License-Identifier: MIT
import { PRIMITIVES } from '@lockless/cpu';

/** One access that was performed. */
export interface PerformedAccess {
  /** The primitive, in the kernel's spelling. */
  readonly name: string;
  readonly address: number;
  /** What was read, stored or returned. */
  readonly value: number;
}

const FIELDS = 3;

/** The last accesses of each CPU. */
export class History {
  private readonly ring: Int32Array;
  private readonly size: number;
  /** Accesses of each CPU so far. */
  private readonly count: Float64Array;

  constructor(cpus: number, size: number) {
    this.ring = new Int32Array(cpus * size * FIELDS);
    this.size = size;
    this.count = new Float64Array(cpus);
  }

  record(cpu: number, code: number, address: number, value: number): void {
    const at = (cpu * this.size + (this.count[cpu]++ % this.size)) * FIELDS;
    this.ring[at] = code;
    this.ring[at + 1] = address;
    this.ring[at + 2] = value;
  }

  /** Oldest first. */
  last(cpu: number): PerformedAccess[] {
    const kept = Math.min(this.count[cpu], this.size);
    return Array.from({ length: kept }, (_, i) => {
      const at = (cpu * this.size + ((this.count[cpu] - kept + i) % this.size)) * FIELDS;
      const [code, address, value] = this.ring.subarray(at, at + FIELDS);
      return { name: PRIMITIVES[code].name, address, value };
    });
  }
}
