// SPDX-License-Identifier: MIT
import type { ModelName } from '../result.js';
import type { AccessSite } from './execution.js';
import type { Loops } from './loops.js';
import type { Sharing } from './sharing.js';

/** The table of locations: words that events touch. Numbers begin at 1: `~0` would be no event. */
export class Locations {
  private readonly numbers = new Map<number, number>();
  readonly addresses: number[] = [0];
  readonly initial: number[] = [0];

  of(address: number, initial: number): number {
    const found = this.numbers.get(address);
    if (found !== undefined) return found;
    const number = this.addresses.length;
    this.numbers.set(address, number);
    this.addresses.push(address);
    this.initial.push(initial);
    return number;
  }

  find(address: number): number {
    return this.numbers.get(address) ?? -1;
  }
}

/** Which accesses are left without their ordering. */
export interface Weakening {
  /** Whether any access by that primitive (its row of the table) may be: then {@link weakens} has to be asked about each. */
  mayWeaken(code: number): boolean;
  weakens(site: AccessSite): boolean;
}

/** What changes the meaning of the code's accesses; found out on the way. */
export interface Scope {
  readonly model: ModelName;
  readonly races: boolean;
  readonly sharing: Sharing;
  readonly loops: Loops;
  /** Words that code which looks at the end of executions has read. */
  readonly readAtEnd: Set<number>;
  /** Some thread waits for a grace period, so readers matter. */
  gracePeriods: boolean;
  readonly weaken: Weakening | undefined;
}
