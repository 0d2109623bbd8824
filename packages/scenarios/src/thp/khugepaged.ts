// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { atomicDecAndTest, containerOf, ListHead, load, poke } from '@lockless/cpu';
import {
  khugepagedEnter,
  khugepagedExit,
  khugepagedInit,
  khugepagedScanMmSlot,
  MmSlot,
  scanHead,
  scanSlot,
} from '@lockless/huge-memory';
import { MmStruct } from '@lockless/mm-types';
import { freePgdRange, PTE_NONE, setPteAt, tlbFinishMmu, tlbGatherMmu } from '@lockless/rmap';
import { assertThat } from '../assertion.js';
import { always } from '../claims.js';
import { type Scenario, scenario } from '../scenario.js';
import { AT, bootSmallPage, FORCED, type SmallPage } from './collapse-boot.js';

/* khugepaged, which is no user of the address spaces that it looks through. */

/** khugepaged's turn is this address space's. */
interface Scanned extends SmallPage {
  readonly slot: Ptr<MmSlot>;
}

function* bootScanned(): Op<Scanned> {
  const shared = yield* bootSmallPage(0);
  yield* khugepagedInit();
  yield* khugepagedEnter(shared.mm);
  const slot = containerOf(yield* load(ListHead.next(scanHead)), MmSlot, 'mmNode');
  poke(scanSlot, slot);
  yield* setPteAt(shared.mm, AT, shared.ptep, PTE_NONE);
  return { ...shared, slot };
}

export const khugepagedScenarios: readonly Scenario[] = [
  scenario<Scanned>({
    name: 'khugepaged-vs-exit',
    facts: ['C12'],
    summary:
      'the last user of an address space takes its page tables down while khugepaged, which is none, looks at them',
    source: '__khugepaged_exit(), mm/huge_memory.c, 2.6.38: down_write(&mm->mmap_sem), up_write(&mm->mmap_sem)',
    properties: ['I11'],
    setup: bootScanned,
    threads: {
      // One entry maps nothing: that is one too many.
      *khugepaged({ slot }) {
        yield* khugepagedScanMmSlot(slot, 4, { ...FORCED, isKhugepaged: true, maxPtesNone: 0 });
      },
      /** mmput(), without pages and areas. */
      *exit({ mm }) {
        yield* atomicDecAndTest(MmStruct.mmUsers(mm));
        yield* khugepagedExit(mm);
        const tlb = tlbGatherMmu(mm, true);
        yield* freePgdRange(tlb, 0, 2, 0, 0);
        yield* tlbFinishMmu(tlb);
      },
    },
    *finally() {
      assertThat((yield* load(ListHead.next(scanHead))) === scanHead, 'khugepaged has forgotten the address space');
    },
    guards: [always('khugepagedExit.waitForScan', 'use-after-free')],
  }),
];
