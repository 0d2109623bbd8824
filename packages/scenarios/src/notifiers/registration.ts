// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr, Ref } from '@lockless/cpu';
import {
  atomicInc,
  atomicRead,
  atomicSet,
  defineStatic,
  defineWord,
  downRead,
  functionPointer,
  peek,
  readOnce,
  spinLock,
  spinUnlock,
  store,
  upRead,
  writeOnce,
} from '@lockless/cpu';
import { Kvm } from '@lockless/kvm';
import { AddressSpace, MmStruct } from '@lockless/mm-types';
import {
  MmuNotifier,
  type MmuNotifierOps,
  mmuNotifierRegister,
  mmuNotifierRelease,
  mmuNotifierUnregister,
} from '@lockless/mmu-notifier';
import { pageCount, putPage } from '@lockless/page';
import { pageRemoveRmap, pteLockptr, ptepClearFlushNotify, unmapMappingRange, zapPageRange } from '@lockless/rmap';
import { assertThat } from '../assertion.js';
import { always, notNeeded } from '../claims.js';
import { type Scenario, scenario } from '../scenario.js';
import { ADDRESS, bootMachine, mapping, newMm } from './boot.js';
import { assertNoFreePage, bootGuest, faultOnce, type Guest } from './guest.js';

/* Who registers while entries are being changed; who leaves while the address space goes. */

function* registerAndFault(guest: Guest): Op<boolean> {
  yield* mmuNotifierRegister(Kvm.mmuNotifier(guest.kvm), guest.mm);
  return yield* faultOnce(guest);
}

const registers = (
  declared: Pick<Scenario, 'name' | 'facts' | 'summary' | 'source' | 'guards'>,
  unmap: (guest: Guest) => Op<unknown>,
): Scenario =>
  scenario<Guest>({
    ...declared,
    properties: ['I12'],
    setup: () => bootGuest(false),
    threads: { unmap, register: registerAndFault },
    *finally(guest, { results, reach }) {
      assertThat((yield* pageCount(guest.page)) === 0, 'the page is free');
      assertNoFreePage(guest);
      reach(results.register === true ? 'had the page' : 'came late, or lost it');
    },
    mustReach: ['came late, or lost it'],
  });

const registrationScenarios: readonly Scenario[] = [
  registers(
    {
      name: 'registration-vs-truncate',
      facts: ['E1', 'seed 2'],
      summary: 'a guest registers and faults while truncation, which has no mmap_sem, unmaps the page that it wants',
      source: '7906d00cd1 "mmu-notifiers: add mm_take_all_locks() operation" (2.6.27)',
      guards: [
        // KVM is told of the end of an invalidation that it was not told of the beginning of, right before the page that it has kept is freed.
        always('mmuNotifierRegister.takeAllLocks', 'BUG'),
      ],
    },
    () => unmapMappingRange(mapping, 0, 0, true),
  ),
  registers(
    {
      name: 'registration-vs-madvise',
      facts: ['E1'],
      summary: 'a guest registers and faults while madvise(), with mmap_sem for reading, drops the page that it wants',
      source: '7906d00cd1: "mmap_sem in write mode is required in order to block all operations"',
      guards: [
        // mmap_sem alone would do here; without it mm_take_all_locks() complains.
        notNeeded('mmuNotifierRegister.takeAllLocks'),
        always('mmuNotifierRegister.mmapSem', 'BUG'),
      ],
    },
    function* ({ mm, vma }) {
      yield* downRead(MmStruct.mmapSem(mm));
      yield* zapPageRange(vma, ADDRESS, ADDRESS + 1);
      yield* upRead(MmStruct.mmapSem(mm));
    },
  ),
  registers(
    {
      name: 'registration-vs-reclaim',
      facts: ['E1'],
      summary:
        'a guest registers and faults while reclaim clears the entry of the page that it wants: first the entry, then the question who is registered',
      source:
        '7906d00cd1: "Same problem for rmap paths", which holds for pairs of start and end, not for invalidate_page',
      guards: [notNeeded('mmuNotifierRegister.takeAllLocks')],
    },
    function* ({ mm, ptep, page }) {
      yield* spinLock(AddressSpace.iMmapLock(mapping));
      yield* spinLock(pteLockptr(mm, ptep));
      yield* ptepClearFlushNotify(mm, ADDRESS, ptep);
      yield* pageRemoveRmap(page, ptep);
      yield* spinUnlock(pteLockptr(mm, ptep));
      yield* spinUnlock(AddressSpace.iMmapLock(mapping));
      yield* putPage(page);
    },
  ),
];

const notifier: Ptr<MmuNotifier> = defineStatic(MmuNotifier, 'a_notifier');
/** How often release was called, and whether one such call is over. */
const released: Ref<number> = defineWord('released');
const finished: Ref<number> = defineWord('release_finished');

const NOTES_RELEASE = functionPointer<MmuNotifierOps>('notes_release', {
  name: 'notes release',
  *release() {
    yield* atomicInc(released);
    yield* writeOnce(finished, 1);
  },
});

function* releaseIsOver(): Op<boolean> {
  return (yield* readOnce(finished)) === 1;
}

const releaseOnce: Scenario = scenario<Ptr<MmStruct>>({
  name: 'release-vs-unregister',
  facts: ['E7'],
  summary: 'a notifier leaves while the address space goes: both would release it',
  source: 'cddb8a5c14 "mmu-notifiers: core" (2.6.27)',
  properties: ['I11', 'I12'],
  *setup() {
    yield* bootMachine();
    const mm = yield* newMm();
    yield* store(MmuNotifier.ops(notifier), NOTES_RELEASE);
    yield* mmuNotifierRegister(notifier, mm);
    // exit_mmap() has a reference of its own.
    yield* atomicSet(MmStruct.mmCount(mm), 2);
    return mm;
  },
  threads: {
    *exit(mm) {
      yield* mmuNotifierRelease(mm);
      return yield* releaseIsOver();
    },
    *unregister(mm) {
      yield* mmuNotifierUnregister(notifier, mm);
      return yield* releaseIsOver();
    },
  },
  *finally(mm, { results }) {
    assertThat(results.exit === true, 'no page is freed before release is over');
    assertThat(results.unregister === true, 'what the notifier is part of is not freed before release is over');
    assertThat((yield* atomicRead(released)) === 1, 'release is called exactly once');
    assertThat(peek(MmStruct.mmCount(mm)) === 1, 'the registration’s reference is dropped');
  },
  guards: [
    always('mmuNotifierRelease.delInit', 'assertion'),
    // Unlinked twice.
    always('mmuNotifierUnregister.hashedTest', 'null-dereference'),
    always('mmuNotifierRelease.rcuReadLock', 'assertion'),
    always('mmuNotifierUnregister.rcuReadLock', 'assertion'),
    always('mmuNotifierRelease.synchronizeRcu', 'assertion'),
    always('mmuNotifierUnregister.synchronizeRcu', 'assertion'),
  ],
});

export const registrationFamily: readonly Scenario[] = [...registrationScenarios, releaseOnce];
