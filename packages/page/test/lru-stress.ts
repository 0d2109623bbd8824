// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr, Ref } from '@lockless/cpu';
import { defineWord, GFP_KERNEL, load, NULL, type SpinLock, spinLock, spinUnlock, store } from '@lockless/cpu';
import type { Page } from '@lockless/mm-types';
import type { RunOutcome } from '@lockless/simulator';
import { type Options, type PageApi, runOn, SLOTS, slots } from './machine.js';

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
