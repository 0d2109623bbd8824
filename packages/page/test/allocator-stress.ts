// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { GFP_ATOMIC, GFP_KERNEL, NULL } from '@lockless/cpu';
import type { Page } from '@lockless/mm-types';
import type { RunOutcome } from '@lockless/simulator';
import { type Options, own, type PageApi, runOn, stillOwn } from './machine.js';

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
