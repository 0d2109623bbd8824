// SPDX-License-Identifier: GPL-2.0-only
import { atomicDecAndTest, current, load, NULL, type Op, type Ptr, store } from '@lockless/cpu';
import { khugepagedExit, khugepagedRuns } from '@lockless/huge-memory';
import { MmStruct, taskMm } from '@lockless/mm-types';
import { mmuNotifierRelease } from '@lockless/mmu-notifier';
import { lruAddDrain } from '@lockless/page';
import { lockAreas, mmdrop, mmlistDel, unlockAreas } from '@lockless/rmap';
import { removeVma, unmapAreas } from './unmap-areas.js';
import { TASK_PAGES } from './unmapped-area.js';

/**
 * exit_mmap(): empties an address space.
 *
 * *Context*: the last user is gone, so no lock is needed against faults; reclaim and truncation may still come in through the reverse
 * mapping, and take its locks and the page-table lock. Sleeps.
 * *Source*: `exit_mmap`, mm/mmap.c, 2.6.27; the areas are taken out under page_table_lock before they are freed, as in 2.6.5.
 */
export function* exitMmap(mm: Ptr<MmStruct>): Op<void> {
  yield* mmuNotifierRelease(mm);
  const first = yield* load(MmStruct.mmap(mm));
  if (first === NULL) return;
  yield* lruAddDrain();
  // Whoever still holds the struct must find no areas, and so no page tables before those go; nor must reclaim, which may come by the family of the
  // address space, whether it has pages or not.
  yield* lockAreas(mm);
  yield* store(MmStruct.mmap(mm), NULL);
  yield* store(MmStruct.mmRb(mm), NULL);
  yield* store(MmStruct.mmapCache(mm), NULL);
  yield* unlockAreas(mm);
  yield* unmapAreas(mm, first, TASK_PAGES, 0, 0, true);
  for (let vma: typeof first | 0 = first; vma !== NULL; ) vma = yield* removeVma(vma);
}

/**
 * mmput(): one user less; the last one empties the address space.
 *
 * *Context*: sleeps. *Source*: `mmput`, kernel/fork.c, 2.6.27.
 */
export function* mmput(mm: Ptr<MmStruct>): Op<void> {
  if (!(yield* atomicDecAndTest(MmStruct.mmUsers(mm)))) return;
  if (khugepagedRuns()) yield* khugepagedExit(mm);
  yield* exitMmap(mm);
  yield* mmlistDel(mm);
  yield* mmdrop(mm);
}

/** exit_mm(): the current task has no address space any more. *Context*: sleeps. *Source*: `exit_mm`, kernel/exit.c, 2.6.27. */
export function* exitMm(): Op<void> {
  const self = current();
  const mm = yield* load(taskMm(self));
  if (mm === NULL) return;
  yield* store(taskMm(self), NULL);
  yield* mmput(mm);
}
