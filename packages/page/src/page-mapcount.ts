// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr, Ref } from '@lockless/cpu';
import {
  clearBitUnlock,
  cpuRelax,
  defineWord,
  load,
  peek,
  poke,
  preemptDisable,
  preemptEnable,
  readOnce,
  testAndSetBitLock,
  testBit,
} from '@lockless/cpu';
import { NRPTE, Page, PG_ANON, PG_CHAINLOCK, PG_DIRECT, PteChain, pteChainIdx, pteChainNext } from '@lockless/mm-types';
import { headOf } from './compound-page.js';

/*
 * How often a page is mapped. With anon_vma, _mapcount + 1; the reverse mappings before it have the union page->pte instead, in which a
 * count is one of three things. Which of the two a kernel has is fixed at boot.
 */
const PTE_CHAINS = 1;
const OBJRMAP = 2;
const COUNTS = 3;
const design: Ref<number> = defineWord('page_pte_union');

/** Which pages list their entries in page->pte; of the others there is the number of entries. */
type Chains = 'of-all-pages' | 'of-anonymous-pages' | 'of-no-page';
const DESIGNS: Readonly<Record<Chains, number>> = {
  'of-all-pages': PTE_CHAINS,
  'of-anonymous-pages': OBJRMAP,
  'of-no-page': COUNTS,
};

/**
 * The reverse mapping keeps the entries of pages in page->pte: those of all pages, or (objrmap) of those with PG_anon, or (anonmm) only their number.
 * *Context*: boot.
 */
export const usePteUnion = (chains: Chains): void => poke(design, DESIGNS[chains]);

/** Whether page->pte is in use, and _mapcount is not. Constant after boot. */
export const pteUnionInUse = (): boolean => peek(design) !== 0;

const isChained = (flags: number): boolean => peek(design) === PTE_CHAINS || (flags & (1 << PG_ANON)) !== 0;

/**
 * pte_chain_lock(): the spin lock over page->pte.
 *
 * *Context*: page_table_lock may be held; while this lock is, page_table_lock may only be tried. Preemption is off until the unlock.
 * *Ordering*: acquire; partner: {@link pteChainUnlock} of the holder before.
 * *Source*: pte_chain_lock(), include/linux/rmap-locking.h, 2.6.5; rmap_lock() in 2.6.6.
 */
export function* pteChainLock(page: Ptr<Page>): Op<void> {
  preemptDisable();
  while (yield* testAndSetBitLock(PG_CHAINLOCK, Page.flags(page))) {
    preemptEnable();
    while (yield* testBit(PG_CHAINLOCK, Page.flags(page))) yield* cpuRelax();
    preemptDisable();
  }
}

/** pte_chain_unlock(). *Ordering*: release; partner: {@link pteChainLock}. */
export function* pteChainUnlock(page: Ptr<Page>): Op<void> {
  yield* clearBitUnlock(PG_CHAINLOCK, Page.flags(page));
  preemptEnable();
}

/** page_mapped(): some page table maps it. */
export function* pageMapped(page: Ptr<Page>): Op<boolean> {
  if (pteUnionInUse()) return (yield* readOnce(Page.pte(page))) !== 0;
  return (yield* readOnce(Page._mapcount(page))) >= 0;
}

/**
 * page_mapcount(): number of page table entries that map the page. Stable under the lock of those tables.
 *
 * *Context*: PG_chainlock not held. *Source*: include/linux/mm.h, 2.6.27. *Differs*: 2.6.5 has no such count and compares page_count()
 * where 2.6.27 asks for it; the chains are counted here.
 */
export function* pageMapcount(page: Ptr<Page>): Op<number> {
  if (!pteUnionInUse()) return (yield* readOnce(Page._mapcount(page))) + 1;
  yield* pteChainLock(page);
  const mapcount = yield* countEntries(page);
  yield* pteChainUnlock(page);
  return mapcount;
}

function* countEntries(page: Ptr<Page>): Op<number> {
  const word = yield* readOnce(Page.pte(page));
  const flags = yield* readOnce(Page.flags(page));
  if (word === 0 || !isChained(flags)) return word;
  if ((flags & (1 << PG_DIRECT)) !== 0) return 1;
  let entries = 0;
  for (let chain = word; chain !== 0; ) {
    const nextAndIdx: number = yield* load(PteChain.nextAndIdx(chain as Ptr<PteChain>));
    entries += NRPTE - pteChainIdx(nextAndIdx);
    chain = pteChainNext(nextAndIdx);
  }
  return entries;
}

/** The entries that page->pte names; null when it is a mere count. For tools that look from outside. */
export function chainedEntries(page: Ptr<Page>): number[] | null {
  const word = peek(Page.pte(page));
  const flags = peek(Page.flags(page));
  if (!isChained(flags)) return null;
  if (word === 0) return [];
  if ((flags & (1 << PG_DIRECT)) !== 0) return [word];
  const entries: number[] = [];
  for (let chain = word; chain !== 0; ) {
    const nextAndIdx = peek(PteChain.nextAndIdx(chain as Ptr<PteChain>));
    for (let i = pteChainIdx(nextAndIdx); i < NRPTE; i++) entries.push(peek(PteChain.ptes(chain as Ptr<PteChain>, i)));
    chain = pteChainNext(nextAndIdx);
  }
  return entries;
}

/** {@link pageMapcount}, looked at from outside. */
export function mapcountOf(page: Ptr<Page>): number {
  // Tails are mapped with their head; what they have in their place is another count.
  if (!pteUnionInUse()) return peek(Page._mapcount(headOf(page))) + 1;
  return chainedEntries(page)?.length ?? peek(Page.pte(page));
}
