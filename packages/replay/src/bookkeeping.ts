// SPDX-License-Identifier: GPL-2.0-only

import { rmapStatistics } from '@lockless/mm';
import type { ReverseMappingResult } from '@lockless/report';

/** The memory that a reverse mapping takes, at its highest. Looks at the heap from outside, after each operation. */
export class Bookkeeping {
  private highest: ReverseMappingResult = { pteChains: 0, anonVmas: 0, bytes: 0 };

  look(live: readonly number[]): void {
    const { pteChains, anonVmas, bytes } = rmapStatistics(live);
    if (bytes > this.highest.bytes) this.highest = { pteChains, anonVmas, bytes };
  }

  result(): ReverseMappingResult {
    return this.highest;
  }
}
