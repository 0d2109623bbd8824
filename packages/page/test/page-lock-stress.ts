// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { GFP_KERNEL, load, NULL, store } from '@lockless/cpu';
import { Page, PG_WRITEBACK } from '@lockless/mm-types';
import type { RunOutcome } from '@lockless/simulator';
import { broken, type Options, type PageApi, runOn } from './machine.js';

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
