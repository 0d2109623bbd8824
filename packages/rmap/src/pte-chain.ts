// SPDX-License-Identifier: GPL-2.0-only
import type { KmemCache, Null, Op, Ptr, Ref } from '@lockless/cpu';
import {
  bug,
  definePerCpuWord,
  GFP_WAIT,
  kmemCacheAlloc,
  kmemCacheCreate,
  kmemCacheFree,
  load,
  mightSleep,
  NULL,
  preemptDisable,
  preemptEnable,
  readOnce,
  smpProcessorId,
  store,
  writeOnce,
} from '@lockless/cpu';
import { NRPTE, Page, PteChain, pteChainIdx, pteChainNext } from '@lockless/mm-types';
import { clearPageDirect, pageDirect, setPageDirect } from '@lockless/page';
import type { Pte } from './pte.js';

/*
 * The list of a page's entries, as 2.6.5 has it in page->pte: nothing, the address of the one entry (PG_direct), or blocks of NRPTE addresses.
 * All blocks but the first are full, and the first is filled from its end, so a hole is closed with the first block's first entry.
 */

export const pteChainCachep: KmemCache<PteChain> = kmemCacheCreate(PteChain);
/** local_pte_chain: one free block for each CPU, in front of the slab. */
const localPteChain: (cpu: number) => Ref<Ptr<PteChain> | Null> = definePerCpuWord('local_pte_chain');

/** What recording an entry may use up: allocated before spin locks are taken. NULL: used up. */
export interface PteChainSpare {
  chain: Ptr<PteChain> | Null;
}

/**
 * pte_chain_alloc(): an empty block.
 *
 * *Context*: may sleep if `gfp` says so; that is why it is called before spin locks are taken, whether the block will be needed or not.
 * *Returns* NULL when memory is short.
 * *Source*: pte_chain_alloc(), mm/rmap.c, 2.6.5.
 */
export function* pteChainAlloc(gfp: number): Op<Ptr<PteChain> | Null> {
  if ((gfp & GFP_WAIT) !== 0) mightSleep();
  preemptDisable();
  const local = localPteChain(smpProcessorId());
  const cached = yield* load(local);
  if (cached !== NULL) yield* store(local, NULL);
  preemptEnable();
  return cached === NULL ? yield* kmemCacheAlloc(pteChainCachep, gfp) : cached;
}

/**
 * pte_chain_free(): gives a block back that has no entries, to this CPU's place for one; who was there goes to the slab.
 *
 * *Context*: any. *Source*: __pte_chain_free(), mm/rmap.c, 2.6.5.
 */
export function* pteChainFree(chain: Ptr<PteChain>): Op<void> {
  yield* store(PteChain.nextAndIdx(chain), 0);
  preemptDisable();
  const local = localPteChain(smpProcessorId());
  const before = yield* load(local);
  yield* store(local, chain);
  if (before !== NULL) yield* kmemCacheFree(pteChainCachep, before);
  preemptEnable();
}

/**
 * Adds an entry: nothing becomes a direct pointer, a direct pointer becomes a chain.
 *
 * *Context*: PG_chainlock. Takes the block out of `spare` when it needs one.
 * *Returns* whether the page was not mapped before.
 * *Source*: page_add_rmap(), mm/rmap.c, 2.6.5.
 */
export function* chainAdd(page: Ptr<Page>, ptep: Ref<Pte>, spare: PteChainSpare): Op<boolean> {
  const word = yield* load(Page.pte(page));
  if (word === 0) {
    yield* writeOnce(Page.pte(page), ptep as number);
    yield* setPageDirect(page);
    return true;
  }
  if (yield* pageDirect(page)) {
    const chain = takeSpare(spare);
    yield* clearPageDirect(page);
    yield* store(PteChain.ptes(chain, NRPTE - 1), word);
    yield* store(PteChain.ptes(chain, NRPTE - 2), ptep as number);
    yield* store(PteChain.nextAndIdx(chain), NRPTE - 2);
    yield* writeOnce(Page.pte(page), chain as number);
    return false;
  }
  const head = word as Ptr<PteChain>;
  const nextAndIdx = yield* load(PteChain.nextAndIdx(head));
  const first = pteChainIdx(nextAndIdx);
  if (first > 0) {
    yield* store(PteChain.ptes(head, first - 1), ptep as number);
    yield* store(PteChain.nextAndIdx(head), nextAndIdx - 1);
    return false;
  }
  const chain = takeSpare(spare);
  yield* store(PteChain.ptes(chain, NRPTE - 1), ptep as number);
  yield* store(PteChain.nextAndIdx(chain), head + NRPTE - 1);
  yield* writeOnce(Page.pte(page), chain as number);
  return false;
}

function takeSpare(spare: PteChainSpare): Ptr<PteChain> {
  const { chain } = spare;
  if (chain === NULL) bug('page_add_rmap: no pte_chain was allocated');
  spare.chain = NULL;
  return chain;
}

/** Where an entry stands. */
interface ChainPlace {
  readonly chain: Ptr<PteChain>;
  readonly index: number;
}

