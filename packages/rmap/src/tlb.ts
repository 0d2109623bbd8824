// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import type { MmStruct } from '@lockless/mm-types';

/*
 * The places where a CPU may still hold a translation that the page table no longer has. There is no model of a TLB yet: the
 * hardware walker reads the page table at each access, so a flush has nothing to do. Every flush of the kernel comes through here.
 */

/**
 * flush_tlb_page(): no CPU uses an old translation of this page afterwards.
 *
 * *Context*: page table lock held.
 * *Source*: flush_tlb_page(), arch/x86/kernel/tlb_64.c, 2.6.27.
 * *Differs*: empty; see above.
 */
export function* flushTlbPage(_mm: Ptr<MmStruct>, _address: number): Op<void> {}

/**
 * flush_tlb_mm(): the same for a whole address space.
 *
 * *Source*: flush_tlb_mm(), arch/x86/kernel/tlb_64.c, 2.6.27.
 * *Differs*: empty; see above.
 */
export function* flushTlbMm(_mm: Ptr<MmStruct>): Op<void> {}
