// SPDX-License-Identifier: GPL-2.0-only
import type { StructOf, Vec } from '@lockless/cpu';
import { CACHE_LINE_WORDS, struct } from '@lockless/cpu';

/** Entries in one {@link PteChain}: what is left of a cache line. */
export const NRPTE: number = CACHE_LINE_WORDS - 1;

/**
 * struct pte_chain: addresses of entries that map a page. Filled from the end downwards; only the first block of a page's list has free
 * places. Blocks begin on a cache line, so the low bits of their address are free for a number.
 * *Source*: mm/rmap.c, 2.6.5.
 */
export interface PteChain {
  /** The next block, and in the low bits the place of this block's first entry. */
  nextAndIdx: number;
  ptes: Vec<number>;
}
export const PteChain: StructOf<PteChain> = struct<PteChain>(
  'pte_chain',
  { nextAndIdx: 1, ptes: NRPTE },
  CACHE_LINE_WORDS,
);

const IDX_MASK = CACHE_LINE_WORDS - 1;
/** pte_chain_next(): the address in {@link PteChain.nextAndIdx}. */
export const pteChainNext = (nextAndIdx: number): number => nextAndIdx & ~IDX_MASK;
/** pte_chain_idx(): the number in it. */
export const pteChainIdx = (nextAndIdx: number): number => nextAndIdx & IDX_MASK;
