// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import {
  bugOn,
  defineGuard,
  GFP_ATOMIC,
  GFP_KERNEL,
  load,
  NULL,
  readOnce,
  spinLock,
  spinUnlock,
  writeOnce,
} from '@lockless/cpu';
import { AddressSpace, EAGAIN, ENOMEM, MmStruct, Page, type PteChain, VmAreaStruct } from '@lockless/mm-types';
import { pageChained, pageLocked, pageMapping, pteChainLock, pteChainUnlock, setPageAnon } from '@lockless/page';
import { eachFileVma } from './i-mmap.js';
import { chainAdd, chainHas, type PteChainSpare, pteChainAlloc, pteChainFree } from './pte-chain.js';
import { findPte } from './rmap-objrmap.js';
import { countMapped } from './rmap-pte-chain.js';

const allocateFirst = defineGuard(
  'pageConvertAnon.allocateFirst',
  'page_convert_anon allocates while it converts, as first posted: when memory ends on the way, some entries are in no chain',
);
const underPageTableLock = defineGuard(
  'pageConvertAnon.pageTableLock',
  'page_convert_anon looks for the entry of an area, and adds it to the chain, without page_table_lock',
);

/** Blocks in hand. */
type Spares = Ptr<PteChain>[];

/**
 * page_convert_anon(): a page of a file that is counted gets a chain of its entries, before it is mapped at a place where its areas would not
 * show it.
 *
 * 1. No mapping any more: truncation was faster, and there is nothing to convert;
 * 2. blocks for as many entries as there are, all of them before anything is changed: page_referenced() and try_to_unmap() believe PG_anon,
 *    and an entry in no chain would be unmapped by nobody (D10);
 * 3. i_mmap_lock: no area comes or goes;
 * 4. PG_chainlock: more entries than blocks, because a fork was copying one: again from 2;
 * 5. PG_anon, and an empty chain in the place of the count. From here on who maps the page adds to the chain, with a block of his own; who
 *    unmaps it finds nothing, which is right, because 6 will not find his entry either;
 * 6. for each area, under its page_table_lock (D11): the entry, if it is not in the chain yet.
 *
 * Between 5 and 6 the chain is not complete: page_referenced() may find too few uses, which does no harm, and try_to_unmap() would succeed too
 * early, but needs the page lock.
 *
 * *Context*: page locked, a reference held; may sleep. *Returns* 0, -ENOMEM, and then nothing has changed.
 * *Source*: page_convert_anon(), mm/rmap.c, patch "anobjrmap 1/6" on 2.6.5-rc1. *Differs*: 2 and 4, where the patch allocates in 6 and gives up
 * half way (guard `pageConvertAnon.allocateFirst`); i_shared_sem is a spin lock here, so without 2 it cannot sleep for memory.
 */
export function* pageConvertAnon(page: Ptr<Page>): Op<number> {
  bugOn(!(yield* pageLocked(page)), '!PageLocked(page)');
  const mapping = yield* pageMapping(page);
  if (mapping === NULL || (yield* pageChained(page))) return 0; // 1
  const spares: Spares = [];
  let error = -EAGAIN;
  while (error === -EAGAIN) {
    error = allocateFirst() ? yield* allocate(spares, yield* readOnce(Page.pte(page))) : 0; // 2
    if (error === 0) error = yield* convert(page, mapping, spares);
  }
  for (const chain of spares) yield* pteChainFree(chain);
  return error;
}

function* allocate(spares: Spares, wanted: number): Op<number> {
  while (spares.length < wanted) {
    const chain = yield* pteChainAlloc(GFP_KERNEL);
    if (chain === NULL) return -ENOMEM;
    spares.push(chain);
  }
  return 0;
}

function* convert(page: Ptr<Page>, mapping: Ptr<AddressSpace>, spares: Spares): Op<number> {
  yield* spinLock(AddressSpace.iMmapLock(mapping)); // 3
  let error = yield* startChain(page, spares);
  if (error === 0) {
    yield* eachFileVma(mapping, function* (vma) {
      error = yield* addEntryOf(vma, page, spares);
      return error !== 0;
    });
  }
  yield* spinUnlock(AddressSpace.iMmapLock(mapping));
  return error;
}

/** Steps 4 and 5. *Returns* -EAGAIN when there are too few blocks. */
function* startChain(page: Ptr<Page>, spares: Spares): Op<number> {
  yield* pteChainLock(page);
  const mapcount = yield* readOnce(Page.pte(page));
  const enough = !allocateFirst() || mapcount <= spares.length; // 4
  if (enough) {
    yield* setPageAnon(page); // 5
    if (mapcount > 0) yield* countMapped(page, -1); // The first entry that is added counts the page again.
    yield* writeOnce(Page.pte(page), 0);
  }
  yield* pteChainUnlock(page);
  return enough ? 0 : -EAGAIN;
}

/** Step 6. */
function* addEntryOf(vma: Ptr<VmAreaStruct>, page: Ptr<Page>, spares: Spares): Op<number> {
  if (spares.length === 0 && !allocateFirst()) {
    const error = yield* allocateOne(spares);
    if (error !== 0) return error;
  }
  const lock = MmStruct.pageTableLock(yield* load(VmAreaStruct.vmMm(vma)));
  const locked = underPageTableLock();
  if (locked) yield* spinLock(lock);
  const found = yield* findPte(vma, page);
  if (found !== NULL) {
    const spare: PteChainSpare = { chain: spares.pop() ?? NULL };
    yield* pteChainLock(page);
    // A fork may have added the one that it copied. The patch removes and adds, which comes to the same.
    if (!(yield* chainHas(page, found.ptep)) && (yield* chainAdd(page, found.ptep, spare))) yield* countMapped(page, 1);
    yield* pteChainUnlock(page);
    if (spare.chain !== NULL) spares.push(spare.chain);
  }
  if (locked) yield* spinUnlock(lock);
  return 0;
}

function* allocateOne(spares: Spares): Op<number> {
  const chain = yield* pteChainAlloc(GFP_ATOMIC);
  if (chain === NULL) return -ENOMEM;
  spares.push(chain);
  return 0;
}
