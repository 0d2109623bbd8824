// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr } from '@lockless/cpu';
import {
  atomicDecAndTest,
  atomicInc,
  bugOn,
  GFP_KERNEL,
  kmemCacheAlloc,
  kmemCacheFree,
  load,
  NULL,
  rcuAssignPointer,
  spinLock,
  spinUnlock,
  store,
} from '@lockless/cpu';
import { AddressSpace, AnonVma, ENOMEM, File, MmStruct, VmAreaStruct } from '@lockless/mm-types';
import { anonVmaLinkLocked, anonVmaMerge } from './anon-vma.js';
import { hugePmdsInUse } from './huge-pmd.js';
import { removeSharedVmStruct, vmaLinkFileLocked, vmaMapping } from './i-mmap.js';
import { splitHugePmdAt } from './pte-range.js';
import { isSpecialMapping } from './special-mapping.js';
import {
  addMapCount,
  anonVmaInUse,
  findVmaPrepare,
  lockAreas,
  unlockAreas,
  vmAreaCachep,
  vmaLinkLocked,
  vmaUnlink,
} from './vma.js';

/** sysctl_max_map_count: areas that one mm may have. */
export const DEFAULT_MAX_MAP_COUNT = 65536;

/** What happens to the area behind, when `vma` gets new bounds. */
interface NextChange {
  readonly next: Ptr<VmAreaStruct> | Null;
  /** Pages by which the start of `next` moves; 0: it does not. */
  readonly shift: number;
  /** `next` is swallowed whole. */
  readonly removed: boolean;
  /** The one of the two that grows over pages of the other. */
  readonly importer: Ptr<VmAreaStruct> | Null;
}

function* changeOfNext(vma: Ptr<VmAreaStruct>, end: number): Op<NextChange> {
  const next = yield* load(VmAreaStruct.vmNext(vma));
  const oldEnd = yield* load(VmAreaStruct.vmEnd(vma));
  if (next !== NULL) {
    const nextStart = yield* load(VmAreaStruct.vmStart(next));
    if (end >= (yield* load(VmAreaStruct.vmEnd(next)))) return { next, shift: 0, removed: true, importer: vma };
    if (end > nextStart) return { next, shift: end - nextStart, removed: false, importer: vma };
    // Without an area to insert, an area shrinks only in favour of the next one: vma_merge() case 4.
    if (end < oldEnd) return { next, shift: end - oldEnd, removed: false, importer: next };
  }
  return { next, shift: 0, removed: false, importer: NULL };
}

/**
 * vma_adjust(): gives an area new bounds; a neighbour behind it loses or gains what it gains or loses, or disappears, or the new area
 * `insert` takes it over (a split).
 *
 * *Context*: mmap_sem for write. Takes i_mmap_lock, then anon_vma->lock: who walks the reverse mapping sees old bounds of both areas
 * or new bounds of both, never a page that belongs to neither.
 * *Source*: vma_adjust(), mm/mmap.c, 2.6.27. *Differs*: i_mmap is a list, so an area keeps its place there.
 */
export function* vmaAdjust(
  vma: Ptr<VmAreaStruct>,
  start: number,
  end: number,
  pgoff: number,
  insert: Ptr<VmAreaStruct> | Null = NULL,
): Op<void> {
  if (hugePmdsInUse()) {
    const mm = yield* load(VmAreaStruct.vmMm(vma));
    yield* splitHugePmdAt(mm, start);
    yield* splitHugePmdAt(mm, end);
  }
  if (insert !== NULL) {
    yield* adjustOnce(vma, start, end, pgoff, insert, { next: NULL, shift: 0, removed: false, importer: NULL });
    return;
  }
  for (;;) {
    const change = yield* changeOfNext(vma, end);
    if (!change.removed) {
      yield* adjustOnce(vma, start, end, pgoff, NULL, change);
      return;
    }
    // Swallow one area at a time: vma_merge() case 6 takes two.
    const nextEnd = yield* load(VmAreaStruct.vmEnd(change.next as Ptr<VmAreaStruct>));
    yield* adjustOnce(vma, start, nextEnd, pgoff, NULL, change);
    if (nextEnd === end) return;
  }
}

