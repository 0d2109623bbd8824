// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr } from '@lockless/cpu';
import {
  atomicDec,
  condResched,
  defineGuard,
  GFP_ATOMIC,
  GFP_IO,
  ListHead,
  NULL,
  pointedFunction,
  readOnce,
  vmBugOn,
} from '@lockless/cpu';
import { AddressSpace, Page } from '@lockless/mm-types';
import {
  countVmEvent,
  countVmEvents,
  freeHotColdPage,
  PAGE_ALLOC_COSTLY_ORDER,
  PGACTIVATE,
  pageActive,
  pageAnon,
  pageCount,
  pageDirty,
  pageLazyfree,
  pageMapped,
  pageMapping,
  pagePrivate,
  pageSwapBacked,
  pageSwapCache,
  pageWriteback,
  putPageTestzero,
  REMOVE_MAPPING_FAILED,
  setPageActive,
  trylockPage,
  unlockPage,
  waitOnPageWriteback,
} from '@lockless/page';
import { pageReferenced, SWAP_AGAIN, SWAP_FAIL, splitIfHuge, tryToUnmap } from '@lockless/rmap';
import { noNewRefsGeneration } from './config.js';
import { removeMapping, removeMappingFrozen } from './remove-mapping.js';
import { mayEnterFs, type ScanControl } from './scan-control.js';
import { vmSwapFull } from './swap-map.js';
import { addToSwap, removeFromSwapCacheFrozen } from './swap-state.js';
import { removeExclusiveSwapPage } from './swapfile.js';
import { swapperSpace } from './swapper-space.js';
import { discardLazyfreePage } from './vmscan-lazyfree.js';
import { pageout } from './vmscan-pageout.js';

/** Kernel-facts A12 (b). */
const putTestzero = defineGuard(
  'shrinkPageList.putTestzero',
  'a page whose count was 1 is freed without testing what the count is when that reference is dropped',
);
/** Kernel-facts A12 (a). */
const forgetUnlocked = defineGuard(
  'shrinkPageList.forgetUnlocked',
  'a page that is unlocked already, and whose last reference somebody else holds, is treated as one that is still locked',
);

/**
 * What is to be done with an isolated page: 'free': its count is 0 and it is ours; 'gone': somebody else frees it, we must not touch it;
 * 'keep' and 'activate': still locked, back to a list; 'keep-unlocked': the same without the lock.
 */
type Fate = 'free' | 'gone' | 'keep' | 'activate' | 'keep-unlocked';

/** mapping_mapped() without the lock: a hint. */
function* mappingMapped(mapping: Ptr<AddressSpace>): Op<boolean> {
  for (const areas of [AddressSpace.iMmap(mapping), AddressSpace.iMmapNonlinear(mapping)]) {
    if ((yield* readOnce(ListHead.next(areas))) !== areas) return true;
  }
  return false;
}

/** page_mapping_inuse(): a process maps the page, or could fault it in without a system call. */
export function* pageMappingInuse(page: Ptr<Page>): Op<boolean> {
  if (yield* pageMapped(page)) return true;
  const mapping = yield* pageMapping(page);
  // Whose entries name a page's place has been deprived of it already.
  if (mapping === swapperSpace) return true;
  return mapping !== NULL && (yield* mappingMapped(mapping));
}

/**
 * Frees what can be freed of a list of isolated pages.
 * *Context*: may sleep; each page has a reference of the caller and no PG_lru.
 * *Returns* how many pages memory gained. `pages` keeps those that must go back to a list, none of them locked.
 * *Source*: `shrink_page_list`, mm/vmscan.c, 2.6.27.
 */
export function* shrinkPageList(pages: Ptr<Page>[], sc: ScanControl, sync: boolean): Op<number> {
  const kept: Ptr<Page>[] = [];
  let reclaimed = 0;
  let activated = 0;
  for (const page of pages) {
    yield* condResched();
    const fate: Fate = (yield* trylockPage(page)) ? yield* shrinkPage(page, sc, sync) : 'keep-unlocked';
    if (fate === 'free') yield* freeHotColdPage(page, true);
    if (fate === 'free' || fate === 'gone') {
      reclaimed++;
      continue;
    }
    if (fate === 'activate') {
      // It will not be swapped out now, and places are scarce.
      if ((yield* pageSwapCache(page)) && (yield* vmSwapFull())) yield* removeExclusiveSwapPage(page);
      vmBugOn(yield* pageActive(page), 'inactive page is active');
      yield* setPageActive(page);
      activated++;
    }
    if (fate !== 'keep-unlocked') yield* unlockPage(page);
    kept.push(page);
  }
  yield* countVmEvents(PGACTIVATE, activated);
  pages.splice(0, pages.length, ...kept);
  return reclaimed;
}

