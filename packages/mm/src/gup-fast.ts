// SPDX-License-Identifier: GPL-2.0-only
import {
  current,
  defineGuard,
  downRead,
  load,
  NULL,
  type Op,
  type Ptr,
  type Ref,
  readOnce,
  upRead,
} from '@lockless/cpu';
import { EFAULT, MmStruct, type Page, taskMm } from '@lockless/mm-types';
import { getPage, pageCacheGetSpeculative, pfnToPage, putPage } from '@lockless/page';
import { rcuReadLock, rcuReadUnlock } from '@lockless/rcu';
import {
  beginTranslation,
  endTranslation,
  hugePmdsInUse,
  nextPteRange,
  PTE_PRESENT,
  PTE_RW,
  PTE_SPECIAL,
  PTE_USER,
  type Pte,
  type PteRange,
  ptePfn,
  readPte,
} from '@lockless/rmap';
import { FOLL_WRITE, getUserPages } from './gup.js';
import { mmOption } from './mm-options.js';

const irqsOff = defineGuard(
  'getUserPagesFast.irqsOff',
  'get_user_pages_fast leaves interrupts on: a TLB flush does not wait for its walk',
);
const getUnlessZero = defineGuard(
  'getUserPagesFast.getUnlessZero',
  'get_user_pages_fast takes a plain reference to a page that may be free by then',
);
const pteRecheck = defineGuard(
  'getUserPagesFast.pteRecheck',
  'get_user_pages_fast does not look at the entry again once it has the reference',
);
const pmdRecheck = defineGuard(
  'getUserPagesFast.pmdRecheck',
  'get_user_pages_fast does not look again at the entry above the table: the pages of the table are being collapsed (before 70cbc3cc78a9)',
);

/**
 * __get_user_pages_fast(): {@link getUserPagesFast} as far as no lock is needed, for who may not sleep.
 *
 * *Context*: any, with an mm. *Returns* how many pages it got. *Source*: arch/x86/mm/gup.c, 2.6.31.
 */
export function* getUserPagesFastOnly(start: number, nrPages: number, write: boolean, pages: Ptr<Page>[]): Op<number> {
  const mm = yield* load(taskMm(current()));
  return mm === NULL ? 0 : yield* gupPgdRange(mm, start, start + nrPages, write, pages);
}

/**
 * get_user_pages_fast(): {@link getUserPages} of the current task's memory, without a lock where the page table permits the access.
 *
 * The walk is the hardware's, done by the kernel. With interrupts off this CPU does not answer a TLB flush, and what is taken out of a page
 * table, pages and tables, is freed after the flush only:
 *
 *   1. interrupts off; 2. read the tables, down to the entry; 3. a reference to the page; 4. interrupts on.
 *   A. clear the entry; B. flush: wait until no CPU that was past 1 is before 4; C. drop the entry's reference, free the table.
 *
 * 2 before A: B waits for 4, so the reference of 3 comes before C. A before 2: the entry is not found. So a plain get_page() does in 3.
 * Where a flush sends no interrupts (mmOption `gupSpeculative`) the page may be free by 3: get_page_unless_zero(), and then
 * 3b. the entry again: unchanged, it still maps the page, and its own reference goes later than ours came (kernel-facts 1.3).
 *
 * *Context*: a task with an mm; sleeps, unless all is there. `pages` gets the pages appended.
 * *Returns* as {@link getUserPages}.
 * *Ordering*: full barrier between 1 and 2, release in 4; partner: {@link flushTlbMm}. 3 is a full barrier, so 3b comes after it.
 * *Source*: `get_user_pages_fast`, arch/x86/mm/gup.c, 2.6.27; 3b as in arch/powerpc/mm/gup.c and, since 4.14, mm/gup.c.
 */
export function* getUserPagesFast(start: number, nrPages: number, write: boolean, pages: Ptr<Page>[]): Op<number> {
  const mm = yield* load(taskMm(current()));
  if (mm === NULL) return -EFAULT;
  const got = yield* gupPgdRange(mm, start, start + nrPages, write, pages);
  if (got === nrPages) return got;
  yield* downRead(MmStruct.mmapSem(mm));
  const rest = yield* getUserPages(mm, start + got, nrPages - got, write ? FOLL_WRITE : 0, pages);
  yield* upRead(MmStruct.mmapSem(mm));
  if (got === 0) return rest;
  return rest < 0 ? got : got + rest;
}

/** Walks as far as all is present and permitted. *Returns* how many pages it got. */
function* gupPgdRange(mm: Ptr<MmStruct>, start: number, end: number, write: boolean, pages: Ptr<Page>[]): Op<number> {
  const announced = irqsOff();
  if (announced) yield* beginTranslation(mm); // 1
  let address = start;
  while (address < end) {
    const range = yield* nextPteRange(mm, address, end, leaveHugePage); // 2
    if (range === NULL || range.address !== address) break;
    while (address < range.end) {
      if (!(yield* gupPte(range, (range.ptes + (address - range.address)) as Ref<Pte>, write, pages))) break;
      address++;
    }
    if (address < range.end) break;
  }
  if (announced) yield* endTranslation(); // 4
  return address - start;
}

/** A huge page is left to the slow way, which takes the lock of its entry. */
function* leaveHugePage(): Op<boolean> {
  return true;
}

/** gup_pte_range(), one entry of it. *Returns* false when it needs a fault. */
function* gupPte(range: PteRange, ptep: Ref<Pte>, write: boolean, pages: Ptr<Page>[]): Op<boolean> {
  if (mmOption('gupSpeculative') === 0) return yield* gupEntry(range, ptep, write, pages);
  // A reader from the entry to the second look at it, as all who take references on the strength of a pointer alone.
  yield* rcuReadLock();
  const got = yield* gupEntry(range, ptep, write, pages);
  yield* rcuReadUnlock();
  return got;
}

/**
 * The entry, or the one above its table. A collapse empties that first, and leaves the table as it is until it has looked at the counts of its pages.
 * *Source*: 70cbc3cc78a9 "mm: gup: fix the fast GUP race against THP collapse" (6.1).
 */
function* changedMeanwhile({ pmd, table }: PteRange, ptep: Ref<Pte>, pte: Pte): Op<boolean> {
  if (pteRecheck() && (yield* readOnce(ptep)) !== pte) return true;
  return hugePmdsInUse() && pmdRecheck() && (yield* readOnce(pmd)) !== table;
}

function* gupEntry(range: PteRange, ptep: Ref<Pte>, write: boolean, pages: Ptr<Page>[]): Op<boolean> {
  const needs = PTE_PRESENT | PTE_USER | (write ? PTE_RW : 0);
  const pte = yield* readPte(ptep);
  if ((pte & (needs | PTE_SPECIAL)) !== needs) return false;
  const page = pfnToPage(ptePfn(pte));
  if (mmOption('gupSpeculative') === 0 || !getUnlessZero())
    yield* getPage(page); // 3
  else if (!(yield* pageCacheGetSpeculative(page))) return false;
  if (mmOption('gupSpeculative') !== 0 && (yield* changedMeanwhile(range, ptep, pte))) {
    yield* putPage(page); // 3b
    return false;
  }
  pages.push(page);
  return true;
}
