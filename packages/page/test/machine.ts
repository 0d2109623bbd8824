// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr, Ref } from '@lockless/cpu';
import {
  atomicAdd,
  atomicRead,
  atomicXchg,
  condResched,
  defineWord,
  GFP_ATOMIC,
  GFP_KERNEL,
  KernelBug,
  load,
  NULL,
  rcuAssignPointer,
  rcuDereference,
  readOnce,
  type SpinLock,
  smpRmb,
  spinLock,
  spinUnlock,
  store,
  writeOnce,
} from '@lockless/cpu';
import { Page, PG_WRITEBACK } from '@lockless/mm-types';
import { Machine, type MachineOptions, Random, type RunOutcome } from '@lockless/simulator';
import type * as PagePackage from '../src/index.js';

/** The package under test, or a mutant of it. */
export type PageApi = typeof PagePackage;
export interface Options extends MachineOptions {
  readonly pages?: number;
  readonly rounds?: number;
}

function broken(what: string): never {
  throw new KernelBug('broken-promise', what);
}

/** Runs a handler as a timer interrupt; what it holds is waited for at the end. */
type Timer = (delay: number, name: string, handler: () => Op<void>) => void;

/** Boots the package, lets one task per CPU and one more run, and drains all CPUs' lists at the end. */
function runOn(
  api: PageApi,
  options: Options,
  body: (timer: Timer, random: Random, id: number) => Op<void>,
  setup: () => Op<void> = function* () {},
  teardown: () => Op<void> = function* () {},
): RunOutcome {
  const machine = new Machine({ timerTick: 20_000, ...options });
  const { cpus } = machine.config;
  machine.boot(
    (function* (): Op<void> {
      const { pages = 64 + 16 * cpus } = options;
      const bootReserve = (words: number): number => machine.heap.reserve(words);
      yield* api.freeAreaInit({ pages, nrCpus: cpus, minFreeKbytes: 16, bootReserve });
      yield* setup();
    })(),
  );
  for (const check of [api.frameInvariant, api.lruInvariant, api.zoneCounterInvariant])
    machine.addInvariant({ name: check.name, check });
  machine.addInvariant({ name: 'nothing is left allocated', check: () => leftAllocated(api) });
  let running = cpus + 1;
  let armed = 0;
  const timer: Timer = (delay, name, handler) => {
    armed++;
    machine.addTimer(delay, name, function* () {
      yield* handler();
      armed--;
    });
  };
  for (let id = 0; id <= cpus; id++) {
    const random = new Random(machine.config.seed, 100 + id);
    machine.spawn(`task ${id}`, function* () {
      yield* body(timer, random, id);
      yield* atomicAdd(1, finished);
      if (--running > 0) return;
      while ((yield* atomicRead(finished)) <= cpus || armed > 0) yield* condResched();
      yield* teardown();
      for (let cpu = 0; cpu < cpus; cpu++) yield* api.drainCpuPagevecs(cpu);
    });
  }
  return machine.run({ maxSteps: 4_000_000 });
}
const finished: Ref<number> = defineWord('page_test_finished');

function leftAllocated(api: PageApi): string | null {
  const left = api.frameStates().indexOf('allocated');
  return left < 0 ? null : `frame ${left} is still allocated`;
}

/** What went wrong in a run, or null. */
export function wrongIn({ status, violation }: RunOutcome): string | null {
  return violation === null ? (status === 'finished' ? null : status) : `${violation.kind}: ${violation.report()}`;
}

/** A frame in use belongs to one owner: he marks it, and the mark stays. */
function* own(page: Ptr<Page>, mark: number, order = 0): Op<void> {
  for (let i = 0; i < 1 << order; i++) yield* store(Page.index((page + i * Page.$size) as Ptr<Page>), mark);
}
function* stillOwn(page: Ptr<Page>, mark: number, order = 0): Op<void> {
  for (let i = 0; i < 1 << order; i++) {
    const found = yield* load(Page.index((page + i * Page.$size) as Ptr<Page>));
    if (found !== mark) broken(`a frame in use was marked ${mark} and now ${found}: it has two owners`);
  }
}

