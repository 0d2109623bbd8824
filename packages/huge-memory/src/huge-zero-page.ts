// SPDX-License-Identifier: GPL-2.0-only
import {
  bugOn,
  defineWord,
  GFP_COMP,
  GFP_KERNEL,
  NULL,
  type Null,
  type Op,
  type Ptr,
  peek,
  poke,
  type Ref,
  readOnce,
  spinLock,
  spinUnlock,
  writeOnce,
} from '@lockless/cpu';
import { MmStruct, type Page } from '@lockless/mm-types';
import { mmuNotifierInvalidateRangeEnd, mmuNotifierInvalidateRangeStart } from '@lockless/mmu-notifier';
import { allocPages, nonAtomicSetPageReserved, setPageUptodate, zeroPage } from '@lockless/page';
import { movedHugePmd, type Pte, pmdpInvalidate, pmdTransHuge, ptePartOfHuge, pteSpecial } from '@lockless/rmap';
import { hpagePmdNr, hpagePmdOrder } from './config.js';
import { installTable, withdraw } from './deposit.js';
import { nthPage } from './split-refcount.js';

/*
 * A huge page of zeros, mapped read-only wherever memory is read that was never written and has room for a huge page. Its entries are special, as those
 * of the small zero page: they count in no rss and in no mapcount, so the reverse mapping never meets it.
 */

const zeroHead: Ref<Ptr<Page> | Null> = defineWord('huge_zero_page');

/** The huge zero page; NULL: reads give huge pages. Constant after boot. */
export const hugeZeroPage = (): Ptr<Page> | Null => peek(zeroHead);

/** is_huge_zero_pmd(). */
export const isHugeZeroPmd = (entry: number): boolean => pmdTransHuge(entry) && pteSpecial(entry as Pte);

/**
 * get_huge_zero_page().
 *
 * *Context*: boot. *Source*: mm/huge_memory.c, 3.8. *Differs*: made at boot and reserved, not at the first use and given back under pressure.
 */
export function* hugeZeroPageInit(): Op<void> {
  const head = yield* allocPages(GFP_KERNEL | GFP_COMP, hpagePmdOrder());
  bugOn(head === NULL, 'no memory for the huge zero page');
  for (let i = 0; i < hpagePmdNr(); i++) yield* nonAtomicSetPageReserved(nthPage(head as Ptr<Page>, i));
  yield* setPageUptodate(head as Ptr<Page>);
  poke(zeroHead, head);
}

/**
 * __split_huge_zero_page_pmd(): in the place of the entry a table, whose entries map the small zero page.
 *
 * *Context*: mmap_sem; no spin lock. `address` is the first of the entry's. Nothing is done when the entry has changed. *Source*: mm/huge_memory.c, 3.8.
 */
export function* splitHugeZeroPmd(mm: Ptr<MmStruct>, address: number, pmd: Ref<Pte>): Op<void> {
  yield* spinLock(MmStruct.pageTableLock(mm));
  if (isHugeZeroPmd(yield* readOnce(pmd))) {
    const end = address + hpagePmdNr();
    yield* mmuNotifierInvalidateRangeStart(mm, address, end);
    const table = yield* withdraw(mm);
    const entry = ptePartOfHuge(movedHugePmd(yield* pmdpInvalidate(mm, pmd), zeroPage()), 0);
    for (let i = 0; i < hpagePmdNr(); i++) yield* writeOnce((table + i) as Ref<Pte>, entry);
    yield* installTable(mm, pmd, table);
    yield* mmuNotifierInvalidateRangeEnd(mm, address, end);
  }
  yield* spinUnlock(MmStruct.pageTableLock(mm));
}
