// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import {
  atomicDec,
  bugOn,
  containerOf,
  defineStatic,
  GFP_ATOMIC,
  ListHead,
  load,
  NULL,
  poke,
  readOnce,
  spinLock,
  spinLockIrq,
  spinUnlock,
  spinUnlockIrq,
} from '@lockless/cpu';
import {
  MemCgroup,
  memCgroupBoot,
  memCgroupCacheCharge,
  memCgroupCreate,
  memCgroupForceEmptyList,
  memCgroupInUse,
  memCgroupMoveAccount,
  memCgroupUnchargeCachePage,
  resCounterUsage,
  rootMemCgroup,
} from '@lockless/memcontrol';
import { mcHandlePresentPte } from '@lockless/mm';
import { PAGE_MAPPING_ANON, Page, VmAreaStruct } from '@lockless/mm-types';
import {
  getPage,
  LRU_INACTIVE_FILE,
  lockPage,
  lruAddDrain,
  lruCacheAdd,
  lruList,
  pageCount,
  putPage,
  Zone,
  zone,
} from '@lockless/page';
import { mkPte, type Pgprot, PTE_PRESENT, PTE_USER, pteLockptr, ptePresent, ptepGetAndClear } from '@lockless/rmap';
import { assertThat } from '../assertion.js';
import { always, alwaysAt } from '../claims.js';
import { assertCount, bootEmptyCache, cachePage, newPage, reclaim } from '../pagecache/tiny-cache.js';
import { type Scenario, scenario } from '../scenario.js';
import { ADDRESS, bootMemory, newPage as newAnonPage, newProcess, type Process } from '../swap/boot.js';

/* Charges of pages to memory cgroups. */

/** An area of anonymous memory. */
const area: Ptr<VmAreaStruct> = defineStatic(VmAreaStruct, 'area');

const charged = (): Op<number> => usageOf(rootMemCgroup);
function* usageOf(mem: Ptr<MemCgroup>): Op<number> {
  return yield* resCounterUsage(MemCgroup.res(mem));
}

function* bootCharging(): Op<void> {
  yield* bootEmptyCache();
  yield* memCgroupBoot();
  bugOn(!memCgroupInUse(), 'pages are charged');
}

/** Page 0, in the cache, charged and on the LRU; reclaim has a reference and the page lock. */
function* bootChargedPage(): Op<Ptr<Page>> {
  yield* bootCharging();
  const page = yield* cachePage();
  yield* lruCacheAdd(page);
  yield* lruAddDrain();
  yield* getPage(page);
  yield* lockPage(page);
  return page;
}