function* adjustOnce(
  vma: Ptr<VmAreaStruct>,
  start: number,
  end: number,
  pgoff: number,
  insert: Ptr<VmAreaStruct> | Null,
  { next, shift, removed, importer }: NextChange,
): Op<void> {
  const mm = yield* load(VmAreaStruct.vmMm(vma));
  const mapping = yield* vmaMapping(vma);
  if (mapping !== NULL) yield* lockMapping(mapping, vma, next, importer, insert);
  const anonVma = yield* lockAnonVma(vma, importer === NULL ? NULL : next, importer);
  yield* lockAreas(mm);
  if (!anonVmaInUse() && importer !== NULL && next !== NULL)
    yield* shareHasAnon(importer, importer === vma ? next : vma);

  yield* store(VmAreaStruct.vmStart(vma), start);
  yield* store(VmAreaStruct.vmEnd(vma), end);
  yield* store(VmAreaStruct.vmPgoff(vma), pgoff);
  if (next !== NULL && shift !== 0) {
    yield* store(VmAreaStruct.vmStart(next), (yield* load(VmAreaStruct.vmStart(next))) + shift);
    yield* store(VmAreaStruct.vmPgoff(next), (yield* load(VmAreaStruct.vmPgoff(next))) + shift);
  }
  if (removed && next !== NULL) {
    yield* vmaUnlink(mm, next, vma);
    if (mapping !== NULL) yield* removeSharedVmStruct(next, mapping);
    if ((yield* load(VmAreaStruct.anonVma(next))) !== NULL) yield* anonVmaMerge(vma, next);
  } else if (insert !== NULL) {
    yield* vmaLinkLocked(mm, insert, yield* findVmaPrepare(mm, yield* load(VmAreaStruct.vmStart(insert))));
    yield* addMapCount(mm, 1);
  }

  yield* unlockAreas(mm);
  if (anonVma !== NULL) yield* spinUnlock(AnonVma.lock(anonVma));
  if (mapping !== NULL) yield* spinUnlock(AddressSpace.iMmapLock(mapping));
  if (removed && next !== NULL) yield* freeMerged(mm, next);
}

/** i_mmap_lock, and what must be said to a zap of the file that is in progress. */
function* lockMapping(
  mapping: Ptr<AddressSpace>,
  vma: Ptr<VmAreaStruct>,
  next: Ptr<VmAreaStruct> | Null,
  importer: Ptr<VmAreaStruct> | Null,
  insert: Ptr<VmAreaStruct> | Null,
): Op<void> {
  yield* spinLock(AddressSpace.iMmapLock(mapping));
  const zapped = yield* load(VmAreaStruct.vmTruncateCount(vma));
  if (importer !== NULL && next !== NULL && zapped !== (yield* load(VmAreaStruct.vmTruncateCount(next)))) {
    // unmap_mapping_range() has done one of the two but not the other: have the one that grows done again.
    yield* store(VmAreaStruct.vmTruncateCount(importer), 0);
  }
  if (insert !== NULL) {
    yield* store(VmAreaStruct.vmTruncateCount(insert), zapped);
    yield* vmaLinkFileLocked(insert, mapping);
  }
}

/**
 * Locks the anon_vma that the areas have or will have. The importer gets it before it owns a page of the exporter, else reclaim
 * would not find that page any more.
 */
function* lockAnonVma(
  vma: Ptr<VmAreaStruct>,
  next: Ptr<VmAreaStruct> | Null,
  importer: Ptr<VmAreaStruct> | Null,
): Op<Ptr<AnonVma> | Null> {
  let anonVma = yield* load(VmAreaStruct.anonVma(vma));
  if (anonVma === NULL && next !== NULL) anonVma = yield* load(VmAreaStruct.anonVma(next));
  if (anonVma === NULL) return NULL;
  yield* spinLock(AnonVma.lock(anonVma));
  if (importer !== NULL && (yield* load(VmAreaStruct.anonVma(importer))) === NULL) {
    yield* rcuAssignPointer(VmAreaStruct.anonVma(importer), anonVma);
    yield* anonVmaLinkLocked(importer);
  }
  return anonVma;
}

