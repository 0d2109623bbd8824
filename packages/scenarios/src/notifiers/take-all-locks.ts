// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr, Ref } from '@lockless/cpu';
import {
  current,
  defineWord,
  downWrite,
  GFP_KERNEL,
  ListHead,
  load,
  NULL,
  poke,
  RwSemaphore,
  readOnce,
  setBit,
  TaskStruct as Task,
  type TaskStruct,
  testBit,
  writeOnce,
} from '@lockless/cpu';
import {
  AddressSpace,
  AnonVma,
  AS_EIO,
  AS_MM_ALL_LOCKS,
  EINTR,
  MmStruct,
  PAGE_MAPPING_ANON,
  Page,
  type VmAreaStruct,
} from '@lockless/mm-types';
import { mmDropAllLocks, mmTakeAllLocks } from '@lockless/mmu-notifier';
import { allocPage } from '@lockless/page';
import { vmaAdjust, walkAnonVmas, walkFileVmas } from '@lockless/rmap';
import { assertThat } from '../assertion.js';
import { always, notNeeded } from '../claims.js';
import { given } from '../given.js';
import { type Scenario, scenario } from '../scenario.js';
import { ADDRESS, addArea, bootMachine, mapping, newAnonVma, newMm } from './boot.js';

/* mm_take_all_locks(): each lock once, in an order that nobody else contradicts; nothing left behind; no mark that others see. */

const POSTED = '7906d00cd1 "mmu-notifiers: add mm_take_all_locks() operation" (2.6.27)';

/** Takes all locks of an address space whose mmap_sem the task has, and gives them back. *Returns* what taking did. */
function* takeAndDrop(mm: Ptr<MmStruct>, meanwhile: () => Op<void> = nothing): Op<number> {
  const error = yield* mmTakeAllLocks(mm);
  if (error !== 0) return error;
  yield* meanwhile();
  yield* mmDropAllLocks(mm);
  return 0;
}
function* nothing(): Op<void> {}

/** Nobody holds a lock of these, and no mark is left. */
function* assertAllFree(anonVmas: readonly Ptr<AnonVma>[]): Op<void> {
  for (const anonVma of anonVmas) {
    assertThat((yield* load(AnonVma.lock(anonVma))) === 0, 'anon_vma->lock is free');
    const next = ListHead.next(AnonVma.head(anonVma)) as number as Ref<number>;
    assertThat(!(yield* testBit(0, next)), 'head.next has no mark');
  }
  assertThat((yield* load(AddressSpace.iMmapLock(mapping))) === 0, 'i_mmap_lock is free');
  assertThat(!(yield* testBit(AS_MM_ALL_LOCKS, AddressSpace.flags(mapping))), 'the mapping has no mark');
}

interface Family {
  readonly anonVma: Ptr<AnonVma>;
  readonly parent: Ptr<MmStruct>;
  readonly child: Ptr<MmStruct>;
  readonly parents: Ptr<VmAreaStruct>;
  readonly childs: Ptr<VmAreaStruct>;
}

/** A parent and a child with one private area of a file each, and so one anon_vma between them. The parent's mmap_sem is taken. */
function* bootFamily(): Op<Family> {
  const file = yield* bootMachine();
  const anonVma = yield* newAnonVma();
  const parent = yield* newMm();
  const parents = yield* addArea(parent, ADDRESS, { anonVma, file });
  const child = yield* newMm();
  const childs = yield* addArea(child, ADDRESS, { anonVma, file });
  yield* downWrite(MmStruct.mmapSem(parent));
  return { anonVma, parent, child, parents, childs };
}

const lockOrder: Scenario = scenario<Family>({
  name: 'take-all-locks-vs-vma-adjust',
  facts: ['E2', 'seed 2'],
  summary: 'one process takes all its locks while its child, which shares file and anon_vma, moves the end of an area',
  source: '7cd5a02f54 "mm: fix mm_take_all_locks() locking order" (2.6.27); as first posted: 7906d00cd1',
  properties: ['I12'],
  setup: bootFamily,
  threads: {
    take: ({ parent }) => takeAndDrop(parent),
    adjust: ({ childs }) => vmaAdjust(childs, ADDRESS, ADDRESS + 2, 0),
  },
  *finally({ anonVma }, { results }) {
    assertThat(results.take === 0, 'all locks were taken');
    yield* assertAllFree([anonVma]);
  },
  guards: [
    always('mmTakeAllLocks.mappingsFirst', 'deadlock'),
    // One taker, and each object in one area.
    notNeeded('mmTakeAllLocks.mutex'),
    notNeeded('vmUnlockMapping.unlockFirst'),
  ],
});

const twoTakers: Scenario = scenario<{ mms: readonly Ptr<MmStruct>[]; anonVmas: readonly Ptr<AnonVma>[] }>({
  name: 'two-takers',
  facts: ['E5', 'seed 2'],
  summary: 'two processes take all their locks, among them the same two anon_vmas in opposite order',
  source: POSTED,
  properties: ['I12'],
  *setup() {
    yield* bootMachine();
    const anonVmas = [yield* newAnonVma(), yield* newAnonVma()];
    const mms = [yield* newMm(), yield* newMm()];
    for (const [i, mm] of mms.entries()) {
      yield* addArea(mm, ADDRESS, { anonVma: anonVmas[i] });
      yield* addArea(mm, ADDRESS + 1, { anonVma: anonVmas[1 - i] });
      yield* downWrite(MmStruct.mmapSem(mm));
    }
    return { mms, anonVmas };
  },
  threads: {
    first: ({ mms }) => takeAndDrop(mms[0]),
    second: ({ mms }) => takeAndDrop(mms[1]),
  },
  *finally({ anonVmas }, { results }) {
    assertThat(results.first === 0 && results.second === 0, 'both took all locks');
    yield* assertAllFree(anonVmas);
  },
  guards: [
    // What is met first: a mark that the other taker set is taken for one's own, and the lock with it. They may also wait for each other.
    always('mmTakeAllLocks.mutex', 'BUG'),
  ],
});

