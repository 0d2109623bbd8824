// SPDX-License-Identifier: GPL-2.0-only
import type { FunctionPointer, Null, Op, Ptr, Ref } from '@lockless/cpu';
import { atomicXchg, bug, defineGuard, defineWord, NULL, peek, pointedFunction, poke, readOnce } from '@lockless/cpu';
import type { MmStruct, Page, VmAreaStruct } from '@lockless/mm-types';
import { pageHead, pageToPfn } from '@lockless/page';
import type { MmuGather } from './mmu-gather.js';
import type { Pgprot, Pte } from './pte.js';
import { PTE_NONE, PTE_PFN_SHIFT, PTE_PRESENT, PTE_USER, pfnPte, ptePfn, ptePresent } from './pte.js';
import { flushTlbMm } from './tlb.js';

/*
 * Entries of the level above pte tables (pmd) that map a huge page. They have the bits of a Pte, and one more. A table's address is a multiple of a
 * cache line, so one of the low bits tells the two apart: PTE_USER, which entries without rights (PROT_NONE) have too.
 */

/** _PAGE_PSE: set in the entry of a huge page, never in another one that is present. */
export const PTE_HUGE = 0x80;
/** _PAGE_SPLITTING: the huge page is being split; still mapped, but nobody copies or moves the entry. */
const PTE_SPLITTING = 0x800;
export const PTE_SPLITTING_BIT = 11;

/** pmd_trans_huge(): what a word of a pmd table holds maps a huge page. */
export const pmdTransHuge = (entry: number): boolean => (entry & (PTE_USER | PTE_HUGE)) === (PTE_USER | PTE_HUGE);
/** pmd_trans_splitting(). */
export const pmdTransSplitting = (entry: number): boolean => pmdTransHuge(entry) && (entry & PTE_SPLITTING) !== 0;
/** mk_pmd() and pmd_mkhuge(): an entry for a huge page. */
export const mkHugePmd = (head: Ptr<Page>, prot: Pgprot): Pte => (pfnPte(pageToPfn(head), prot) | PTE_HUGE) as Pte;

/** The entry of another huge page, with the rights and marks of this one. */
export const movedHugePmd = (pmd: Pte, head: Ptr<Page>): Pte =>
  pfnPte(pageToPfn(head), (pmd & ((1 << PTE_PFN_SHIFT) - 1)) as Pgprot);

/** The entry that page `part` of a huge page has after a split: a present one, also while {@link pmdpInvalidate} keeps the hardware off the page. */
export function ptePartOfHuge(pmd: Pte, part: number): Pte {
  const flags = (pmd & ((1 << PTE_PFN_SHIFT) - 1) & ~(PTE_HUGE | PTE_SPLITTING)) | (ptePresent(pmd) ? 0 : PTE_PRESENT);
  return pfnPte(ptePfn(pmd) + part, flags as Pgprot);
}

/** pmdp_get_and_clear(): empties an entry, atomically against the hardware. *Context*: page table lock. *Ordering*: full. */
export const pmdpGetAndClear = (pmd: Ref<Pte>): Op<Pte> => atomicXchg(pmd, PTE_NONE) as unknown as Op<Pte>;

const staysHuge = defineGuard(
  'pmdpInvalidate.staysHuge',
  'a huge entry is empty for a moment while it changes: a zap that has not taken the lock yet passes its pages by',
);

/**
 * pmdp_invalidate(): opens a change of a huge entry. The hardware does not use it any more, but it is one of a huge page still ({@link pmdTransHuge}):
 * who walks without the page table lock, as madvise() does whose mmap_sem is for reading only, must not take it for empty, as it would pass by
 * what is there before and after. It takes the lock, looks again, and finds the new entry.
 *
 * *Context*: page table lock, until the new entry is stored. *Returns* what it was, with the marks of the hardware. *Ordering*: full.
 * *Source*: mm/pgtable-generic.c, 3.3; in 2.6.38 a part of __split_huge_page_map(); the reason: ced108037c2a (4.11).
 */
export function* pmdpInvalidate(mm: Ptr<MmStruct>, pmd: Ref<Pte>): Op<Pte> {
  const entry = yield* readOnce(pmd);
  // A mark that the hardware sets meanwhile is in what the exchange returns; in an entry that is not present it sets none.
  const old = yield* atomicXchg(pmd, (staysHuge() ? entry & ~PTE_PRESENT : PTE_NONE) as Pte);
  yield* flushTlbMm(mm);
  return old as number as Pte;
}

/** What the walks of this package ask of huge pages; the package built on top of it has the answers. */
export interface HugePmdOps {
  /** split_huge_page_pmd(): afterwards there is a pte table in the place of the entry, or another huge page. *Context*: mmap_sem; no spin lock. */
  readonly splitHugePagePmd: (mm: Ptr<MmStruct>, address: number, pmd: Ref<Pte>) => Op<void>;
  /** zap_huge_pmd(). *Returns* false when the entry maps no huge page any more. *Context*: mmap_sem; no spin lock. */
  readonly zapHugePmd: (tlb: MmuGather, vma: Ptr<VmAreaStruct>, address: number, pmd: Ref<Pte>) => Op<boolean>;
  /** split_huge_page(). *Returns* 0: it is split. *Context*: a reference on the head, which is anonymous; no spin lock. */
  readonly splitHugePage: (page: Ptr<Page>) => Op<number>;
}

const hook: Ref<FunctionPointer<HugePmdOps> | Null> = defineWord('huge_pmd_ops');
/** From now on there may be huge entries. *Context*: boot. */
export const setHugePmdOps = (ops: FunctionPointer<HugePmdOps>): void => poke(hook, ops);
/** Whether there may be; constant after boot. */
export const hugePmdsInUse = (): boolean => peek(hook) !== NULL;

/**
 * For who handles pages one by one: splits the page if it is a huge one. *Returns* false when it cannot be split now.
 *
 * *Context*: as {@link HugePmdOps.splitHugePage}.
 */
export function* splitIfHuge(page: Ptr<Page>): Op<boolean> {
  return !hugePmdsInUse() || !(yield* pageHead(page)) || (yield* hugePmdOps().splitHugePage(page)) === 0;
}

/** The implementation. BUG where boot has set none: then no entry can be huge. */
export function hugePmdOps(): HugePmdOps {
  const ops = peek(hook);
  if (ops === NULL) bug('a huge entry on a machine without huge pages');
  return pointedFunction(ops);
}
