// SPDX-License-Identifier: GPL-2.0-only
import {
  atomicInc,
  current,
  downWrite,
  load,
  NULL,
  type Null,
  type Op,
  type Ptr,
  store,
  TaskStruct,
  upWrite,
} from '@lockless/cpu';
import { khugepagedEnter, khugepagedRuns } from '@lockless/huge-memory';
import { ENOMEM, MMF_VM_HUGEPAGE, MmStruct, taskMm, VM_DONTCOPY, VM_LOCKED, VmAreaStruct } from '@lockless/mm-types';
import {
  addMapCount,
  anonVmaLink,
  copyVmAreaStruct,
  findVmaPrepare,
  flushTlbMm,
  lockAreas,
  mmAlloc,
  rbInsertColor,
  rbLinkNode,
  unlockAreas,
  vmaLinkFileCopy,
} from '@lockless/rmap';
import { copyPageRange } from './copy-page-range.js';
import { mmput } from './exit.js';

/** What stays as it was in the parent. */
const INHERITED = ['totalVm', 'startBrk', 'brk', 'startStack', 'mmapBase', 'flags'] as const;

/**
 * dup_mm(): a copy of an address space, private memory shared until one side writes.
 *
 * *Context*: sleeps. *Returns* the copy with one user, or NULL: no memory.
 * *Source*: `dup_mm`, kernel/fork.c, 2.6.27.
 */
export function* dupMm(oldMm: Ptr<MmStruct>): Op<Ptr<MmStruct> | Null> {
  const mm = yield* mmAlloc(oldMm);
  if (mm === NULL) return NULL;
  if ((yield* dupMmap(mm, oldMm)) === 0) return mm;
  yield* mmput(mm);
  return NULL;
}

/**
 * dup_mmap(): the areas and their page tables.
 *
 * *Context*: takes the parent's mmap_sem, so no area changes and no fault brings write access back; then the child's, which nobody else
 * knows, but which the reverse mapping's users expect to be held.
 * *Ordering*: the flush at the end: afterwards no CPU writes through an entry of the parent that was writable before.
 * *Returns* 0 or -ENOMEM. *Source*: `dup_mmap`, kernel/fork.c, 2.6.27.
 */
function* dupMmap(mm: Ptr<MmStruct>, oldMm: Ptr<MmStruct>): Op<number> {
  yield* downWrite(MmStruct.mmapSem(oldMm));
  yield* downWrite(MmStruct.mmapSem(mm));
  for (const field of INHERITED) yield* store(MmStruct[field](mm), yield* load(MmStruct[field](oldMm)));
  if (khugepagedRuns()) yield* khugepagedFork(mm);
  let error = 0;
  for (let vma = yield* load(MmStruct.mmap(oldMm)); vma !== NULL && error === 0; ) {
    if (((yield* load(VmAreaStruct.vmFlags(vma))) & VM_DONTCOPY) === 0) error = yield* dupVma(mm, oldMm, vma);
    else yield* store(MmStruct.totalVm(mm), (yield* load(MmStruct.totalVm(mm))) - (yield* vmaPages(vma)));
    vma = yield* load(VmAreaStruct.vmNext(vma));
  }
  yield* flushTlbMm(oldMm);
  yield* upWrite(MmStruct.mmapSem(mm));
  yield* upWrite(MmStruct.mmapSem(oldMm));
  return error;
}

/** khugepaged_fork(): the child has the parent's huge pages. *Context*: its flags are the parent's. *Source*: include/linux/khugepaged.h, 2.6.38. */
function* khugepagedFork(mm: Ptr<MmStruct>): Op<void> {
  const flags = yield* load(MmStruct.flags(mm));
  if ((flags & (1 << MMF_VM_HUGEPAGE)) === 0) return;
  yield* store(MmStruct.flags(mm), flags & ~(1 << MMF_VM_HUGEPAGE));
  yield* khugepagedEnter(mm);
}

function* vmaPages(vma: Ptr<VmAreaStruct>): Op<number> {
  return (yield* load(VmAreaStruct.vmEnd(vma))) - (yield* load(VmAreaStruct.vmStart(vma)));
}

/**
 * One area. It is on the reverse mapping before its first entry is copied, behind the parent's area: a walk that takes entries away meets the
 * parent first, so what it finds there is copied no more, and what was copied before it finds in the child.
 */
function* dupVma(mm: Ptr<MmStruct>, oldMm: Ptr<MmStruct>, vma: Ptr<VmAreaStruct>): Op<number> {
  const copy = yield* copyVmAreaStruct(vma);
  if (copy === NULL) return -ENOMEM;
  yield* store(VmAreaStruct.vmMm(copy), mm);
  // Locking memory is not inherited.
  yield* store(VmAreaStruct.vmFlags(copy), (yield* load(VmAreaStruct.vmFlags(copy))) & ~VM_LOCKED);
  yield* anonVmaLink(copy);
  yield* vmaLinkFileCopy(copy, vma);

  const place = yield* findVmaPrepare(mm, yield* load(VmAreaStruct.vmStart(copy)));
  yield* store(VmAreaStruct.vmNext(copy), NULL);
  yield* lockAreas(mm);
  yield* store(place.prev === NULL ? MmStruct.mmap(mm) : VmAreaStruct.vmNext(place.prev), copy);
  yield* rbLinkNode(VmAreaStruct.vmRb(copy), place.rbParent, place.rbLink);
  yield* rbInsertColor(VmAreaStruct.vmRb(copy), MmStruct.mmRb(mm));
  yield* unlockAreas(mm);
  yield* addMapCount(mm, 1);
  return yield* copyPageRange(mm, oldMm, vma);
}

/**
 * copy_mm(): gives a new task its address space: the parent's own (threads, vfork) or a copy.
 *
 * *Context*: the current task is the parent; the child does not run yet. *Returns* 0 or -ENOMEM.
 * *Source*: `copy_mm`, kernel/fork.c, 2.6.27.
 */
export function* copyMm(child: Ptr<TaskStruct>, shareVm: boolean): Op<number> {
  const oldMm = yield* load(taskMm(current()));
  if (oldMm === NULL) return 0;
  if (shareVm) {
    yield* atomicInc(MmStruct.mmUsers(oldMm));
    yield* store(taskMm(child), oldMm);
    return 0;
  }
  const mm = yield* dupMm(oldMm);
  if (mm === NULL) return -ENOMEM;
  yield* store(MmStruct.ownerPid(mm), yield* load(TaskStruct.tgid(child)));
  yield* store(taskMm(child), mm);
  return 0;
}

/**
 * The child's side of fork when the caller makes the task itself: takes over an address space and its one use of it.
 *
 * *Context*: the current task has none. `mm` from {@link dupMm}, or one whose mm_users the caller raised.
 */
export function* adoptMm(mm: Ptr<MmStruct>): Op<void> {
  yield* store(taskMm(current()), mm);
}