/** An anonymous page that the family's areas may map: what makes reclaim walk them. */
interface Walked extends Family {
  readonly page: Ptr<Page>;
}

function* bootWalked(): Op<Walked> {
  const family = yield* bootFamily();
  const page = given(yield* allocPage(GFP_KERNEL));
  poke(Page._mapcount(page), 1);
  poke(Page.mapping(page), family.anonVma + PAGE_MAPPING_ANON);
  return { ...family, page };
}

/** The areas that a walk meets, as a walk of reclaim does: the file's, and those of the anon_vma. */
function* walkBoth({ page }: Walked): Op<{ readonly file: number[]; readonly anon: number[] }> {
  const file: number[] = [];
  const anon: number[] = [];
  yield* walkFileVmas(mapping, function* (vma) {
    file.push(vma);
    return false;
  });
  yield* walkAnonVmas(page, function* (vma) {
    anon.push(vma);
    return anon.length > 2;
  });
  return { file, anon };
}

const markerBit: Scenario = scenario<Walked>({
  name: 'marks-under-rmap-walk',
  facts: ['E6', 'seed 2'],
  summary: 'one process takes all its locks and gives them back while reclaim walks its file and its anon_vma',
  source: POSTED,
  properties: ['I12'],
  setup: bootWalked,
  threads: { take: ({ parent }) => takeAndDrop(parent), walk: walkBoth },
  *finally({ anonVma, parents, childs }, { results }) {
    const { file, anon } = results.walk as { file: number[]; anon: number[] };
    assertThat(file.join() === [parents, childs].join(), 'the walk of the file meets both areas');
    assertThat(
      anon.join() === [parents, childs].join(),
      'the walk of the anon_vma meets both areas, by pointers without a mark',
    );
    yield* assertAllFree([anonVma]);
  },
  guards: [
    always('vmUnlockAnonVma.clearFirst', 'assertion'),
    always('vmLockAnonVma.lockFirst', 'assertion'),
    // Only takers look at the mark of a mapping, and there is one of them at a time.
    notNeeded('vmUnlockMapping.unlockFirst'),
  ],
});

const otherFlags: Scenario = scenario<Family>({
  name: 'mark-beside-other-flags',
  facts: ['seed 2'],
  summary: 'a process takes all its locks while a write error is noted in the flags of the file that it maps',
  source: POSTED,
  properties: ['I12'],
  setup: bootFamily,
  threads: {
    take: ({ parent }) => takeAndDrop(parent),
    *error() {
      yield* setBit(AS_EIO, AddressSpace.flags(mapping));
    },
  },
  *finally({ anonVma }) {
    assertThat(yield* testBit(AS_EIO, AddressSpace.flags(mapping)), 'the error is not lost');
    yield* assertAllFree([anonVma]);
  },
  guards: [always('vmLockMapping.atomicBit', 'assertion')],
});

/** Who takes, for who sends him a signal. */
const taker: Ref<Ptr<TaskStruct> | Null> = defineWord('taker');

const signal: Scenario = scenario<Family & { readonly other: Ptr<AnonVma> }>({
  name: 'signal-while-taking-all-locks',
  facts: ['E8', 'seed 2'],
  summary: 'a signal comes while a process takes its locks, after none of them, some, or all',
  source: POSTED,
  properties: ['I12'],
  *setup() {
    const family = yield* bootFamily();
    const other = yield* newAnonVma();
    yield* addArea(family.parent, ADDRESS + 1, { anonVma: other });
    return { ...family, other };
  },
  threads: {
    *take({ parent }) {
      yield* writeOnce(taker, current());
      const error = yield* takeAndDrop(parent);
      if (error === 0) return error;
      // The signal is handled, and the call made again.
      yield* writeOnce(Task.signalPending(current()), 0);
      assertThat((yield* takeAndDrop(parent)) === 0, 'afterwards all locks can be taken');
      return error;
    },
    *kill() {
      const task = yield* readOnce(taker);
      if (task !== NULL) yield* writeOnce(Task.signalPending(task), 1);
    },
  },
  *finally({ parent, anonVma, other }, { results, reach }) {
    assertThat(results.take === 0 || results.take === -EINTR, 'all locks are taken, or -EINTR');
    yield* assertAllFree([anonVma, other]);
    assertThat((yield* load(RwSemaphore.activity(MmStruct.mmapSem(parent)))) === -1, 'mmap_sem is still the caller’s');
    reach(results.take === 0 ? 'taken' : 'interrupted');
  },
  mustReach: ['taken', 'interrupted'],
  // The next one to take all locks, here the same task, finds the mutex held by nobody.
  guards: [always('mmTakeAllLocks.dropOnSignal', 'lost-wakeup')],
});

export const takeAllLocksScenarios: readonly Scenario[] = [lockOrder, twoTakers, markerBit, otherFlags, signal];
