// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { bugOn, defineGuard, load, vmBugOn } from '@lockless/cpu';
import type { Page } from '@lockless/mm-types';
import { compoundPagesInUse, getPage, getPageUnlessZero, pageCompound, pageToPfn, pfnToPage } from '@lockless/page';
import { kvmReleasePfnClean } from './gfn-to-pfn.js';
import { type Kvm, KvmMemorySlot, kvmPagesPerHpage, memslot, offsetOf, slotOf } from './kvm-host.js';

const inside = defineGuard('hasWrprotectedPage.inside', 'a huge shadow entry reaches beyond the end of its slot');
const congruent = defineGuard(
  'hasWrprotectedPage.congruent',
  'a slot gets huge shadow entries although its pages lie elsewhere in the huge pages of the process than in those of the guest',
);
const takesReference = defineGuard(
  'transparentHugepageAdjust.getPage',
  'transparent_hugepage_adjust takes its reference to the head with get_page_unless_zero(), and is no RCU reader (3.1)',
);
const headFirst = defineGuard(
  'transparentHugepageAdjust.headFirst',
  'the reference to the tail is given back before there is one to the head, as in 3.1',
);

/** A guest page and the page behind it, with a reference: a huge one, or not. */
export interface GuestPage {
  readonly gfn: number;
  readonly page: Ptr<Page>;
  readonly huge: boolean;
}

/**
 * has_wrprotected_page(): whether the slot has something against a huge entry around a guest page: it does not lie in it as a whole, or not at a
 * multiple of its size.
 *
 * *Context*: mmu_lock, or slots_lock. *Source*: arch/x86/kvm/mmu.c, 3.1, and the write_count that `__kvm_set_memory_region` begins with.
 * *Differs*: asks the slot, not a table made of it; no shadowed page tables of the guest are in its pages, and no dirty bitmap.
 */
function* hasWrprotectedPage(kvm: Ptr<Kvm>, gfn: number): Op<boolean> {
  const at = memslot(kvm, slotOf(gfn));
  const end = offsetOf(gfn) - (offsetOf(gfn) % kvmPagesPerHpage()) + kvmPagesPerHpage();
  if (inside() && end > (yield* load(KvmMemorySlot.npages(at)))) return true;
  // The slot's first guest page is a multiple of any such size.
  return congruent() && (yield* load(KvmMemorySlot.userspaceAddr(at))) % kvmPagesPerHpage() !== 0;
}

/**
 * transparent_hugepage_adjust(): the huge page that a page is part of, in its place, with the reference that the caller has.
 *
 * The test for invalidations was successful and mmu_lock is held, so the process maps the page; whoever takes the mapping away, or splits the page, has to
 * come by mmu_lock first. Its reference stands as long, and the head may be had by get_page().
 *
 * *Context*: mmu_lock, after {@link mmuNotifierRetry}; a reference on the page.
 * *Source*: arch/x86/kvm/mmu.c, 3.1 (a patch of 2.6.38), which gives the tail back first and then calls get_page_unless_zero() and BUG(); get_page() as in
 * Michel Lespinasse, "kvm: use get_page instead of get_page_unless_zero" (patch 5 of 9, 2011-08-19).
 */
export function* transparentHugepageAdjust(kvm: Ptr<Kvm>, { gfn, page }: GuestPage): Op<GuestPage> {
  const small = { gfn, page, huge: false };
  if (!compoundPagesInUse() || !(yield* pageCompound(page)) || (yield* hasWrprotectedPage(kvm, gfn))) return small;
  const part = pageToPfn(page) % kvmPagesPerHpage();
  vmBugOn(gfn % kvmPagesPerHpage() !== part, '(gfn & mask) != (pfn & mask)');
  if (part === 0) return { gfn, page, huge: true };
  const head = pfnToPage(pageToPfn(page) - part);
  const early = headFirst();
  if (early) yield* getHead(head);
  yield* kvmReleasePfnClean(page);
  if (!early) yield* getHead(head);
  return { gfn: gfn - part, page: head, huge: true };
}

function* getHead(head: Ptr<Page>): Op<void> {
  if (takesReference()) yield* getPage(head);
  else bugOn(!(yield* getPageUnlessZero(head)), 'transparent_hugepage_adjust: the head of a huge page is free');
}
