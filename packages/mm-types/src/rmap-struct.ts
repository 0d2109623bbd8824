// SPDX-License-Identifier: GPL-2.0-only
import type { Embed, Ptr, SpinLock, StructOf, Vec } from '@lockless/cpu';
import { CACHE_LINE_WORDS, ListHead, struct } from '@lockless/cpu';
import type { MmStruct } from './mm-struct.js';

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

/**
 * struct anonhd: the address spaces that may share anonymous pages: those that descend from one exec by fork. An anonymous page's mapping is
 * this, its index the page number at which each of them that has it maps it.
 * *Source*: Hugh Dickins, "anobjrmap", 2003 and 2004; there the first struct anonmm of a family is its head.
 */
export interface Anonhd {
  lock: SpinLock;
  /** {@link Anonmm.list}. */
  mms: Embed<ListHead>;
}
export const Anonhd: StructOf<Anonhd> = struct<Anonhd>('anonhd', { lock: 1, mms: ListHead });

/** struct anonmm: one address space of a family. */
export interface Anonmm {
  mm: Ptr<MmStruct>;
  head: Ptr<Anonhd>;
  list: Embed<ListHead>;
}
export const Anonmm: StructOf<Anonmm> = struct<Anonmm>('anonmm', { mm: 1, head: 1, list: ListHead });

/**
 * struct anon_vma of 2.6.35 to 3.x: the anon_vmas of a process and its descendants form a tree, and the lock of all of them is that of the root.
 */
export interface RootedAnonVma {
  /** This one, or the one whose lock counts. */
  root: Ptr<RootedAnonVma>;
  lock: SpinLock;
  /** 3.0: users that keep it although no area has it. */
  refcount: number;
  /** Its areas, by `anonVmaNode`. */
  head: Embed<ListHead>;
}
export const RootedAnonVma: StructOf<RootedAnonVma> = struct<RootedAnonVma>('rooted_anon_vma', {
  root: 1,
  lock: 1,
  refcount: 1,
  head: ListHead,
});
