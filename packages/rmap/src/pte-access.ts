// SPDX-License-Identifier: GPL-2.0-only
import type { Access, Null, Op, Ptr, Ref } from '@lockless/cpu';
import {
  atomicCmpxchg,
  atomicXchg,
  clearBit,
  NULL,
  rcuDereference,
  readOnce,
  testAndClearBit,
  writeOnce,
} from '@lockless/cpu';
import type { MmStruct, Page } from '@lockless/mm-types';
import { pageToPfn, pfnToPage, zeroPage } from '@lockless/page';
import type { Pgprot, Pte } from './pte.js';
import {
  PTE_ACCESSED,
  PTE_ACCESSED_BIT,
  PTE_DIRTY,
  PTE_NONE,
  PTE_RW,
  PTE_RW_BIT,
  pfnPte,
  ptePfn,
  pteSpecial,
} from './pte.js';
import { flushTlbPage } from './tlb.js';

/*
 * Operations on an entry in memory. The lock of the entry keeps other kernel code away, but not the hardware: it sets ACCESSED in any
 * present entry, and DIRTY in a writable one, between any two of our accesses. So an entry that is present is changed by one
 * atomic operation; only an empty one is simply stored.
 */

/**
 * Reads an entry from which a page will be computed: accesses to the page stay behind this load, by address dependency.
 * Pairs with what stands before {@link setPteAt} at who mapped the page.
 */
export const readPte = (ptep: Ref<Pte>): Access<Pte> => rcuDereference(ptep);

/** mk_pte(): an entry that maps a page. */
export const mkPte = (page: Ptr<Page>, prot: Pgprot): Pte => pfnPte(pageToPfn(page), prot);

/**
 * set_pte_at(): fills an empty entry.
 *
 * *Context*: page table lock; the entry is none, or at least not present, or the caller knows that no hardware walks it.
 * *Ordering*: none. The page's content is ordered before by the write barrier in SetPageUptodate; walkers read with {@link readPte}.
 * *Source*: set_pte_at(), include/asm-x86/pgtable.h, 2.6.27.
 */
export const setPteAt = (_mm: Ptr<MmStruct>, _address: number, ptep: Ref<Pte>, pte: Pte): Access<void> =>
  writeOnce(ptep, pte);

/** pte_clear(): empties an entry that is not present. For present ones {@link ptepGetAndClear}. */
export const pteClear = (_mm: Ptr<MmStruct>, _address: number, ptep: Ref<Pte>): Access<void> =>
  writeOnce(ptep, PTE_NONE);

/**
 * ptep_get_and_clear(): empties an entry, atomically against the hardware, so no dirty bit is lost.
 *
 * *Context*: page table lock. A CPU may go on using the old translation until the TLB is flushed.
 * *Returns* what was there. *Ordering*: full barrier.
 * *Source*: ptep_get_and_clear(), include/asm-x86/pgtable.h, 2.6.27.
 */
export const ptepGetAndClear = (_mm: Ptr<MmStruct>, _address: number, ptep: Ref<Pte>): Access<Pte> =>
  atomicXchg(ptep, PTE_NONE);

/**
 * ptep_clear_flush(): {@link ptepGetAndClear}, after which no CPU can reach the page through this entry.
 *
 * *Source*: ptep_clear_flush(), mm/pgtable-generic.c, 2.6.27. *Differs*: no TLB model yet, see tlb.ts.
 */
export function* ptepClearFlush(mm: Ptr<MmStruct>, address: number, ptep: Ref<Pte>): Op<Pte> {
  const pte = yield* ptepGetAndClear(mm, address, ptep);
  yield* flushTlbPage(mm, address);
  return pte;
}

/** ptep_set_wrprotect(): takes the right to write, as fork does. Atomic: a dirty bit set meanwhile stays. */
export const ptepSetWrprotect = (_mm: Ptr<MmStruct>, _address: number, ptep: Ref<Pte>): Access<void> =>
  clearBit(PTE_RW_BIT, ptep as number as Ref<number>);

/** ptep_test_and_clear_young(): true when the page was used since the last call. Full barrier. */
export const ptepTestAndClearYoung = (_mm: Ptr<MmStruct>, _address: number, ptep: Ref<Pte>): Access<boolean> =>
  testAndClearBit(PTE_ACCESSED_BIT, ptep as number as Ref<number>);

/** ptep_clear_flush_young(): {@link ptepTestAndClearYoung}, and the next use is seen again. */
export function* ptepClearFlushYoung(mm: Ptr<MmStruct>, address: number, ptep: Ref<Pte>): Op<boolean> {
  const young = yield* ptepTestAndClearYoung(mm, address, ptep);
  if (young) yield* flushTlbPage(mm, address);
  return young;
}

/**
 * ptep_set_access_flags(): adds rights and marks to a present entry: accessed, dirty, writable, as far as `entry` has them.
 *
 * *Context*: page table lock. `entry` maps the same page.
 * *Returns* whether anything changed.
 * *Source*: ptep_set_access_flags(), arch/x86/mm/pgtable.c, 2.6.27.
 * *Differs*: adds atomically, where x86 may store the whole entry because it adds all three at once.
 */
export function* ptepSetAccessFlags(mm: Ptr<MmStruct>, address: number, ptep: Ref<Pte>, entry: Pte): Op<boolean> {
  const wanted = entry & (PTE_ACCESSED | PTE_DIRTY | PTE_RW);
  for (let old = yield* readOnce(ptep); ; ) {
    if ((old & wanted) === wanted) return false;
    const seen = yield* atomicCmpxchg(ptep, old, (old | wanted) as Pte);
    if (seen === old) break;
    old = seen;
  }
  yield* flushTlbPage(mm, address);
  return true;
}

/**
 * ptep_modify_prot_start(): opens a change of rights. The entry is empty until {@link ptepModifyProtCommit}, so the hardware can
 * set nothing in between; whoever looks without the page table lock must expect this gap (C10: page_mkclean takes the lock).
 */
export const ptepModifyProtStart: typeof ptepGetAndClear = ptepGetAndClear;

/** ptep_modify_prot_commit(): closes it. */
export const ptepModifyProtCommit: typeof setPteAt = setPteAt;

/**
 * vm_normal_page(): the page that an entry maps and holds a reference to.
 *
 * *Returns* NULL for special entries (the zero page, device memory): nobody counts those.
 * *Source*: vm_normal_page(), mm/memory.c, 2.6.27 with __HAVE_ARCH_PTE_SPECIAL; so the area is not asked.
 */
export const vmNormalPage = (_vma: number, _address: number, pte: Pte): Ptr<Page> | Null =>
  pteSpecial(pte) ? NULL : pfnToPage(ptePfn(pte));

/** Whether an entry shows the memory of a device; of the special ones the page of zeros does not. */
export const showsDevice = (pte: Pte): boolean => pteSpecial(pte) && pfnToPage(ptePfn(pte)) !== zeroPage();