export const memcontrolScenarios: readonly Scenario[] = [
  scenario({
    name: 'force-empty-vs-reclaim',
    facts: ['A10', 'seed 3'],
    summary:
      'a group is emptied while reclaim has frozen the count of one of its pages: the page is on its list, and has no reference',
    source: 'mem_cgroup_force_empty_list(), mm/memcontrol.c, 2.6.27; Michel Lespinasse, patch 2 of 9 (2011-08-19)',
    properties: ['I2', 'I3', 'I4'],
    setup: bootChargedPage,
    threads: { reclaim, empty: () => memCgroupForceEmptyList(rootMemCgroup) },
    *finally(page, { results, reach }) {
      yield* assertCount(page, results.reclaim === true ? 0 : 1);
      const left = yield* charged();
      assertThat(
        left === 0 || (left === 1 && results.empty === false),
        'the charge has ended once, or somebody is in the way',
      );
      reach(results.reclaim !== true ? 'emptied first' : left === 0 ? 'reclaimed' : 'frozen');
    },
    mustReach: ['emptied first', 'reclaimed'],
    guards: [always('memCgroupForceEmptyList.unlessZero', 'VM_BUG')],
  }),
  scenario({
    name: 'lru-page-without-reference',
    facts: ['seed 3'],
    summary:
      'a page on the LRU may have no reference, lru_lock or not: its last owner waits for that lock to take it off',
    source: '__page_cache_release(), mm/swap.c, 2.6.27; 46453a6e19',
    properties: ['I4'],
    *setup() {
      yield* bootEmptyCache();
      const page = yield* newPage();
      yield* lruCacheAdd(page);
      yield* lruAddDrain();
      return page;
    },
    threads: {
      owner: putPage,
      *looks() {
        yield* spinLockIrq(Zone.lruLock(zone));
        const head = lruList(LRU_INACTIVE_FILE);
        const entry = yield* load(ListHead.prev(head));
        const count = entry === head ? -1 : yield* pageCount(containerOf(entry, Page, 'lru'));
        yield* spinUnlockIrq(Zone.lruLock(zone));
        return count;
      },
    },
    *finally(_, { results, reach }) {
      if (results.looks === 0) reach('on the list with count 0');
    },
    mustReach: ['on the list with count 0'],
    guards: [],
  }),
  scenario({
    name: 'charge-vs-charge',
    facts: ['seed 3'],
    summary: 'two tasks charge the same page: one of the charges is taken back',
    source: 'mem_cgroup_charge_common(), mm/memcontrol.c, 2.6.27',
    properties: ['I3'],
    *setup() {
      yield* bootCharging();
      return yield* newPage();
    },
    threads: {
      one: (page) => memCgroupCacheCharge(page, NULL, GFP_ATOMIC),
      other: (page) => memCgroupCacheCharge(page, NULL, GFP_ATOMIC),
    },
    *finally(page) {
      assertThat((yield* charged()) === 1, 'the page is charged once');
      yield* memCgroupUnchargeCachePage(page);
      assertThat((yield* charged()) === 0, 'and no more');
    },
    guards: [always('memCgroupChargeCommon.recheck', 'assertion')],
  }),
  scenario<{ page: Ptr<Page>; to: Ptr<MemCgroup> }>({
    name: 'move-account-vs-uncharge',
    facts: ['seed 3'],
    summary: 'a page goes to another group while its charge ends',
    source: 'mem_cgroup_move_account(), mm/memcontrol.c, 3.1',
    properties: ['I3'],
    *setup() {
      yield* bootCharging();
      const page = yield* newPage();
      yield* memCgroupCacheCharge(page, NULL, GFP_ATOMIC);
      const to = yield* memCgroupCreate(4);
      if (to === NULL) throw new RangeError('no memory');
      return { page, to };
    },
    threads: {
      move: ({ page, to }) => memCgroupMoveAccount(page, rootMemCgroup, to),
      ends: ({ page }) => memCgroupUnchargeCachePage(page),
    },
    *finally({ to }, { results, reach }) {
      assertThat((yield* charged()) === 0 && (yield* usageOf(to)) === 0, 'nothing is charged to either');
      reach(results.move === 0 ? 'moved first' : 'ended first');
    },
    mustReach: ['moved first', 'ended first'],
    guards: [],
  }),
  scenario<Process & { readonly page: Ptr<Page> }>({
    name: 'move-charge-vs-unmap',
    facts: ['seed 3'],
    summary:
      'the charge of a mapped page is to be moved while its only mapping goes: the entry has a reference as long as its lock is held',
    source: 'mc_handle_present_pte(), mm/memcontrol.c, 3.1; Michel Lespinasse, patch 2 of 9 (2011-08-19)',
    properties: ['I1', 'I3', 'I4'],
    *setup() {
      yield* bootMemory();
      const page = yield* newAnonPage(1);
      const process = yield* newProcess();
      poke(Page._mapcount(page), 0);
      poke(Page.mapping(page), PAGE_MAPPING_ANON);
      poke(process.ptep, mkPte(page, (PTE_PRESENT | PTE_USER) as Pgprot));
      return { ...process, page };
    },
    threads: {
      *move({ mm, ptep }) {
        yield* spinLock(pteLockptr(mm, ptep));
        const pte = yield* readOnce(ptep);
        const page = ptePresent(pte) ? yield* mcHandlePresentPte(area, ADDRESS, pte) : NULL;
        yield* spinUnlock(pteLockptr(mm, ptep));
        if (page !== NULL) yield* putPage(page);
        return page !== NULL;
      },
      *unmap({ mm, ptep, page }) {
        yield* spinLock(pteLockptr(mm, ptep));
        yield* ptepGetAndClear(mm, ADDRESS, ptep);
        yield* atomicDec(Page._mapcount(page));
        yield* spinUnlock(pteLockptr(mm, ptep));
        yield* putPage(page);
      },
    },
    *finally({ page }, { results, reach }) {
      yield* assertCount(page, 0);
      reach(results.move === true ? 'moved first' : 'unmapped first');
    },
    mustReach: ['moved first', 'unmapped first'],
    guards: [alwaysAt('mcHandlePresentPte.getPage', 'no-rcu-reader', 'mcHandlePresentPte')],
  }),
];
