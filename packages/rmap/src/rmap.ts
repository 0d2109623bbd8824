// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr, Ref } from '@lockless/cpu';
import { bugOn, defineGuard, load, NULL, readOnce, spinLock, spinUnlock } from '@lockless/cpu';
import type { Page } from '@lockless/mm-types';
import {
  type MmStruct,
  VM_LOCKED,
  VM_MAYSHARE,
  VM_SHARED,
  VM_STACK_INCOMPLETE_SETUP,
  VmAreaStruct,
} from '@lockless/mm-types';
import {
  pageAnon,
  pageHead,
  pageLazyfree,
  pageLocked,
  pageMapcount,
  pageMapped,
  pageMapping,
  pageSwapCache,
  pageToPfn,
  putPage,
  testClearPageReferenced,
  trylockPage,
  unlockPage,
} from '@lockless/page';
import { hugePmdsInUse, pmdTransHuge } from './huge-pmd.js';
import { discardLazyfree } from './lazyfree.js';
import { pageRemoveRmap } from './page-rmap.js';
import { pmdOffset, pteLockptr } from './pgtable.js';
import type { Pte } from './pte.js';
import { pteDirty, pteMkclean, ptePfn, pteWrite, pteWrprotect } from './pte.js';
import { setPteAt } from './pte-access.js';
import { ptepClearFlushNotify, ptepClearFlushYoungNotify } from './pte-notify.js';
import { tryToUnmapNonlinear } from './rmap-nonlinear.js';
import { NOT_IN_VMA, pageCheckAddress, type RmapVisit, vmaAddress, walkAnonVmas, walkFileVmas } from './rmap-walk.js';
import { countRmap } from './rmap-work.js';
import { canUnmap, unmapEntry } from './unmap-entry.js';

/** What try_to_unmap() says: no entry is left; some is, try again later; some is and must stay. */
export const SWAP_SUCCESS = 0;
export const SWAP_AGAIN = 1;
export const SWAP_FAIL = 2;
export type SwapResult = typeof SWAP_SUCCESS | typeof SWAP_AGAIN | typeof SWAP_FAIL;

/** An entry that maps the page, its lock held. */
interface MappedAt {
  readonly mm: Ptr<MmStruct>;
  readonly address: number;
  readonly ptep: Ref<Pte>;
}

function* findEntry(page: Ptr<Page>, vma: Ptr<VmAreaStruct>, sync: boolean): Op<MappedAt | Null> {
  const address = yield* vmaAddress(page, vma);
  if (address === NOT_IN_VMA) return NULL;
  const ptep = yield* pageCheckAddress(page, vma, address, sync);
  return ptep === NULL ? NULL : { mm: yield* load(VmAreaStruct.vmMm(vma)), address, ptep };
}

const unlockEntry = (at: MappedAt): Op<void> => spinUnlock(pteLockptr(at.mm, at.ptep));

/**
 * page_mapped_in_vma(): whether an area maps a page.
 *
 * *Context*: as {@link vmaAddress}. *Source*: page_mapped_in_vma(), mm/rmap.c, 2.6.28.
 */
export function* pageMappedInVma(page: Ptr<Page>, vma: Ptr<VmAreaStruct>): Op<boolean> {
  const at = yield* findEntry(page, vma, true);
  if (at === NULL) return false;
  yield* unlockEntry(at);
  return true;
}

/** Uses found so far, and mappings not yet seen: no need to walk on when none is left. */
interface ReferenceCount {
  referenced: number;
  mappings: number;
}

/** The huge entry of an area that maps a page, its lock held. *Source*: page_referenced_one(), mm/rmap.c, 2.6.38. */
function* findHugeEntry(page: Ptr<Page>, vma: Ptr<VmAreaStruct>): Op<MappedAt | Null> {
  if (!hugePmdsInUse() || !(yield* pageHead(page))) return NULL;
  const address = yield* vmaAddress(page, vma);
  if (address === NOT_IN_VMA) return NULL;
  const mm = yield* load(VmAreaStruct.vmMm(vma));
  const pmd = yield* pmdOffset(mm, address);
  if (pmd === NULL) return NULL;
  yield* spinLock(pteLockptr(mm, pmd));
  const entry = yield* readOnce(pmd);
  if (pmdTransHuge(entry) && ptePfn(entry) === pageToPfn(page)) return { mm, address, ptep: pmd };
  yield* spinUnlock(pteLockptr(mm, pmd));
  return NULL;
}

