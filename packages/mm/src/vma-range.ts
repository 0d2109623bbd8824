// SPDX-License-Identifier: GPL-2.0-only
import { load, NULL, type Null, type Op, type Ptr } from '@lockless/cpu';
import { ENOMEM, type MmStruct, VmAreaStruct } from '@lockless/mm-types';
import { findVmaPrev } from '@lockless/rmap';

/** One area, or a part of one, of a range that a system call works on. */
export interface Piece {
  readonly vma: Ptr<VmAreaStruct>;
  /** The area before `vma`, NULL if none. */
  readonly prev: Ptr<VmAreaStruct> | Null;
  readonly start: number;
  readonly end: number;
}

/**
 * Calls `action` for each area of [start, end), in order; stops at its first error. The action may split and merge areas: the walk goes on
 * behind the piece that it was given, by address.
 *
 * *Context*: mmap_sem as the action needs it.
 * *Returns* the action's error, else -ENOMEM if some part was not mapped, else 0. `stopAtHole`: the rest is not visited then.
 * *Source*: the loop that sys_mprotect, do_mlock, sys_madvise and sys_msync share, 2.6.27.
 */
export function* forEachPiece(
  mm: Ptr<MmStruct>,
  start: number,
  end: number,
  stopAtHole: boolean,
  action: (piece: Piece) => Op<number>,
): Op<number> {
  let unmapped = 0;
  for (let at = start; at < end; ) {
    const { vma, prev } = yield* findVmaPrev(mm, at);
    if (vma === NULL) return -ENOMEM;
    const first = yield* load(VmAreaStruct.vmStart(vma));
    if (first > at) {
      unmapped = -ENOMEM;
      if (stopAtHole || first >= end) return unmapped;
      at = first;
    }
    const last = Math.min(yield* load(VmAreaStruct.vmEnd(vma)), end);
    const error = yield* action({ vma, prev, start: at, end: last });
    if (error !== 0) return error;
    at = last;
  }
  return unmapped;
}
