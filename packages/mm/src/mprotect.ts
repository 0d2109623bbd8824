// SPDX-License-Identifier: GPL-2.0-only
import {
  current,
  downWrite,
  load,
  NULL,
  type Op,
  type Ptr,
  type Ref,
  readOnce,
  smpRmb,
  spinLock,
  spinUnlock,
  upWrite,
} from '@lockless/cpu';
import { changeHugePmd } from '@lockless/huge-memory';
import {
  EACCES,
  EINVAL,
  MmStruct,
  type Page,
  taskMm,
  VM_ACCOUNT,
  VM_EXEC,
  VM_LOCKED,
  VM_MAYEXEC,
  VM_MAYREAD,
  VM_MAYWRITE,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
  VmAreaStruct,
} from '@lockless/mm-types';
import { mmuNotifierInvalidateRangeEnd, mmuNotifierInvalidateRangeStart } from '@lockless/mmu-notifier';
import { pageAnon, pageMapcount, pageSwapCache } from '@lockless/page';
import {
  flushTlbMm,
  nextPteRange,
  type OnHugePage,
  type Pgprot,
  type Pte,
  pteDirty,
  pteMkwrite,
  pteModify,
  ptePresent,
  ptepModifyProtCommit,
  ptepModifyProtStart,
  vmNormalPage,
} from '@lockless/rmap';
import { populatePiece } from './mlock.js';
import { mmOption } from './mm-options.js';
import { accountedFlags } from './mmap.js';
import { calcVmProtBits, vmaPageProt } from './page-prot.js';
import { checkRange } from './unmapped-area.js';
import { changeVmFlags } from './vma-flags.js';
import { forEachPiece, type Piece } from './vma-range.js';

/** Of locked private memory that may not be written only VM_LOCKED is set. */
const LOCKED_PRIVATE = VM_WRITE | VM_SHARED | VM_LOCKED;
const RIGHTS = VM_READ | VM_WRITE | VM_EXEC;
/** VM_MAYREAD and its fellows are VM_READ and its fellows, four bits up. */
const mayFlags = (vmFlags: number): number => (vmFlags & (VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC)) >> 4;

/**
 * mprotect(2), in pages: other rights for a range.
 *
 * *Context*: a task with an mm; takes mmap_sem for writing.
 * *Returns* 0; -EINVAL; -ENOMEM when a part is not mapped or memory is short; -EACCES when the file's mode forbids it. What came before the
 * failing part is changed.
 * *Source*: `sys_mprotect`, mm/mprotect.c, 2.6.27.
 */
export function* sysMprotect(start: number, pages: number, prot: number): Op<number> {
  const mm = yield* load(taskMm(current()));
  if (mm === NULL || start < 0 || pages < 0) return -EINVAL;
  if (pages === 0) return 0;
  const impossible = checkRange(start, pages);
  if (impossible !== 0) return impossible;
  yield* downWrite(MmStruct.mmapSem(mm));
  const error = yield* forEachPiece(mm, start, start + pages, true, (piece) => mprotectFixup(mm, piece, prot));
  yield* upWrite(MmStruct.mmapSem(mm));
  return error;
}

/** mprotect_fixup(): one area or part of it. *Context*: mmap_sem for writing. *Source*: mm/mprotect.c, 2.6.27. */
function* mprotectFixup(mm: Ptr<MmStruct>, piece: Piece, prot: number): Op<number> {
  const old = yield* load(VmAreaStruct.vmFlags(piece.vma));
  const vmFlags = yield* accountedAs(piece.vma, (old & ~RIGHTS) | calcVmProtBits(prot));
  if ((vmFlags & ~mayFlags(vmFlags) & RIGHTS) !== 0) return -EACCES;
  if (vmFlags === old) return 0;
  const { vma, error } = yield* changeVmFlags(mm, piece, vmFlags);
  if (vma === NULL) return error;
  yield* mmuNotifierInvalidateRangeStart(mm, piece.start, piece.end);
  yield* changeProtection(mm, vma, piece.start, piece.end);
  yield* mmuNotifierInvalidateRangeEnd(mm, piece.start, piece.end);
  const becomesWritable = (old & LOCKED_PRIVATE) === VM_LOCKED && (vmFlags & VM_WRITE) !== 0;
  // A locked page shall not have to be copied when it is used. If there is no memory for that now, the use finds out.
  if (becomesWritable && mmOption('mprotectPopulates') !== 0) yield* populatePiece(mm, { ...piece, vma });
  return 0;
}

