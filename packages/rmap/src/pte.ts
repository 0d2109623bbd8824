// SPDX-License-Identifier: GPL-2.0-only
import { VM_EXEC, VM_READ, VM_SHARED, VM_WRITE } from '@lockless/mm-types';

declare const entry: unique symbol;
/** Content of a page table entry: the page frame number above bit 12, flags below. 0 is no entry. */
export type Pte = number & { readonly [entry]: true };

declare const protection: unique symbol;
/** The flag bits of a pte that a mapping's access rights decide: `pgprot_t`. */
export type Pgprot = number & { readonly [protection]: true };

/* Bits, include/asm-x86/pgtable.h (2.6.27). The hardware sets ACCESSED and DIRTY of a present entry at any time. */
export const PTE_PRESENT = 0x1;
export const PTE_RW = 0x2;
export const PTE_USER = 0x4;
export const PTE_ACCESSED = 0x20;
export const PTE_DIRTY = 0x40;
/** Of an entry that is not present: it holds a file offset. */
export const PTE_FILE = 0x80;
/** Present for the kernel, not for the hardware: PROT_NONE. */
export const PTE_PROTNONE = 0x100;
/** Maps a frame that has no reference and no rmap: the zero page, device memory. */
export const PTE_SPECIAL = 0x200;
/** May be executed. (x86 has the opposite bit, NX, above the 32 that a word holds.) */
export const PTE_EXEC = 0x400;
/* Bit numbers of PTE_RW and PTE_ACCESSED, for the atomic operations on an entry in memory. */
export const PTE_RW_BIT = 1;
export const PTE_ACCESSED_BIT = 5;
/** The flags lie below, the page frame number above. */
export const PTE_PFN_SHIFT = 12;
/** What {@link pteModify} keeps: frame, accessed, dirty, special. */
const CHANGE_MASK = (-1 << PTE_PFN_SHIFT) | PTE_ACCESSED | PTE_DIRTY | PTE_SPECIAL;

export const PTE_NONE: Pte = 0 as Pte;

export const pteNone = (pte: Pte): boolean => pte === 0;
/** A page is there, even if PROT_NONE keeps the hardware off it. */
export const ptePresent = (pte: Pte): boolean => (pte & (PTE_PRESENT | PTE_PROTNONE)) !== 0;
export const pteFile = (pte: Pte): boolean => !ptePresent(pte) && (pte & PTE_FILE) !== 0;
/** Bits of a file offset, in pages, that an entry holds. */
export const PTE_FILE_MAX_BITS = 20;
/** pgoff_to_pte(): where in its file the page is that belongs here. It stands in an area that is not linear. */
export const pgoffToPte = (pgoff: number): Pte => ((pgoff << PTE_PFN_SHIFT) | PTE_FILE) as Pte;
/** pte_to_pgoff(). Of a {@link pteFile} only. */
export const pteToPgoff = (pte: Pte): number => pte >>> PTE_PFN_SHIFT;
export const ptePfn = (pte: Pte): number => pte >>> PTE_PFN_SHIFT;
export const pteWrite = (pte: Pte): boolean => (pte & PTE_RW) !== 0;
export const pteDirty = (pte: Pte): boolean => (pte & PTE_DIRTY) !== 0;
export const pteYoung = (pte: Pte): boolean => (pte & PTE_ACCESSED) !== 0;
export const pteExec = (pte: Pte): boolean => (pte & PTE_EXEC) !== 0;
export const pteSpecial = (pte: Pte): boolean => (pte & PTE_SPECIAL) !== 0;
export const pteSame = (a: Pte, b: Pte): boolean => a === b;

export const pteMkwrite = (pte: Pte): Pte => (pte | PTE_RW) as Pte;
export const pteWrprotect = (pte: Pte): Pte => (pte & ~PTE_RW) as Pte;
export const pteMkdirty = (pte: Pte): Pte => (pte | PTE_DIRTY) as Pte;
export const pteMkclean = (pte: Pte): Pte => (pte & ~PTE_DIRTY) as Pte;
export const pteMkyoung = (pte: Pte): Pte => (pte | PTE_ACCESSED) as Pte;
export const pteMkold = (pte: Pte): Pte => (pte & ~PTE_ACCESSED) as Pte;
export const pteMkspecial = (pte: Pte): Pte => (pte | PTE_SPECIAL) as Pte;

/** pfn_pte(): an entry for a frame, with a mapping's rights. Frame numbers have 20 bits. */
export const pfnPte = (pfn: number, prot: Pgprot): Pte => ((pfn << PTE_PFN_SHIFT) | prot) as Pte;

/** pte_modify(): same page, other rights. */
export const pteModify = (pte: Pte, prot: Pgprot): Pte => ((pte & CHANGE_MASK) | prot) as Pte;

/**
 * vm_get_page_prot(): the rights of fresh entries of an area.
 *
 * *Returns* a private writable area's rights without PTE_RW: the first write faults and copies. Likewise shared areas whose first write
 * must be noticed: call it with VM_SHARED cleared, as the kernel does for vma_wants_writenotify().
 * *Source*: vm_get_page_prot(), protection_map, mm/mmap.c, 2.6.27.
 * *Differs*: there is no vm_page_prot field in the area; the flags say the same.
 */
export function vmGetPageProt(vmFlags: number): Pgprot {
  if ((vmFlags & (VM_READ | VM_WRITE | VM_EXEC)) === 0) return (PTE_PROTNONE | PTE_USER | PTE_ACCESSED) as Pgprot;
  let prot = PTE_PRESENT | PTE_USER | PTE_ACCESSED;
  if ((vmFlags & VM_EXEC) !== 0) prot |= PTE_EXEC;
  if ((vmFlags & (VM_WRITE | VM_SHARED)) === (VM_WRITE | VM_SHARED)) prot |= PTE_RW;
  return prot as Pgprot;
}
