// SPDX-License-Identifier: GPL-2.0-only
import { NULL, type Ptr, peek } from '@lockless/cpu';
import { Page } from '@lockless/mm-types';
import { headOf, pfnToPage } from '@lockless/page';
import { type Pte, pteNone, ptePfn, ptePresent, pteWrite, walkMm } from '@lockless/rmap';
import { KVM_MEMORY_SLOTS, Kvm, KvmMemorySlot, KvmMmuPage, memslot } from './kvm-host.js';

/** A shadow entry, as a tool sees it. */
export interface SpteView {
  /** The process's page number. */
  readonly hva: number;
  readonly spte: Pte;
}

/** The shadow entries of a guest. Tools only: no access. */
export function sptesOf(kvm: Ptr<Kvm>): SpteView[] {
  const found: SpteView[] = [];
  for (let slot = 0; slot < KVM_MEMORY_SLOTS; slot++) {
    const table = peek(Kvm.root(kvm, slot)) as Ptr<KvmMmuPage>;
    if (table === NULL) continue;
    const first = peek(KvmMemorySlot.userspaceAddr(memslot(kvm, slot)));
    for (let i = 0; i < peek(KvmMemorySlot.npages(memslot(kvm, slot))); i++) {
      const spte = peek(KvmMmuPage.spt(table, i));
      if (!pteNone(spte)) found.push({ hva: first + i, spte });
    }
  }
  return found;
}

/**
 * I12: a freed page is in no shadow entry. At any moment: a page with a shadow entry has a reference. And at rest, with nobody in the kernel: it is the page
 * that the process has there, with no more rights. *Returns* what is wrong, or null.
 */
export function sptesAgree(kvm: Ptr<Kvm>, atRest: boolean): string | null {
  const entries = new Map<number, Pte>();
  if (atRest) walkMm(peek(Kvm.mm(kvm)), (vpage, pte) => entries.set(vpage, pte));
  for (const { hva, spte } of sptesOf(kvm)) {
    const pfn = ptePfn(spte);
    if (peek(Page._count(headOf(pfnToPage(pfn)))) === 0) return `the guest has page ${pfn}, which is free, at ${hva}`;
    if (!atRest) continue;
    const pte = entries.get(hva);
    if (pte === undefined || !ptePresent(pte) || ptePfn(pte) !== pfn)
      return `the guest has page ${pfn} at ${hva}, the process has not`;
    if (pteWrite(spte) && !pteWrite(pte)) return `the guest may write at ${hva}, the process may not`;
  }
  return null;
}
