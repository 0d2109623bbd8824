// SPDX-License-Identifier: GPL-2.0-only
import { NULL, type Ptr, peek } from '@lockless/cpu';
import { Page } from '@lockless/mm-types';
import { headOf, pfnToPage } from '@lockless/page';
import { type Pte, pmdTransHuge, pteNone, ptePfn, ptePresent, pteWrite, walkMm } from '@lockless/rmap';
import {
  KVM_MEMORY_SLOTS,
  Kvm,
  KvmMemorySlot,
  type KvmMmuPage,
  kvmPagesPerHpage,
  memslot,
  PAGES_PER_SLOT,
} from './kvm-host.js';
import { directoryEntry, tableEntry } from './spte.js';

/** A shadow entry, as a tool sees it. */
export interface SpteView {
  /** The process's page number. */
  readonly hva: number;
  /** How many pages from there on it maps: those of a huge page, or one. */
  readonly pages: number;
  /** One past the last page of the slot. */
  readonly slotEnd: number;
  readonly spte: Pte;
}

/** The shadow entries of a guest. Tools only: no access. */
export function sptesOf(kvm: Ptr<Kvm>): SpteView[] {
  const found: SpteView[] = [];
  for (let slot = 0; slot < KVM_MEMORY_SLOTS; slot++) {
    const directory = peek(Kvm.root(kvm, slot)) as Ptr<KvmMmuPage>;
    const first = peek(KvmMemorySlot.userspaceAddr(memslot(kvm, slot)));
    const npages = peek(KvmMemorySlot.npages(memslot(kvm, slot)));
    if (directory !== NULL) collect(directory, first, first + npages, found);
  }
  return found;
}

function collect(directory: Ptr<KvmMmuPage>, first: number, slotEnd: number, found: SpteView[]): void {
  const span = kvmPagesPerHpage();
  for (let at = 0; at < PAGES_PER_SLOT; at += span) {
    const entry = peek(directoryEntry(directory, at));
    if (pmdTransHuge(entry)) {
      found.push({ hva: first + at, pages: span, slotEnd, spte: entry });
    } else if (entry !== NULL) {
      for (let i = at; i < at + span; i++) {
        const spte = peek(tableEntry(entry, i));
        if (!pteNone(spte)) found.push({ hva: first + i, pages: 1, slotEnd, spte });
      }
    }
  }
}

/**
 * I12: a freed page is in no shadow entry. At any moment: a page with a shadow entry has a reference, and the entry is in its slot. And at rest, with nobody in the
 * kernel: it is the page that the process has there, with no more rights. *Returns* what is wrong, or null.
 */
export function sptesAgree(kvm: Ptr<Kvm>, atRest: boolean): string | null {
  const entries = new Map<number, Pte>();
  if (atRest) walkMm(peek(Kvm.mm(kvm)), (vpage, pte) => entries.set(vpage, pte));
  for (const { hva, pages, slotEnd, spte } of sptesOf(kvm)) {
    if (hva + pages > slotEnd)
      return `a shadow entry of ${pages} pages at ${hva} is not in its slot, which ends at ${slotEnd}`;
    for (let i = 0; i < pages; i++) {
      const wrong = pageAgrees(hva + i, ptePfn(spte) + i, pteWrite(spte), atRest ? entries : null);
      if (wrong !== null) return wrong;
    }
  }
  return null;
}

function pageAgrees(hva: number, pfn: number, write: boolean, entries: ReadonlyMap<number, Pte> | null): string | null {
  if (peek(Page._count(headOf(pfnToPage(pfn)))) === 0) return `the guest has page ${pfn}, which is free, at ${hva}`;
  if (entries === null) return null;
  const pte = entries.get(hva);
  if (pte === undefined || !ptePresent(pte) || ptePfn(pte) !== pfn)
    return `the guest has page ${pfn} at ${hva}, the process has not`;
  return write && !pteWrite(pte) ? `the guest may write at ${hva}, the process may not` : null;
}
