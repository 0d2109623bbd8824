// SPDX-License-Identifier: GPL-2.0-only
import {
  load,
  NULL,
  type Null,
  type Op,
  type Ptr,
  type Ref,
  readOnce,
  spinLock,
  spinUnlock,
  store,
} from '@lockless/cpu';
import { hpagePmdNr, isHugeZeroPmd } from '@lockless/huge-memory';
import { MmStruct, type Page, VmAreaStruct } from '@lockless/mm-types';
import { getPage, pageCount, pageMapcount, pfnToPage, putPage, zeroPage } from '@lockless/page';
import {
  mkPte,
  nextPteRange,
  type OnHugePage,
  type Pgprot,
  type Pte,
  pageRemoveRmap,
  pmdTransHuge,
  pteMkspecial,
  ptePfn,
  ptePresent,
  ptepClearFlushNotify,
  readPte,
  setPteAt,
  splitIfHuge,
  vmGetPageProt,
  vmNormalPage,
} from '@lockless/rmap';
import { readContent } from './content.js';
import { mmOption } from './mm-options.js';

/**
 * What advice that gives memory up does at a huge page: one that others map too is left alone, as is the huge zero page; another one is split, and its
 * pages that are all zeros are given back at once: the zero page is mapped in their place.
 *
 * *Context*: mmap_sem for reading, no spin lock; the pagevecs are drained.
 * *Source*: `madvise_cold_or_pageout_pte_range`, mm/madvise.c, 5.4; `madvise_free_huge_pmd`, mm/huge_memory.c, 4.5; zeros: `try_to_map_unused_to_zeropage`,
 * mm/migrate.c, 6.12. *Differs*: a whole one that MADV_FREE is told of is split too; its zeros stay then.
 */
export const giveUpHuge = (mm: Ptr<MmStruct>, vma: Ptr<VmAreaStruct>, advice: 'pageout' | 'free'): OnHugePage =>
  function* (address, pmd, whole) {
    const page = yield* ownHugePage(mm, pmd);
    if (page === 'not ours') return true;
    if (page === NULL) return false;
    const split = yield* splitIfHuge(page);
    yield* putPage(page);
    const first = address - (address % hpagePmdNr());
    const drops = mmOption('splitDropsZeros') !== 0 && !(whole && advice === 'free');
    if (split && drops) yield* dropZeros(mm, vma, first);
    return false;
  };

/** The huge page that an entry maps, if nobody else maps it, with a reference; NULL: it maps none any more. */
function* ownHugePage(mm: Ptr<MmStruct>, pmd: Ref<Pte>): Op<Ptr<Page> | Null | 'not ours'> {
  yield* spinLock(MmStruct.pageTableLock(mm));
  const entry = yield* readOnce(pmd);
  let found: Ptr<Page> | Null | 'not ours' = NULL;
  if (pmdTransHuge(entry)) {
    const page = pfnToPage(ptePfn(entry));
    const ours = !isHugeZeroPmd(entry) && (yield* pageMapcount(page)) === 1;
    if (ours) yield* getPage(page);
    found = ours ? page : 'not ours';
  }
  yield* spinUnlock(MmStruct.pageTableLock(mm));
  return found;
}

/** The pages of zeros of what was a huge page. *Context*: as {@link giveUpHuge}. */
function* dropZeros(mm: Ptr<MmStruct>, vma: Ptr<VmAreaStruct>, first: number): Op<void> {
  const range = yield* nextPteRange(mm, first, first + hpagePmdNr());
  if (range === NULL) return;
  const prot = vmGetPageProt(yield* load(VmAreaStruct.vmFlags(vma)));
  const dropped: Ptr<Page>[] = [];
  yield* spinLock(MmStruct.pageTableLock(mm));
  for (let at = range.address; at < range.end; at++) {
    const page = yield* mapZeroInstead(mm, at, (range.ptes + (at - range.address)) as Ref<Pte>, prot);
    if (page !== NULL) dropped.push(page);
  }
  yield* store(MmStruct.anonRss(mm), (yield* load(MmStruct.anonRss(mm))) - dropped.length);
  yield* spinUnlock(MmStruct.pageTableLock(mm));
  for (const page of dropped) yield* putPage(page);
}

/** *Context*: page table lock. *Returns* the page that was mapped; its reference is the caller's. *Ordering*: it is looked at again after the flush, of other MMUs too. */
function* mapZeroInstead(mm: Ptr<MmStruct>, address: number, ptep: Ref<Pte>, prot: Pgprot): Op<Ptr<Page> | Null> {
  const pte = yield* readPte(ptep);
  const page = ptePresent(pte) ? vmNormalPage(NULL, address, pte) : NULL;
  if (page === NULL || !(yield* isUnused(page))) return NULL;
  const old = yield* ptepClearFlushNotify(mm, address, ptep);
  const unused = yield* isUnused(page);
  yield* setPteAt(mm, address, ptep, unused ? pteMkspecial(mkPte(zeroPage(), prot)) : old);
  if (!unused) return NULL;
  yield* pageRemoveRmap(page, ptep);
  return page;
}

/** All zeros, and only the one entry has a reference. */
function* isUnused(page: Ptr<Page>): Op<boolean> {
  if ((yield* pageCount(page)) !== 1 || (yield* pageMapcount(page)) !== 1) return false;
  const { identity, version } = yield* readContent(page);
  return identity === 0 && version === 0;
}
