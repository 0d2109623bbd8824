// SPDX-License-Identifier: GPL-2.0-only
import { NULL, type Null, type Ptr } from '@lockless/cpu';
import type { Page } from '@lockless/mm-types';
import { pageToPfn, pfnToPage } from '@lockless/page';
import { type Pte, pteFile, pteNone, ptePresent } from './pte.js';

/*
 * include/linux/swapops.h, 2.6.27. What a page-table entry holds while its page is somewhere else: a place in a swap area, or, under a type
 * that no area has, the frame that is being migrated.
 */

declare const swap: unique symbol;
/** swp_entry_t: an area and a place in it; also the index in the swap cache. Never 0: place 0 of an area is its header. */
export type SwpEntry = number & { readonly [swap]: true };

/** Areas there can be: 32 types less the two of migration and that of poisoned pages. */
export const MAX_SWAPFILES = 29;
const SWP_HWPOISON: number = MAX_SWAPFILES;
const SWP_MIGRATION_READ: number = MAX_SWAPFILES + 1;
const SWP_MIGRATION_WRITE: number = MAX_SWAPFILES + 2;
const OFFSET_BITS = 20;
const OFFSET_MASK: number = (1 << OFFSET_BITS) - 1;
/* In a page-table entry: place above bit 12, type in bits 1 to 5. PTE_PRESENT, PTE_FILE and PTE_PROTNONE stay clear. */
const PTE_OFFSET_SHIFT = 12;
const PTE_TYPE_SHIFT = 1;
const PTE_TYPE_MASK = 0x1f;

/** swp_entry(). */
export const swpEntry = (type: number, offset: number): SwpEntry => ((type << OFFSET_BITS) | offset) as SwpEntry;
/** swp_type(). */
export const swpType = (entry: SwpEntry): number => entry >> OFFSET_BITS;
/** swp_offset(): place in the area; of a migration entry, the frame number. */
export const swpOffset = (entry: SwpEntry): number => entry & OFFSET_MASK;

/** swp_entry_to_pte(). */
export const swpEntryToPte = (entry: SwpEntry): Pte =>
  ((swpOffset(entry) << PTE_OFFSET_SHIFT) | (swpType(entry) << PTE_TYPE_SHIFT)) as Pte;
/** pte_to_swp_entry(). Of an {@link isSwapPte} only. */
export const pteToSwpEntry = (pte: Pte): SwpEntry =>
  swpEntry((pte >> PTE_TYPE_SHIFT) & PTE_TYPE_MASK, pte >>> PTE_OFFSET_SHIFT);
/** is_swap_pte(): the page is elsewhere; migration entries too. */
export const isSwapPte = (pte: Pte): boolean => !pteNone(pte) && !ptePresent(pte) && !pteFile(pte);

/** make_migration_entry(): stands in for a present entry while its page moves. It counts as no reference. *Context*: page locked. */
export const makeMigrationEntry = (page: Ptr<Page>, write: boolean): SwpEntry =>
  swpEntry(write ? SWP_MIGRATION_WRITE : SWP_MIGRATION_READ, pageToPfn(page));
/** make_migration_entry_read(): the same page's entry, which will not be writable. */
export const makeMigrationEntryRead = (entry: SwpEntry): SwpEntry => swpEntry(SWP_MIGRATION_READ, swpOffset(entry));
/** make_hwpoison_entry(): stands where a page was whose memory has failed: who comes to it gets a signal. *Source*: 2.6.32. */
export const makeHwpoisonEntry = (page: Ptr<Page>): SwpEntry => swpEntry(SWP_HWPOISON, pageToPfn(page));
/** is_hwpoison_entry(). */
export const isHwpoisonEntry = (entry: SwpEntry): boolean => swpType(entry) === SWP_HWPOISON;
/** non_swap_entry(): names no place in a swap area. */
export const nonSwapEntry = (entry: SwpEntry): boolean => swpType(entry) >= MAX_SWAPFILES;
/** is_migration_entry(). */
export const isMigrationEntry = (entry: SwpEntry): boolean => swpType(entry) >= SWP_MIGRATION_READ;
/** The migration entry that a page table entry is; NULL when it is something else. */
export function migrationEntryOf(pte: Pte): SwpEntry | Null {
  if (!isSwapPte(pte)) return NULL;
  const entry = pteToSwpEntry(pte);
  return isMigrationEntry(entry) ? entry : NULL;
}
/** is_write_migration_entry(): the entry was writable. */
export const isWriteMigrationEntry = (entry: SwpEntry): boolean => swpType(entry) === SWP_MIGRATION_WRITE;
/**
 * migration_entry_to_page(). While the entry stands, and it stands as long as its lock is held, the page is locked by who migrates it; its count
 * may be 0 at any moment.
 */
export const migrationEntryToPage = (entry: SwpEntry): Ptr<Page> => pfnToPage(swpOffset(entry));