/** Tasks and interrupts allocate and free blocks. */
export function allocatorStress(api: PageApi, options: Options): RunOutcome {
  const { rounds = 25 } = options;
  let nextMark = 1;
  function* useBriefly(gfp: number, order: number): Op<void> {
    const page = yield* api.allocPages(gfp, order);
    if (page === NULL) return;
    const mark = nextMark++;
    yield* own(page, mark, order);
    yield* stillOwn(page, mark, order);
    yield* api.freePages(page, order);
  }
  return runOn(api, options, function* (timer, random) {
    const owned: { page: Ptr<Page>; order: number; mark: number }[] = [];
    for (let round = 0; round < rounds; round++) {
      if (random.below(3) === 0) timer(random.below(3000), 'alloc', () => useBriefly(GFP_ATOMIC, 0));
      const order = random.below(4) === 0 ? 1 + random.below(3) : 0;
      const page = yield* api.allocPages(GFP_KERNEL, order);
      if (page !== NULL) {
        const mark = nextMark++;
        yield* own(page, mark, order);
        owned.push({ page, order, mark });
      }
      while (owned.length > random.below(6)) {
        const { page: old, order: oldOrder, mark } = owned.splice(random.below(owned.length), 1)[0]!;
        yield* stillOwn(old, mark, oldOrder);
        yield* api.freePages(old, oldOrder);
      }
    }
    for (const { page, order, mark } of owned) {
      yield* stillOwn(page, mark, order);
      yield* api.freePages(page, order);
    }
  });
}

const SLOTS = 4;
const slots: readonly Ref<Ptr<Page> | 0>[] = Array.from({ length: SLOTS }, (_, i) =>
  defineWord(`page_test_slot[${i}]`),
);
const slotLock: Ref<SpinLock> = defineWord('page_test_slot_lock');

/** Tasks share pages that are on the LRU lists; interrupts rotate them; isolation takes them off and puts them back. */
export function lruStress(api: PageApi, options: Options): RunOutcome {
  const { rounds = 30 } = options;
  function* getShared(slot: Ref<Ptr<Page> | 0>): Op<Ptr<Page> | 0> {
    yield* spinLock(slotLock);
    const page = yield* load(slot);
    if (page !== NULL) yield* api.getPage(page);
    yield* spinUnlock(slotLock);
    return page;
  }
  function* replaceShared(slot: Ref<Ptr<Page> | 0>, page: Ptr<Page> | 0): Op<void> {
    yield* spinLock(slotLock);
    const old = yield* load(slot);
    yield* store(slot, page);
    yield* spinUnlock(slotLock);
    if (old !== NULL) yield* api.putPage(old);
  }
  function* rotate(page: Ptr<Page>): Op<void> {
    yield* api.rotateReclaimablePage(page);
    yield* api.putPage(page);
  }
  return runOn(
    api,
    options,
    function* (timer, random) {
      for (let round = 0; round < rounds; round++) {
        const slot = slots[random.below(SLOTS)]!;
        if (random.below(3) === 0) {
          const fresh = yield* api.allocPage(GFP_KERNEL);
          if (fresh === NULL) continue;
          yield* (random.below(2) === 0 ? api.lruCacheAdd : api.lruCacheAddActiveAnon)(fresh);
          yield* replaceShared(slot, fresh);
          continue;
        }
        const page = yield* getShared(slot);
        if (page === NULL) continue;
        yield* api.markPageAccessed(page);
        if (random.below(3) === 0) yield* api.lruAddDrain();
        // The interrupt inherits our reference.
        if (random.below(2) === 0) timer(random.below(2000), 'rotate', () => rotate(page));
        else yield* api.putPage(page);
      }
    },
    undefined,
    function* () {
      for (const slot of slots) yield* replaceShared(slot, NULL);
    },
  );
}

/** Steps of the lookup that fell back, so that a test can see that it met what it is for. */
export interface Speculation {
  readonly outcome: RunOutcome;
  lookups: number;
  getFailed: number;
  slotMoved: number;
  frozen: number;
  freezeFailed: number;
}

/**
 * The protocol by itself: slots instead of a radix tree. Lookups take speculative references while one task per slot freezes the page in
 * it, removes and frees it, and publishes another; strangers reuse the frames.
 */
