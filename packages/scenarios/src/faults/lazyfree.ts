// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr, Ref } from '@lockless/cpu';
import { atomicSet, current, omitGuards, poke, spinLock, spinUnlock } from '@lockless/cpu';
import { ERA_MM, getUserPagesFast, mmOptionsInit, userAccess } from '@lockless/mm';
import { type MmStruct, Page, taskMm } from '@lockless/mm-types';
import { disableVmEventCounters, getPage, putPage, testSetPageDirty } from '@lockless/page';
import {
  discardLazyfree,
  mkPte,
  type Pgprot,
  PTE_PRESENT,
  PTE_RW,
  PTE_USER,
  type Pte,
  pteLockptr,
  ptePresent,
  readPte,
  setPteAt,
} from '@lockless/rmap';
import { assertThat } from '../assertion.js';
import { always, weakOnly } from '../claims.js';
import { type GuardClaim, type Scenario, scenario } from '../scenario.js';
import { ADDRESS, bootMemory, newPage, newProcess } from '../swap/boot.js';

/* A page that MADV_FREE gave up: its entry is clean and may be written through. Reclaim, which has a reference, takes the entry away. */

interface GivenUp {
  readonly mm: Ptr<MmStruct>;
  readonly ptep: Ref<Pte>;
  readonly page: Ptr<Page>;
}

function* bootGivenUp(): Op<GivenUp> {
  // A flush does not wait for get_user_pages_fast(), as since 4.14: its reference has to see to itself.
  omitGuards(['getUserPagesFast.irqsOff']);
  yield* bootMemory();
  disableVmEventCounters();
  yield* mmOptionsInit({ ...ERA_MM, gupSpeculative: 1, madvFree: 1 });
  const page = yield* newPage(1);
  const { mm, ptep } = yield* newProcess();
  yield* setPteAt(mm, ADDRESS, ptep, mkPte(page, (PTE_PRESENT | PTE_USER | PTE_RW) as Pgprot));
  yield* atomicSet(Page._mapcount(page), 0);
  yield* getPage(page);
  return { mm, ptep, page };
}

/** The entry's part of try_to_unmap(). */
function* reclaim({ mm, ptep, page }: GivenUp): Op<boolean> {
  const lock = pteLockptr(mm, ptep);
  yield* spinLock(lock);
  const dropped = yield* discardLazyfree(page, mm, ADDRESS, ptep);
  yield* spinUnlock(lock);
  return dropped;
}

/** The page for writing, from who does not fault. */
function* pin({ mm }: GivenUp): Op<Ptr<Page> | 0> {
  poke(taskMm(current()), mm);
  const pages: Ptr<Page>[] = [];
  return (yield* getUserPagesFast(ADDRESS, 1, true, pages)) === 1 ? pages[0] : 0;
}

const lazyfreeScenario = (
  name: string,
  summary: string,
  write: (memory: GivenUp) => Op<boolean>,
  guards: readonly GuardClaim[],
): Scenario =>
  scenario<GivenUp>({
    name,
    facts: [],
    summary,
    source: 'try_to_unmap_one(), 802a3a92ad7a "mm: reclaim MADV_FREE pages" (4.12), 6c8e2a256915 (5.18)',
    properties: ['I6'],
    setup: bootGivenUp,
    threads: { reclaim, write },
    *finally({ ptep }, { results, reach }) {
      const mapped = ptePresent(yield* readPte(ptep));
      assertThat(mapped !== results.reclaim, 'the entry is gone if reclaim says so');
      assertThat(mapped || results.write !== true, 'what was written is there for the process');
      reach(results.write === true ? 'written' : 'dropped first');
    },
    mustReach: ['written', 'dropped first'],
    guards,
  });

export const lazyfreeScenarios: readonly Scenario[] = [
  lazyfreeScenario(
    'lazyfree-vs-write',
    'reclaim drops a page that MADV_FREE gave up while the process writes to it',
    function* ({ mm }) {
      poke(taskMm(current()), mm);
      return (yield* userAccess(ADDRESS, 'write')).error === 0;
    },
    [always('discardLazyfree.dirty', 'assertion')],
  ),
  lazyfreeScenario(
    'lazyfree-vs-pin',
    'reclaim drops a page that MADV_FREE gave up while get_user_pages_fast finds it for a device that will write to it',
    function* (memory) {
      return (yield* pin(memory)) !== 0;
    },
    [always('discardLazyfree.count', 'assertion')],
  ),
  lazyfreeScenario(
    'lazyfree-vs-pin-and-dirty',
    'the same; the device has written and its reference is gone when reclaim counts, so the dirty mark has to be there when reclaim looks',
    function* (memory) {
      const page = yield* pin(memory);
      if (page === 0) return false;
      yield* testSetPageDirty(page);
      yield* putPage(page);
      return true;
    },
    [
      always('discardLazyfree.dirty', 'assertion'),
      always('discardLazyfree.count', 'assertion'),
      weakOnly('discardLazyfree.rmb', 'assertion'),
    ],
  ),
];