function* findInChain(page: Ptr<Page>, ptep: Ref<Pte>): Op<ChainPlace | Null> {
  for (let at = yield* load(Page.pte(page)); at !== 0; ) {
    const chain = at as Ptr<PteChain>;
    const nextAndIdx = yield* load(PteChain.nextAndIdx(chain));
    for (let index = pteChainIdx(nextAndIdx); index < NRPTE; index++) {
      if ((yield* load(PteChain.ptes(chain, index))) === (ptep as number)) return { chain, index };
    }
    at = pteChainNext(nextAndIdx);
  }
  return NULL;
}

/** Closes the hole that an entry leaves with the first entry of the first block, which is freed when that was its last. */
function* closeHole(page: Ptr<Page>, { chain, index }: ChainPlace): Op<void> {
  const head = (yield* load(Page.pte(page))) as Ptr<PteChain>;
  const nextAndIdx = yield* load(PteChain.nextAndIdx(head));
  const first = pteChainIdx(nextAndIdx);
  yield* store(PteChain.ptes(chain, index), yield* load(PteChain.ptes(head, first)));
  yield* store(PteChain.ptes(head, first), 0);
  if (first < NRPTE - 1) {
    yield* store(PteChain.nextAndIdx(head), nextAndIdx + 1);
    return;
  }
  yield* writeOnce(Page.pte(page), pteChainNext(nextAndIdx));
  yield* pteChainFree(head);
}

/**
 * Takes an entry off.
 *
 * *Context*: PG_chainlock. *Returns* false when it is not there.
 * *Source*: page_remove_rmap(), mm/rmap.c, 2.6.5.
 */
export function* chainRemove(page: Ptr<Page>, ptep: Ref<Pte>): Op<boolean> {
  if (yield* pageDirect(page)) {
    if ((yield* load(Page.pte(page))) !== (ptep as number)) return false;
    yield* clearDirect(page);
    return true;
  }
  const place = yield* findInChain(page, ptep);
  if (place === NULL) return false;
  yield* closeHole(page, place);
  return true;
}

function* clearDirect(page: Ptr<Page>): Op<void> {
  yield* writeOnce(Page.pte(page), 0);
  yield* clearPageDirect(page);
}

/** Whether an entry is there. *Context*: PG_chainlock. */
export function* chainHas(page: Ptr<Page>, ptep: Ref<Pte>): Op<boolean> {
  if (yield* pageDirect(page)) return (yield* load(Page.pte(page))) === (ptep as number);
  return (yield* findInChain(page, ptep)) !== NULL;
}

/** An entry has moved, as mremap does. *Context*: PG_chainlock; `from` is there unless the page is in conversion. */
export function* chainReplace(page: Ptr<Page>, from: Ref<Pte>, to: Ref<Pte>): Op<void> {
  if (yield* pageDirect(page)) {
    if ((yield* load(Page.pte(page))) === (from as number)) yield* writeOnce(Page.pte(page), to as number);
    return;
  }
  const place = yield* findInChain(page, from);
  if (place !== NULL) yield* store(PteChain.ptes(place.chain, place.index), to as number);
}

/** What a walk does with an entry: it stays, it is taken off, or it stays and the walk ends. */
export type ChainVisit = (ptep: Ref<Pte>) => Op<'keep' | 'drop' | 'stop'>;

/**
 * Calls `visit` for each entry.
 *
 * *Context*: PG_chainlock. When an entry is dropped, the one that takes its place has been visited: it is of the first block, where the
 * walk began, or the dropped one itself.
 * *Source*: the loops of page_referenced() and try_to_unmap(), mm/rmap.c, 2.6.5.
 */
export function* walkChain(page: Ptr<Page>, visit: ChainVisit): Op<void> {
  const word = yield* load(Page.pte(page));
  if (yield* pageDirect(page)) {
    if ((yield* visit(word as Ref<Pte>)) === 'drop') yield* clearDirect(page);
    return;
  }
  for (let at = word; at !== 0; ) {
    const chain = at as Ptr<PteChain>;
    const nextAndIdx = yield* load(PteChain.nextAndIdx(chain));
    for (let index = pteChainIdx(nextAndIdx); index < NRPTE; index++) {
      const ptep = (yield* load(PteChain.ptes(chain, index))) as Ref<Pte>;
      const verdict = yield* visit(ptep);
      if (verdict === 'stop') return;
      if (verdict === 'drop') yield* closeHole(page, { chain, index });
    }
    at = pteChainNext(nextAndIdx);
  }
}

/** A chain of one entry becomes a direct pointer. *Context*: PG_chainlock. *Source*: page_referenced(), mm/rmap.c, 2.6.5. */
export function* collapseChain(page: Ptr<Page>): Op<void> {
  const word = yield* readOnce(Page.pte(page));
  if (word === 0 || (yield* pageDirect(page))) return;
  const chain = word as Ptr<PteChain>;
  if ((yield* load(PteChain.nextAndIdx(chain))) !== NRPTE - 1) return;
  yield* writeOnce(Page.pte(page), yield* load(PteChain.ptes(chain, NRPTE - 1)));
  yield* setPageDirect(page);
  yield* store(PteChain.ptes(chain, NRPTE - 1), 0);
  yield* pteChainFree(chain);
}