export function speculation(api: PageApi, options: Options): Speculation {
  const { rounds = 40 } = options;
  const counts = { lookups: 0, getFailed: 0, slotMoved: 0, frozen: 0, freezeFailed: 0 };
  const STRANGER = 1000;

  function* lookup(number: number): Op<Ptr<Page> | 0> {
    const slot = slots[number]!;
    for (;;) {
      const page = yield* rcuDereference(slot);
      if (page === NULL) return NULL;
      if (!(yield* api.pageCacheGetSpeculative(page))) {
        counts.getFailed++;
        continue;
      }
      if ((yield* readOnce(slot)) === page) return page;
      counts.slotMoved++;
      yield* api.putPage(page);
    }
  }
  function* look(number: number): Op<void> {
    const page = yield* lookup(number);
    if (page === NULL) return;
    counts.lookups++;
    // Written together while the page was frozen, and never else, so they agree for whoever holds a reference.
    if ((yield* readOnce(Page.contentVersion(page))) !== (yield* readOnce(Page.contentIdentity(page))))
      broken('a reference was had before the unfreeze was complete');
    // What PageUptodate() or the page lock does for callers of find_get_page(): first the slot, then what was written before publishing.
    yield* smpRmb();
    for (let i = 0; i < 3; i++) {
      const identity = yield* readOnce(Page.index(page));
      if (identity !== number + 1) broken(`a page found in slot ${number + 1} is page ${identity}`);
    }
    yield* api.putPage(page);
  }
  function* publish(number: number): Op<void> {
    const page = yield* api.allocPage(GFP_KERNEL);
    if (page === NULL) return;
    yield* writeOnce(Page.index(page), number + 1);
    yield* rcuAssignPointer(slots[number]!, page);
  }
  /** Changes a page that nobody may look at meanwhile, as migration does. */
  function* changeFrozen(page: Ptr<Page>): Op<void> {
    if (!(yield* api.pageFreezeRefs(page, 1))) return;
    yield* writeOnce(Page.contentIdentity(page), (yield* readOnce(Page.contentIdentity(page))) + 1);
    yield* writeOnce(Page.contentVersion(page), (yield* readOnce(Page.contentVersion(page))) + 1);
    yield* api.pageUnfreezeRefs(page, 1);
  }
  function* remove(number: number): Op<void> {
    const page = yield* load(slots[number]!);
    if (page === NULL) return yield* publish(number);
    if (!(yield* api.pageFreezeRefs(page, 1))) {
      counts.freezeFailed++;
      return;
    }
    counts.frozen++;
    yield* writeOnce(slots[number]!, NULL);
    yield* writeOnce(Page.index(page), 0);
    yield* api.freeHotColdPage(page, false);
  }
  function* stranger(mark: number): Op<void> {
    const page = yield* api.allocPage(GFP_KERNEL);
    if (page === NULL) return;
    yield* own(page, mark);
    yield* stillOwn(page, mark);
    yield* api.putPage(page);
  }
  const outcome = runOn(
    api,
    options,
    function* (_timer, random, id) {
      for (let round = 0; round < rounds; round++) {
        const kind = random.below(8);
        // One task per slot changes it, as tree_lock and the page lock see to it in the page cache.
        if (id < SLOTS && kind < 4) {
          if (kind < 3) yield* remove(id);
          else {
            const page = yield* load(slots[id]!);
            if (page !== NULL) yield* changeFrozen(page);
          }
        } else if (kind < 7) yield* look(random.below(Math.min(SLOTS, options.cpus ?? 2)));
        else yield* stranger(STRANGER + id);
      }
    },
    undefined,
    function* () {
      for (const slot of slots) {
        const page = yield* atomicXchg(slot, NULL);
        if (page !== NULL) yield* api.putPage(page);
      }
    },
  );
  return { outcome, ...counts };
}

/** More pages than wait queues, so that waiters for different pages meet in one. */
const LOCKED_PAGES = 5;

/** Tasks count on pages that they lock, and wait for writeback that an interrupt ends. */
export function pageLockStress(api: PageApi, options: Options): RunOutcome {
  const { rounds = 30 } = options;
  const pages: Ptr<Page>[] = [];
  const increments: number[] = [];
  function* endWriteback(page: Ptr<Page>): Op<void> {
    if (!(yield* api.testClearPageWriteback(page))) broken('writeback ended twice');
    yield* api.wakeUpPage(page, PG_WRITEBACK);
  }
  return runOn(
    api,
    options,
    function* (timer, random) {
      for (let round = 0; round < rounds; round++) {
        const which = random.below(LOCKED_PAGES);
        const page = pages[which]!;
        const kind = random.below(6);
        if (kind === 0) {
          yield* api.waitOnPageLocked(page);
          continue;
        }
        if (kind === 1) {
          if (!(yield* api.trylockPage(page))) continue;
        } else yield* api.lockPage(page);
        yield* store(Page.private(page), (yield* load(Page.private(page))) + 1);
        increments[which]!++;
        if (kind <= 3) {
          yield* api.waitOnPageWriteback(page);
          yield* api.testSetPageWriteback(page);
          timer(random.below(5000), 'end writeback', () => endWriteback(page));
        }
        yield* api.unlockPage(page);
      }
    },
    function* () {
      for (let i = 0; i < LOCKED_PAGES; i++) {
        const page = yield* api.allocPage(GFP_KERNEL);
        if (page === NULL) broken('no page');
        pages.push(page);
        increments.push(0);
      }
    },
    function* () {
      for (let i = 0; i < LOCKED_PAGES; i++) {
        const page = pages[i]!;
        yield* api.waitOnPageWriteback(page);
        const counted = yield* load(Page.private(page));
        if (counted !== increments[i]) broken(`${increments[i]} increments under the page lock, ${counted} counted`);
        yield* api.putPage(page);
      }
    },
  );
}
