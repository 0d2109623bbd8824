// SPDX-License-Identifier: GPL-2.0-only
import { load, type Op, type Ptr } from '@lockless/cpu';
import { type Page, VM_LOCKED, VmAreaStruct } from '@lockless/mm-types';
import { anonVmaInUse, pageMappedInVma, walkAnonVmas } from '@lockless/rmap';
import { mmOption } from './mm-options.js';

/**
 * Whether a page that is about to be mapped in an area will not be swapped out again soon, so that its place in swap is better given back: the area is locked,
 * or another one that has the page is.
 *
 * *Context*: page locked; no page table lock.
 * *Source*: `do_swap_page`, b291f000393f (2.6.28). *Differs*: the areas that map the page are looked at, where that has a flag (PG_mlocked).
 */
export function* willStayInMemory(page: Ptr<Page>, vma: Ptr<VmAreaStruct>): Op<boolean> {
  if (mmOption('swapFreedOfLocked') === 0) return false;
  return (yield* isLocked(vma)) || (yield* isInLockedMemory(page));
}

/** Whether an area that has an anonymous page is locked. *Context*: no page table lock. */
export function* isInLockedMemory(page: Ptr<Page>): Op<boolean> {
  if (!anonVmaInUse()) return false;
  let locked = false;
  yield* walkAnonVmas(page, function* (other) {
    locked = (yield* isLocked(other)) && (yield* pageMappedInVma(page, other));
    return locked;
  });
  return locked;
}

function* isLocked(vma: Ptr<VmAreaStruct>): Op<boolean> {
  return ((yield* load(VmAreaStruct.vmFlags(vma))) & VM_LOCKED) !== 0;
}
