// SPDX-License-Identifier: GPL-2.0-only
import { kmemCacheOf } from '@lockless/cpu';
import type { ReverseMappingResult } from '@lockless/report';

/* Bytes of an object on a 32-bit machine. */
const PTE_CHAIN_BYTES = 64;
const ANON_VMA_BYTES = 12;
/** What anon_vma adds to each area: a list head and a pointer. */
const AREA_BYTES = 12;

const cacheNamed = (name: string): number => {
  for (let id = 0; ; id++) if (kmemCacheOf(id).type.$name === name) return id;
};

/** The memory that a reverse mapping takes, at its highest. Looks at the heap from outside, after each operation. */
export class Bookkeeping {
  private readonly design: string;
  private readonly chains = cacheNamed('pte_chain');
  private readonly anonVmas = cacheNamed('anon_vma');
  private readonly areas = cacheNamed('vm_area_struct');
  private highest = { pteChains: 0, anonVmas: 0, bytes: 0 };

  constructor(design: string) {
    this.design = design;
  }

  look(live: readonly number[]): void {
    const pteChains = live[this.chains] ?? 0;
    const anonVmas = live[this.anonVmas] ?? 0;
    const areas = this.design === 'anon-vma' ? (live[this.areas] ?? 0) : 0;
    const bytes = pteChains * PTE_CHAIN_BYTES + anonVmas * ANON_VMA_BYTES + areas * AREA_BYTES;
    if (bytes > this.highest.bytes) this.highest = { pteChains, anonVmas, bytes };
  }

  result(): ReverseMappingResult {
    return this.highest;
  }
}
