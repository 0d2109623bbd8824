// SPDX-License-Identifier: GPL-2.0-only
import { anonVmaCachep } from './anon-vma.js';
import { anonhdCachep, anonmmCachep } from './anonmm.js';
import { pteChainCachep } from './pte-chain.js';
import { inUse } from './reverse-mapping.js';
import { type RmapWork, rmapWork } from './rmap-work.js';
import { vmAreaCachep } from './vma.js';

/* Bytes of an object on a 32-bit machine. */
const PTE_CHAIN_BYTES = 64;
const ANON_VMA_BYTES = 12;
const ANONHD_BYTES = 12;
/** Four words, and the pointer in mm_struct. */
const ANONMM_BYTES = 20;
/** What anon_vma adds to each area: a list head and a pointer. */
const AREA_BYTES = 12;

/** What the reverse mapping has done since boot, and the memory that it takes now. */
export interface RmapStatistics extends RmapWork {
  readonly pteChains: number;
  readonly anonVmas: number;
  readonly anonhds: number;
  readonly anonmms: number;
  /** Of chains and groups, and of what they add to areas. Without struct page, which has a word for each design. */
  readonly bytes: number;
}

/** Looks from outside. `live`: objects by number of their cache, as an engine's heap counts them. */
export function rmapStatistics(live: readonly number[]): RmapStatistics {
  const of = ({ id }: { readonly id: number }): number => live[id] ?? 0;
  const pteChains = of(pteChainCachep);
  const anonVmas = of(anonVmaCachep);
  const anonhds = of(anonhdCachep);
  const anonmms = of(anonmmCachep);
  const areas = inUse().anonVmas ? of(vmAreaCachep) : 0;
  const bytes =
    pteChains * PTE_CHAIN_BYTES +
    anonVmas * ANON_VMA_BYTES +
    areas * AREA_BYTES +
    anonhds * ANONHD_BYTES +
    anonmms * ANONMM_BYTES;
  return { ...rmapWork(), pteChains, anonVmas, anonhds, anonmms, bytes };
}