/** One page, locked. */
function* shrinkPage(page: Ptr<Page>, sc: ScanControl, sync: boolean): Op<Fate> {
  const mapped = yield* pageMapped(page);
  sc.nrScanned += mapped ? 2 : 1;
  if (yield* pageWriteback(page)) {
    if (!sync || !(yield* mayWrite(page, sc))) return 'keep';
    yield* waitOnPageWriteback(page);
  }
  const referenced = !sc.ignoreReferences && (yield* pageReferenced(page, true)) > 0;
  if (sc.order <= PAGE_ALLOC_COSTLY_ORDER && referenced && (yield* pageMappingInuse(page))) return 'activate';
  if ((yield* pageLazyfree(page)) && !(yield* pageSwapCache(page))) return yield* discardLazyfreePage(page, mapped);
  if ((yield* pageAnon(page)) && !(yield* pageSwapCache(page))) {
    if ((sc.gfpMask & GFP_IO) === 0) return 'keep';
    // Swapped page by page. Who still holds the block in one piece may have it.
    if (!(yield* splitIfHuge(page))) return 'activate';
    if (!(yield* addToSwap(page, GFP_ATOMIC))) return 'activate';
  }
  if (mapped && (yield* pageMapping(page)) !== NULL) {
    const unmapped = yield* tryToUnmap(page, false);
    if (unmapped === SWAP_FAIL) return 'activate';
    if (unmapped === SWAP_AGAIN) return 'keep';
  }
  if (yield* pageDirty(page)) {
    const fate = yield* cleanPage(page, sc, referenced);
    if (fate !== 'clean') return fate;
  }
  return yield* freePage(page, sc);
}

/**
 * Whether reclaim may write a page and wait for its writeback: the swap cache takes no lock of a file system, nor does a file in memory on its page's way
 * there.
 */
function* mayWrite(page: Ptr<Page>, sc: ScanControl): Op<boolean> {
  if (mayEnterFs(sc)) return true;
  return (sc.gfpMask & GFP_IO) !== 0 && ((yield* pageSwapCache(page)) || (yield* pageSwapBacked(page)));
}

/** Writes a dirty page; 'clean' when it is locked and clean at the end. */
function* cleanPage(page: Ptr<Page>, sc: ScanControl, referenced: boolean): Op<Fate | 'clean'> {
  if (sc.order <= PAGE_ALLOC_COSTLY_ORDER && referenced) return 'keep';
  if (!(yield* mayWrite(page, sc))) return 'keep';
  const result = yield* pageout(page, yield* pageMapping(page), sc);
  if (result !== 'success') return result;
  if ((yield* pageWriteback(page)) || (yield* pageDirty(page))) return 'keep-unlocked';
  // The write is over already. Lock it again and look again.
  if (!(yield* trylockPage(page))) return 'keep-unlocked';
  return (yield* pageDirty(page)) || (yield* pageWriteback(page)) ? 'keep' : 'clean';
}

/** A clean page that nobody maps: out of the cache with it, unless somebody holds a reference. */
function* freePage(page: Ptr<Page>, sc: ScanControl): Op<Fate> {
  const mapping = yield* pageMapping(page);
  if ((yield* pagePrivate(page)) && !(yield* tryToReleasePage(page, mapping, sc.gfpMask))) return 'activate';
  if (mapping === NULL) return (yield* pageCount(page)) === 1 ? yield* dropLast(page) : 'keep';
  // The swap cache freezes in every generation: what a lookup waits for there, it waits for with a count of 0 as well.
  const swapped = mapping === swapperSpace;
  const freezes = swapped || !noNewRefsGeneration();
  if (
    !(yield* swapped
      ? removeFromSwapCacheFrozen(page)
      : freezes
        ? removeMappingFrozen(mapping, page)
        : removeMapping(mapping, page))
  ) {
    yield* countVmEvent(REMOVE_MAPPING_FAILED);
    return 'keep';
  }
  if (!freezes) return yield* dropLast(page);
  // C. The count is 0 and nobody can find the page any more; nor does anybody wait for the lock, which takes a reference.
  yield* unlockPage(page);
  return 'free';
}

/** try_to_release_page(). *Source*: mm/filemap.c, 2.6.27. */
function* tryToReleasePage(page: Ptr<Page>, mapping: Ptr<AddressSpace> | Null, gfp: number): Op<boolean> {
  if (mapping === NULL || (yield* pageWriteback(page))) return false;
  const { releasepage } = pointedFunction(yield* readOnce(AddressSpace.aOps(mapping)));
  return releasepage === undefined ? false : yield* releasepage(page, gfp);
}

/**
 * A page without a mapping whose last reference seems to be ours. Seems: a lookup that found it before may still take a speculative
 * reference, so it is not freed on the strength of that look. First the lock goes, then the reference, tested: if it was not the last,
 * the lookup's put_page() frees the page, and we forget it (kernel-facts A12).
 * *Source*: `shrink_page_list`, mm/vmscan.c, e286781d5f (2.6.27). *Differs*: there for pages with orphaned buffers alone; others go back
 * to the list and are freed by the put after that.
 */
function* dropLast(page: Ptr<Page>): Op<Fate> {
  yield* unlockPage(page);
  if (!putTestzero()) {
    yield* atomicDec(Page._count(page));
    return 'free';
  }
  return (yield* putPageTestzero(page)) ? 'free' : forgetUnlocked() ? 'gone' : 'keep';
}
