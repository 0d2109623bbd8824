// SPDX-License-Identifier: GPL-2.0-only
import {
  bugOn,
  defineGuard,
  load,
  NULL,
  type Op,
  type Ptr,
  type Ref,
  readOnce,
  spinLock,
  spinUnlock,
  store,
  writeOnce,
} from '@lockless/cpu';
import { copyHugePmd } from '@lockless/huge-memory';
import { ENOMEM, MmStruct, VM_MAYWRITE, VM_NONLINEAR, VM_PFNMAP, VM_SHARED, VmAreaStruct } from '@lockless/mm-types';
import { mmuNotifierInvalidateRangeEnd, mmuNotifierInvalidateRangeStart } from '@lockless/mmu-notifier';
import { getPage, pageAnon } from '@lockless/page';
import { swapDuplicate } from '@lockless/pagecache';
import {
  isSwapPte,
  isWriteMigrationEntry,
  makeMigrationEntryRead,
  mayHaveAnon,
  mmlistAdd,
  nextPteRange,
  nonSwapEntry,
  type Pte,
  type PteRange,
  pageDupRmap,
  pteAllocMap,
  pteMkclean,
  pteMkold,
  pteNone,
  ptePresent,
  ptepSetWrprotect,
  pteToSwpEntry,
  pteWrprotect,
  type RmapSpare,
  rmapPrepare,
  rmapRefill,
  rmapRelease,
  type SwpEntry,
  setPteAt,
  swpEntryToPte,
  vmNormalPage,
} from '@lockless/rmap';
import { mmOption } from './mm-options.js';

const copiesPfnmap = defineGuard(
  'copyPageRange.pfnmap',
  'fork leaves out the memory of devices as if a fault could bring it back: the child gets zeros in its place',
);

/** Private memory that may be written: both sides must fault before they write. */
const isCowMapping = (flags: number): boolean => (flags & (VM_SHARED | VM_MAYWRITE)) === VM_MAYWRITE;

/**
 * copy_page_range(): fork's copy of the page table of one area. Entries of private memory become read-only on both sides.
 *
 * *Context*: mmap_sem of both mms for writing; nobody else knows `dst`. `vma` is the parent's area. Sleeps.
 * *Returns* 0 or -ENOMEM, the entries made so far left for the caller's `mmput`.
 * *Source*: `copy_page_range`, mm/memory.c, 2.6.27. An area without anonymous pages is skipped, as the child can fault its pages in
 * (d992895ba2b2).
 */
export function* copyPageRange(dst: Ptr<MmStruct>, src: Ptr<MmStruct>, vma: Ptr<VmAreaStruct>): Op<number> {
  // Of an area that is not linear, or shows the memory of a device, only the entries say what it shows.
  const unfaultable =
    ((yield* load(VmAreaStruct.vmFlags(vma))) & (copiesPfnmap() ? VM_NONLINEAR | VM_PFNMAP : VM_NONLINEAR)) !== 0;
  if (!unfaultable && !(yield* mayHaveAnon(vma)) && mmOption('copyFilePtes') === 0) return 0;
  const start = yield* load(VmAreaStruct.vmStart(vma));
  const end = yield* load(VmAreaStruct.vmEnd(vma));
  // Entries of the parent lose the right to write.
  const changes = isCowMapping(yield* load(VmAreaStruct.vmFlags(vma)));
  if (changes) yield* mmuNotifierInvalidateRangeStart(src, start, end);
  const error = yield* copyTables(dst, src, vma, start, end);
  if (changes) yield* mmuNotifierInvalidateRangeEnd(src, start, end);
  return error;
}

function* copyTables(
  dst: Ptr<MmStruct>,
  src: Ptr<MmStruct>,
  vma: Ptr<VmAreaStruct>,
  start: number,
  end: number,
): Op<number> {
  let error = 0;
  const shareHuge = function* (address: number, pmd: Ref<Pte>, whole: boolean): Op<boolean> {
    const copied = whole ? yield* copyHugePmd(dst, src, vma, address, pmd) : 'no huge page';
    if (copied === 'no memory') error = -ENOMEM;
    return copied !== 'no huge page';
  };
  let from = yield* nextPteRange(src, start, end, shareHuge);
  for (; from !== NULL && error === 0; from = yield* nextPteRange(src, from.end, end, shareHuge)) {
    const to = yield* pteAllocMap(dst, from.address);
    if (to === NULL) return -ENOMEM;
    for (let done = 0; done < from.end - from.address; ) {
      const spare = yield* rmapPrepare();
      if (spare === null) return -ENOMEM;
      done = yield* copyPteRange(dst, src, vma, to, from, done, spare);
      yield* rmapRelease(spare);
    }
  }
  return error;
}