/** The flags with or without VM_ACCOUNT, which decides what areas may be joined. *Source*: `mprotect_fixup`, 2.6.27; as 6.18 by option. */
function* accountedAs(vma: Ptr<VmAreaStruct>, vmFlags: number): Op<number> {
  if ((vmFlags & VM_WRITE) !== 0 || mmOption('mprotectUnaccounts') === 0) return accountedFlags(vmFlags);
  const untouched =
    (yield* load(VmAreaStruct.vmFile(vma))) === NULL && (yield* load(VmAreaStruct.anonVma(vma))) === NULL;
  return untouched ? vmFlags & ~VM_ACCOUNT : vmFlags;
}

/**
 * change_protection(): the entries of a range get the rights that their area has now.
 *
 * *Context*: mmap_sem for writing, so no fault can bring the old rights back. Takes the page-table lock.
 * *Ordering*: each entry is taken out and put back, so no accessed or dirty mark of the hardware is lost; the flush ends the use of old rights.
 * *Source*: `change_protection`, `change_pte_range`, mm/mprotect.c, 2.6.27; early write access as in 6.0 (64fe24a3e05e).
 */
export function* changeProtection(mm: Ptr<MmStruct>, vma: Ptr<VmAreaStruct>, start: number, end: number): Op<void> {
  const prot = yield* vmaPageProt(vma);
  const flags = yield* load(VmAreaStruct.vmFlags(vma));
  const onHuge: OnHugePage = function* (address, pmd, whole) {
    return whole && (yield* changeHugePmd(mm, vma, pmd, (old) => changedEntry(vma, address, old, prot, flags)));
  };
  let range = yield* nextPteRange(mm, start, end, onHuge);
  for (; range !== NULL; range = yield* nextPteRange(mm, range.end, end, onHuge)) {
    yield* spinLock(MmStruct.pageTableLock(mm));
    for (let address = range.address; address < range.end; address++) {
      const at = (range.ptes + (address - range.address)) as Ref<Pte>;
      if (!ptePresent(yield* readOnce(at))) continue;
      const old = yield* ptepModifyProtStart(mm, address, at);
      yield* ptepModifyProtCommit(mm, address, at, yield* changedEntry(vma, address, old, prot, flags));
    }
    yield* spinUnlock(MmStruct.pageTableLock(mm));
  }
  yield* flushTlbMm(mm);
}

function* changedEntry(vma: Ptr<VmAreaStruct>, address: number, old: Pte, prot: Pgprot, flags: number): Op<Pte> {
  const entry = pteModify(old, prot);
  if ((flags & VM_WRITE) === 0 || !pteDirty(entry)) return entry;
  const page = vmNormalPage(vma, address, entry);
  if (page === NULL) return entry;
  // A dirty page of a shared mapping is dirty in the file too: its next write needs no notice.
  if ((flags & VM_SHARED) !== 0) return pteMkwrite(entry);
  const ours = mmOption('mprotectUpgrades') !== 0 && (yield* pageAnon(page)) && (yield* nobodyElses(page));
  return ours ? pteMkwrite(entry) : entry;
}

/**
 * Nobody else maps the page, nor has an entry for its place, which would become a mapping.
 * *Ordering*: the read barrier: whose mapping became such an entry had put the page into the swap cache before. Pairs with the full barrier
 * in page_remove_rmap().
 */
function* nobodyElses(page: Ptr<Page>): Op<boolean> {
  if ((yield* pageMapcount(page)) !== 1) return false;
  yield* smpRmb();
  return !(yield* pageSwapCache(page));
}
