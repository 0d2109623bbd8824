// SPDX-License-Identifier: GPL-2.0-only
import { load, NULL, type Null, type Op, type Ptr, store } from '@lockless/cpu';
import { type MmStruct, VmAreaStruct } from '@lockless/mm-types';
import { splitVma, vmaMerge } from '@lockless/rmap';
import type { Piece } from './vma-range.js';

/**
 * Gives a part of an area other flags: it grows into a neighbour that has them, or becomes an area of its own.
 *
 * *Context*: mmap_sem for writing. *Returns* the area that has the flags and covers the piece, or an error (-ENOMEM) and nothing changed.
 * *Source*: the common part of `mprotect_fixup`, `mlock_fixup` and `madvise_behavior`, 2.6.27.
 */
export function* changeVmFlags(
  mm: Ptr<MmStruct>,
  { vma, prev, start, end }: Piece,
  vmFlags: number,
): Op<{ vma: Ptr<VmAreaStruct>; error: 0 } | { vma: Null; error: number }> {
  if ((yield* load(VmAreaStruct.vmFlags(vma))) === vmFlags) return { vma, error: 0 };
  const first = yield* load(VmAreaStruct.vmStart(vma));
  const pgoff = (yield* load(VmAreaStruct.vmPgoff(vma))) + (start - first);
  const anonVma = yield* load(VmAreaStruct.anonVma(vma));
  const file = yield* load(VmAreaStruct.vmFile(vma));
  // The area before the piece is the piece's own area when it begins inside it.
  const before = start > first ? vma : prev;
  const merged = yield* vmaMerge(mm, before, start, end, { vmFlags, anonVma, file }, pgoff);
  let area = vma;
  if (merged !== NULL) {
    area = merged;
  } else {
    if (start > first) {
      const error = yield* splitVma(mm, vma, start, true);
      if (error !== 0) return { vma: NULL, error };
    }
    if (end < (yield* load(VmAreaStruct.vmEnd(vma)))) {
      const error = yield* splitVma(mm, vma, end, false);
      if (error !== 0) return { vma: NULL, error };
    }
  }
  yield* store(VmAreaStruct.vmFlags(area), vmFlags);
  return { vma: area, error: 0 };
}