/** page_referenced_one(). *Returns* true when the walk can end. */
function* pageReferencedOne(page: Ptr<Page>, vma: Ptr<VmAreaStruct>, count: ReferenceCount): Op<boolean> {
  countRmap('referencedSteps');
  const at = (yield* findEntry(page, vma, false)) || (yield* findHugeEntry(page, vma));
  if (at === NULL) return false;
  if (((yield* load(VmAreaStruct.vmFlags(vma))) & VM_LOCKED) !== 0) {
    // A locked page is always in use, whatever the other areas say.
    count.referenced++;
    count.mappings = 1;
  } else if (yield* ptepClearFlushYoungNotify(at.mm, at.address, at.ptep)) {
    count.referenced++;
  }
  count.mappings--;
  yield* unlockEntry(at);
  return count.mappings <= 0;
}

function* pageReferencedAnon(page: Ptr<Page>): Op<number> {
  const count: ReferenceCount = { referenced: 0, mappings: yield* pageMapcount(page) };
  yield* walkAnonVmas(page, (vma) => pageReferencedOne(page, vma, count));
  return count.referenced;
}

function* pageReferencedFile(page: Ptr<Page>): Op<number> {
  bugOn(!(yield* pageLocked(page)), '!PageLocked(page)');
  const mapping = yield* pageMapping(page);
  if (mapping === NULL) return 0;
  const count: ReferenceCount = { referenced: 0, mappings: yield* pageMapcount(page) };
  yield* walkFileVmas(mapping, function* (vma) {
    if (((yield* load(VmAreaStruct.vmFlags(vma))) & (VM_LOCKED | VM_MAYSHARE)) === (VM_LOCKED | VM_MAYSHARE)) {
      count.referenced++;
      return true;
    }
    return yield* pageReferencedOne(page, vma, count);
  });
  return count.referenced;
}

/**
 * page_referenced(): how many entries used the page since the last call, plus one for PG_referenced; clears all these marks.
 *
 * *Context*: a reference on the page; `isLocked`: the caller has locked it, else a file page is only tried to be locked, and counts
 * as used when that fails. May miss an entry that is being changed: it is a hint for reclaim.
 * *Source*: page_referenced(), mm/rmap.c, 2.6.27. *Differs*: no swap token, no memory control groups, no storage keys.
 */
export function* pageReferenced(page: Ptr<Page>, isLocked: boolean): Op<number> {
  let referenced = (yield* testClearPageReferenced(page)) ? 1 : 0;
  if (!(yield* pageMapped(page))) return referenced;
  if (yield* pageAnon(page)) return referenced + (yield* pageReferencedAnon(page));
  if (isLocked) return referenced + (yield* pageReferencedFile(page));
  if (!(yield* trylockPage(page))) return referenced + 1;
  referenced += yield* pageReferencedFile(page);
  yield* unlockPage(page);
  return referenced;
}

/** Kernel-facts C10. */
const looksUnderLock = defineGuard(
  'pageMkclean.underLock',
  'page_mkclean looks without the lock whether an entry is present, and misses one that is being changed (before 479db0bf40)',
);

/** page_mkclean_one(). *Returns* whether an entry lost a dirty mark or the right to write. */
function* pageMkcleanOne(page: Ptr<Page>, vma: Ptr<VmAreaStruct>): Op<boolean> {
  const at = yield* findEntry(page, vma, looksUnderLock());
  if (at === NULL) return false;
  const { mm, address, ptep } = at;
  const pte = yield* readOnce(ptep);
  const change = pteDirty(pte) || pteWrite(pte);
  if (change) {
    const old = yield* ptepClearFlushNotify(mm, address, ptep);
    yield* setPteAt(mm, address, ptep, pteMkclean(pteWrprotect(old)));
  }
  yield* unlockEntry(at);
  return change;
}

/**
 * page_mkclean(): makes all entries of a shared file page clean and read-only, so that the next write faults and is noticed.
 *
 * *Context*: page locked. *Returns* how many entries were dirty or writable: if any, the page is dirty, and the caller says so.
 * *Source*: page_mkclean(), mm/rmap.c, 2.6.27 (with 479db0bf40: entries are looked at under their lock, C10).
 */
export function* pageMkclean(page: Ptr<Page>): Op<number> {
  bugOn(!(yield* pageLocked(page)), '!PageLocked(page)');
  if (!(yield* pageMapped(page))) return 0;
  const mapping = yield* pageMapping(page);
  if (mapping === NULL) return 0;
  let cleaned = 0;
  yield* walkFileVmas(mapping, function* (vma) {
    const shared = ((yield* load(VmAreaStruct.vmFlags(vma))) & VM_SHARED) !== 0;
    if (shared && (yield* pageMkcleanOne(page, vma))) cleaned++;
    return false;
  });
  return cleaned;
}

