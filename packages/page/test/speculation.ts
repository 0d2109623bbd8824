// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import {
  atomicXchg,
  GFP_KERNEL,
  load,
  NULL,
  rcuAssignPointer,
  rcuDereference,
  readOnce,
  smpRmb,
  writeOnce,
} from '@lockless/cpu';
import { Page } from '@lockless/mm-types';
import type { RunOutcome } from '@lockless/simulator';
import { broken, type Options, own, type PageApi, runOn, SLOTS, slots, stillOwn } from './machine.js';

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
