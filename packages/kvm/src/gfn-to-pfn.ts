// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr } from '@lockless/cpu';
import { load, NULL } from '@lockless/cpu';
import { getUserPagesFast } from '@lockless/mm';
import type { Page } from '@lockless/mm-types';
import { putPage } from '@lockless/page';
import { KVM_MEMORY_SLOTS, type Kvm, KvmMemorySlot, memslot, offsetOf, slotOf } from './kvm-host.js';

/** bad_hva(). */
const BAD_HVA = -1;

/** gfn_to_hva(): the process's page of a guest page, or {@link BAD_HVA}. */
function* gfnToHva(kvm: Ptr<Kvm>, gfn: number): Op<number> {
  const slot = slotOf(gfn);
  if (slot < 0 || slot >= KVM_MEMORY_SLOTS) return BAD_HVA;
  const at = memslot(kvm, slot);
  if (offsetOf(gfn) >= (yield* load(KvmMemorySlot.npages(at)))) return BAD_HVA;
  return (yield* load(KvmMemorySlot.userspaceAddr(at))) + offsetOf(gfn);
}

/**
 * gfn_to_pfn(): the page behind a guest page, with a reference.
 *
 * *Context*: a task of the process; sleeps. *Returns* NULL: the guest has no such memory, or the process has not.
 * *Source*: `gfn_to_pfn`, virt/kvm/kvm_main.c, 2.6.27.
 */
export function* gfnToPfn(kvm: Ptr<Kvm>, gfn: number, write: boolean): Op<Ptr<Page> | Null> {
  const hva = yield* gfnToHva(kvm, gfn);
  if (hva === BAD_HVA) return NULL;
  const pages: Ptr<Page>[] = [];
  return (yield* getUserPagesFast(hva, 1, write, pages)) === 1 ? pages[0] : NULL;
}

/** kvm_release_pfn_clean(). *Source*: virt/kvm/kvm_main.c, 2.6.27. */
export const kvmReleasePfnClean = (page: Ptr<Page>): Op<void> => putPage(page);