/**
 * copy_pte_range(): the entries of one table, from the one with number `begin`. The child's lock nests outside the parent's: nobody else can
 * hold it. *Returns* how far it came: the locks are dropped when the reverse mapping needs memory that cannot be had under them.
 */
function* copyPteRange(
  dst: Ptr<MmStruct>,
  src: Ptr<MmStruct>,
  vma: Ptr<VmAreaStruct>,
  to: Ref<Pte>,
  { ptes, address, end }: PteRange,
  begin: number,
  spare: RmapSpare,
): Op<number> {
  const flags = yield* load(VmAreaStruct.vmFlags(vma));
  let anon = 0;
  let file = 0;
  let swapped = 0;
  yield* spinLock(MmStruct.pageTableLock(dst));
  yield* spinLock(MmStruct.pageTableLock(src));
  let i = begin;
  for (; i < end - address; i++) {
    const source = (ptes + i) as Ref<Pte>;
    const entry = yield* readOnce(source);
    if (pteNone(entry)) continue;
    if (!ptePresent(entry)) {
      if (isSwapPte(entry)) swapped += yield* copySwapEntry(dst, src, source, pteToSwpEntry(entry), flags);
      yield* setPteAt(dst, address + i, (to + i) as Ref<Pte>, yield* readOnce(source));
      continue;
    }
    const page = vmNormalPage(vma, address + i, entry);
    if (page !== NULL && !(yield* rmapRefill(spare))) break;
    // Hardware may be setting accessed and dirty in the parent's entry: the write bit goes atomically.
    if (isCowMapping(flags)) yield* ptepSetWrprotect(src, address + i, source);
    if (page !== NULL) {
      yield* getPage(page);
      yield* pageDupRmap(page, (to + i) as Ref<Pte>, spare);
      if (yield* pageAnon(page)) anon += 1;
      else file += 1;
    }
    yield* setPteAt(dst, address + i, (to + i) as Ref<Pte>, childEntry(entry, flags));
  }
  yield* store(MmStruct.anonRss(dst), (yield* load(MmStruct.anonRss(dst))) + anon);
  yield* store(MmStruct.fileRss(dst), (yield* load(MmStruct.fileRss(dst))) + file);
  if (swapped > 0) yield* store(MmStruct.swapents(dst), (yield* load(MmStruct.swapents(dst))) + swapped);
  yield* spinUnlock(MmStruct.pageTableLock(src));
  yield* spinUnlock(MmStruct.pageTableLock(dst));
  return i;
}

/**
 * An entry whose page is elsewhere. A swapped page's place has a user more; a migrating page's entry becomes one that cannot be written, on both
 * sides, in private memory. *Returns* the places that the child names more.
 */
function* copySwapEntry(
  dst: Ptr<MmStruct>,
  src: Ptr<MmStruct>,
  source: Ref<Pte>,
  entry: SwpEntry,
  flags: number,
): Op<number> {
  if (nonSwapEntry(entry)) {
    if (isWriteMigrationEntry(entry) && isCowMapping(flags))
      yield* writeOnce(source, swpEntryToPte(makeMigrationEntryRead(entry)));
    return 0;
  }
  bugOn(!(yield* swapDuplicate(entry)), 'fork of an entry whose place is free');
  yield* mmlistAdd(dst, src);
  return 1;
}

/** Not referenced by the child yet; of shared memory the dirt stays the parent's to report. */
function childEntry(entry: Pte, flags: number): Pte {
  const old = pteMkold(entry);
  if (isCowMapping(flags)) return pteWrprotect(old);
  return (flags & VM_SHARED) !== 0 ? pteMkclean(old) : old;
}
