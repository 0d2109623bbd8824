// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr, Ref } from '@lockless/cpu';
import { defineGuard, load, NULL, readOnce } from '@lockless/cpu';
import { type Pte, pmdTransHuge, pteNone, ptepTestAndClearYoung } from '@lockless/rmap';
import { Kvm, KvmMemorySlot, type KvmMmuPage, kvmPagesPerHpage, memslot } from './kvm-host.js';
import { directoryEntry, dropSpte, tableEntry } from './spte.js';

const seesHugeEntries = defineGuard(
  'kvmHandleHva.hugeEntries',
  'who invalidates pages of a guest looks for them among its small shadow entries only',
);

/**
 * kvm_handle_hva(), of a range: visits the shadow entries that are there for the process's pages [start, end). One that maps a huge page is one for each
 * of its pages, so it is visited whole.
 *
 * *Context*: mmu_lock. *Source*: arch/x86/kvm/mmu.c, 2.6.38: all sizes of pages, one after the other. *Differs*: by slot, without reverse maps.
 */
function* kvmHandleHva(kvm: Ptr<Kvm>, start: number, end: number, visit: (sptep: Ref<Pte>) => Op<void>): Op<void> {
  const slots = yield* load(Kvm.nmemslots(kvm));
  for (let slot = 0; slot < slots; slot++) {
    const directory = (yield* load(Kvm.root(kvm, slot))) as Ptr<KvmMmuPage>;
    if (directory === NULL) continue;
    const npages = yield* load(KvmMemorySlot.npages(memslot(kvm, slot)));
    const first = yield* load(KvmMemorySlot.userspaceAddr(memslot(kvm, slot)));
    yield* visitDirectory(directory, Math.max(0, start - first), Math.min(npages, end - first), visit);
  }
}

/** The same, of the pages [from, to) of a slot. */
function* visitDirectory(
  directory: Ptr<KvmMmuPage>,
  from: number,
  to: number,
  visit: (sptep: Ref<Pte>) => Op<void>,
): Op<void> {
  const span = kvmPagesPerHpage();
  for (let at = from; at < to; at += span - (at % span)) {
    const place = directoryEntry(directory, at);
    const entry = yield* readOnce(place);
    if (pmdTransHuge(entry)) {
      if (seesHugeEntries()) yield* visit(place);
    } else if (entry !== NULL) {
      for (let i = at; i < Math.min(to, at + span - (at % span)); i++) {
        const sptep = tableEntry(entry, i);
        if (!pteNone(yield* readOnce(sptep))) yield* visit(sptep);
      }
    }
  }
}

/**
 * kvm_unmap_hva(), of a range: gives up the shadow entries of the process's pages [start, end).
 *
 * *Context*: mmu_lock. *Returns* whether there was one: then the guest's CPUs must be flushed before the pages can be freed.
 * *Source*: `kvm_unmap_hva`, arch/x86/kvm/mmu.c, e930bffe95 (2.6.27). *Differs*: the page is not marked dirty: as long as a shadow entry permits
 * writing, so does the process's, which is marked dirty then and says so when it goes.
 */
export function* kvmUnmapHva(kvm: Ptr<Kvm>, start: number, end: number): Op<boolean> {
  let found = false;
  yield* kvmHandleHva(kvm, start, end, function* (sptep) {
    yield* dropSpte(kvm, sptep);
    found = true;
  });
  return found;
}

/**
 * kvm_age_hva(): whether the guest used the page since the last call; of a huge one, any of its pages.
 *
 * *Context*: mmu_lock. *Source*: arch/x86/kvm/mmu.c, e930bffe95 (2.6.27).
 */
export function* kvmAgeHva(kvm: Ptr<Kvm>, hva: number): Op<boolean> {
  const mm = yield* load(Kvm.mm(kvm));
  let young = false;
  yield* kvmHandleHva(kvm, hva, hva + 1, function* (sptep) {
    if (yield* ptepTestAndClearYoung(mm, hva, sptep)) young = true;
  });
  return young;
}