/** Pages of `exporter`, among them anonymous ones, become the importer's: what lockAnonVma() does where areas have an anon_vma. */
function* shareHasAnon(importer: Ptr<VmAreaStruct>, exporter: Ptr<VmAreaStruct>): Op<void> {
  if ((yield* load(VmAreaStruct.hasAnon(exporter))) !== 0) yield* store(VmAreaStruct.hasAnon(importer), 1);
}

function* freeMerged(mm: Ptr<MmStruct>, next: Ptr<VmAreaStruct>): Op<void> {
  const file = yield* load(VmAreaStruct.vmFile(next));
  if (file !== NULL) {
    const last = yield* atomicDecAndTest(File.count(file));
    bugOn(last, 'fput of a merged area was the last');
  }
  yield* addMapCount(mm, -1);
  yield* kmemCacheFree(vmAreaCachep, next);
}

/**
 * A copy of an area, on no list yet: `*new = *vma`, and a reference to the file.
 *
 * *Context*: mmap_sem. *Returns* NULL when memory is short.
 */
export function* copyVmAreaStruct(vma: Ptr<VmAreaStruct>): Op<Ptr<VmAreaStruct> | Null> {
  const copy = yield* kmemCacheAlloc(vmAreaCachep, GFP_KERNEL);
  if (copy === NULL) return NULL;
  yield* store(VmAreaStruct.vmMm(copy), yield* load(VmAreaStruct.vmMm(vma)));
  yield* store(VmAreaStruct.anonVma(copy), yield* load(VmAreaStruct.anonVma(vma)));
  yield* store(VmAreaStruct.vmFile(copy), yield* load(VmAreaStruct.vmFile(vma)));
  for (const field of ['vmStart', 'vmEnd', 'vmFlags', 'vmPgoff', 'vmTruncateCount'] as const) {
    yield* store(VmAreaStruct[field](copy), yield* load(VmAreaStruct[field](vma)));
  }
  if (yield* isSpecialMapping(vma))
    yield* store(VmAreaStruct.vmPrivateData(copy), yield* load(VmAreaStruct.vmPrivateData(vma)));
  if (!anonVmaInUse()) yield* store(VmAreaStruct.hasAnon(copy), yield* load(VmAreaStruct.hasAnon(vma)));
  const file = yield* load(VmAreaStruct.vmFile(copy));
  if (file !== NULL) yield* atomicInc(File.count(file));
  return copy;
}

/**
 * split_vma(): makes two areas of one at `address`. The new one is the lower part when `newBelow`, else the upper part.
 *
 * *Context*: mmap_sem for write; `address` is inside the area, not its start.
 * *Returns* 0, -ENOMEM when the mm has too many areas or memory is short.
 * *Source*: split_vma(), mm/mmap.c, 2.6.27.
 */
export function* splitVma(
  mm: Ptr<MmStruct>,
  vma: Ptr<VmAreaStruct>,
  address: number,
  newBelow: boolean,
  maxMapCount: number = DEFAULT_MAX_MAP_COUNT,
): Op<number> {
  if ((yield* load(MmStruct.mapCount(mm))) >= maxMapCount) return -ENOMEM;
  const fresh = yield* copyVmAreaStruct(vma);
  if (fresh === NULL) return -ENOMEM;
  const start = yield* load(VmAreaStruct.vmStart(vma));
  const end = yield* load(VmAreaStruct.vmEnd(vma));
  const pgoff = yield* load(VmAreaStruct.vmPgoff(vma));
  bugOn(address <= start || address >= end, 'split_vma: address is not inside the area');
  const upperPgoff = pgoff + (address - start);
  if (newBelow) {
    yield* store(VmAreaStruct.vmEnd(fresh), address);
    yield* vmaAdjust(vma, address, end, upperPgoff, fresh);
  } else {
    yield* store(VmAreaStruct.vmStart(fresh), address);
    yield* store(VmAreaStruct.vmPgoff(fresh), upperPgoff);
    yield* vmaAdjust(vma, start, address, pgoff, fresh);
  }
  return 0;
}