/** try_to_unmap_one(): clears one entry. *Returns* SWAP_FAIL when it must stay. *Source*: mm/rmap.c, 2.6.27. */
function* tryToUnmapOne(page: Ptr<Page>, vma: Ptr<VmAreaStruct>, migration: boolean): Op<SwapResult> {
  countRmap('unmapSteps');
  const at = yield* findEntry(page, vma, false);
  if (at === NULL) return SWAP_AGAIN;
  const used =
    !migration &&
    (((yield* load(VmAreaStruct.vmFlags(vma))) & VM_LOCKED) !== 0 ||
      (yield* ptepClearFlushYoungNotify(at.mm, at.address, at.ptep)));
  const taken = !used && (yield* takeEntry(page, at, migration));
  if (taken) {
    yield* pageRemoveRmap(page);
    // Not the last reference: the caller has one.
    yield* putPage(page);
  }
  yield* unlockEntry(at);
  return taken ? SWAP_AGAIN : SWAP_FAIL;
}

/** Clears an entry, unless it is of a page that MADV_FREE gave up and somebody wants all the same. *Context*: its lock. */
function* takeEntry(page: Ptr<Page>, { mm, address, ptep }: MappedAt, migration: boolean): Op<boolean> {
  if (!migration && (yield* pageLazyfree(page)) && !(yield* pageSwapCache(page)))
    return yield* discardLazyfree(page, mm, address, ptep);
  yield* unmapEntry(page, mm, address, ptep, migration);
  return true;
}

const leaveTemporaryStack = defineGuard(
  'tryToUnmap.temporaryStack',
  'migration takes pages of a stack that exec is about to move (before a8bef8ff6ea1)',
);

/**
 * is_vma_temporary_stack(): exec moves the entries of this area down while the area covers both places. The walk of a page goes to the new place, where
 * its entry may not be yet: so a migration entry would be left behind (D9). try_to_unmap() leaves the page, and its migration fails.
 *
 * *Source*: is_vma_temporary_stack(), mm/rmap.c, a8bef8ff6ea1 (2.6.34).
 */
function* isVmaTemporaryStack(vma: Ptr<VmAreaStruct>): Op<boolean> {
  const flags = yield* load(VmAreaStruct.vmFlags(vma));
  return (flags & VM_STACK_INCOMPLETE_SETUP) === VM_STACK_INCOMPLETE_SETUP;
}

/**
 * try_to_unmap(): removes all entries that map a page.
 *
 * The page lock keeps new file mappings away: a fault maps a page only while it holds it locked (C3; Linux d00806b183). So with the walk of
 * i_mmap, where every area that can have an entry is found, "not mapped" at the end is final until the lock is dropped.
 *
 * *Context*: page locked, a reference held. Without `migration`, a used or mlocked entry stays.
 * *Returns* SWAP_SUCCESS: not mapped any more; SWAP_AGAIN: an entry was missed; SWAP_FAIL: one must stay.
 * *Source*: try_to_unmap(), mm/rmap.c, 2.6.27. *Differs*: an anonymous page that has no place in swap, and does not migrate, is not a BUG.
 */
export function* tryToUnmap(page: Ptr<Page>, migration: boolean): Op<SwapResult> {
  bugOn(!(yield* pageLocked(page)), '!PageLocked(page)');
  if (!(yield* canUnmap(page, migration)) && !(yield* pageLazyfree(page)))
    return (yield* pageMapped(page)) ? SWAP_FAIL : SWAP_SUCCESS;
  let result: SwapResult = SWAP_AGAIN;
  const unmap: RmapVisit = function* (vma) {
    if (migration && leaveTemporaryStack() && (yield* isVmaTemporaryStack(vma))) return false;
    result = yield* tryToUnmapOne(page, vma, migration);
    return result === SWAP_FAIL || !(yield* pageMapped(page));
  };
  const mapping = yield* pageMapping(page);
  if (yield* pageAnon(page)) yield* walkAnonVmas(page, unmap);
  else if (mapping !== NULL) {
    yield* walkFileVmas(mapping, unmap);
    if ((result as SwapResult) !== SWAP_FAIL && (yield* pageMapped(page)))
      yield* tryToUnmapNonlinear(page, mapping, migration);
  }
  return (yield* pageMapped(page)) ? result : SWAP_SUCCESS;
}
