// SPDX-License-Identifier: MIT
import type { FaultKind } from '@lockless/cpu';
import type { Random } from './random.js';
import type { Statistics } from './statistics.js';

/** Decides, from the seed, what fails. */
export class FaultInjection {
  private readonly rates: Readonly<Record<FaultKind, number>>;
  private readonly random: Random;
  private readonly statistics: Statistics;
  /** Nothing fails while the machine boots. */
  armed = false;

  constructor(rates: Readonly<Record<FaultKind, number>>, random: Random, statistics: Statistics) {
    this.rates = rates;
    this.random = random;
    this.statistics = statistics;
  }

  shouldFail(kind: FaultKind): boolean {
    if (!this.armed || !this.random.chance(this.rates[kind])) return false;
    this.statistics.injected[kind]++;
    return true;
  }

  /** Which of n it hits. */
  below(n: number): number {
    return this.random.below(n);
  }
}
