// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr, Ref, SpinLock } from '@lockless/cpu';
import {
  configureKernel,
  defineGuard,
  defineWord,
  GFP_ATOMIC,
  load,
  preemptDisable,
  preemptEnable,
  spinLock,
  spinUnlock,
  store,
} from '@lockless/cpu';
import { AddressSpace, PAGECACHE_TAG_DIRTY, PAGECACHE_TAG_WRITEBACK, type Page } from '@lockless/mm-types';
import { lruAddDrain, lruCacheAdd, pageLru, putPage, setPageUptodate } from '@lockless/page';
import {
  addToPageCache,
  setPageDirtyNobuffers,
  testClearPageWriteback,
  testSetPageWriteback,
} from '@lockless/pagecache';
import { radixTreeTagGet, radixTreeTagged } from '@lockless/radix-tree';
import { bootRcuEvents, rcuReadLock, rcuReadUnlock, synchronizeRcu } from '@lockless/rcu';
import { assertThat } from '../assertion.js';
import { always, notNeeded } from '../claims.js';
import { onOneCpu } from '../one-cpu.js';
import { bootEmptyCache, mapping, newPage } from '../pagecache/tiny-cache.js';
import { assertFound, Item, publishItem, unpublishItem, valueOfItem } from '../rcu/published-item.js';
import { type GuardClaim, type Scenario, scenario } from '../scenario.js';

/* What is left of locks, per-CPU data and grace periods where there is one CPU: preemption off, interrupts off, or nothing. */

const lock = defineWord<SpinLock>('a_spinlock');
const counter: Ref<number> = defineWord('counter_of_tasks');
const keepsCpu = defineGuard(
  'spinLock.preemptDisable',
  'without CONFIG_SMP, a spin lock is nothing, with CONFIG_PREEMPT too',
);

function* increment(): Op<void> {
  yield* spinLock(lock);
  if (!keepsCpu()) preemptEnable();
  yield* store(counter, (yield* load(counter)) + 1);
  if (!keepsCpu()) preemptDisable();
  yield* spinUnlock(lock);
}

/** With CONFIG_PREEMPT and without: what is needed there, and not here. */
const bothBuilds = (
  made: (preempt: boolean, name: string, claim: (guard: string, kind: string) => GuardClaim) => Scenario,
) => [made(true, 'up-preempt', always), made(false, 'up', notNeeded)];

function* bootTwoPages(): Op<readonly Ptr<Page>[]> {
  yield* bootEmptyCache();
  const pages: Ptr<Page>[] = [];
  for (let index = 0; index < 2; index++) {
    const page = yield* newPage();
    assertThat((yield* addToPageCache(page, mapping, index, GFP_ATOMIC)) === 0, 'the page is added');
    yield* setPageUptodate(page);
    pages.push(page);
  }
  yield* testSetPageWriteback(pages[0]);
  return pages;
}

export const exclusionScenarios: readonly Scenario[] = [
  ...bothBuilds((preempt, build, claim) =>
    scenario({
      name: `${build}-spin-lock`,
      facts: ['seed 2'],
      summary: 'two tasks increment a counter under a spin lock that has no word',
      source: 'include/linux/spinlock_up.h, spinlock_api_up.h, 2.6.27',
      properties: ['I7'],
      *setup() {
        configureKernel({ smp: false, preempt });
      },
      threads: { cpu: () => onOneCpu({ one: increment, other: increment }, { preemptions: 2 }) },
      *finally() {
        assertThat((yield* load(counter)) === 2, 'no increment is lost');
      },
      guards: [claim('spinLock.preemptDisable', 'assertion')],
    }),
  ),
  ...bothBuilds((preempt, build, claim) =>
    scenario<Ptr<Item>>({
      name: `${build}-grace-period`,
      facts: ['seed 2'],
      summary:
        'synchronize_rcu() returns at once, since whoever may sleep has the only CPU, and a reader does not give it up',
      source: '__rcu_read_lock(), include/linux/rcuclassic.h, 2.6.27; rcu_blocking_is_gp(), 2.6.30',
      properties: ['I11'],
      *setup() {
        configureKernel({ smp: false, preempt });
        bootRcuEvents();
        return yield* publishItem();
      },
      threads: {
        cpu: (item) =>
          onOneCpu({
            *reader() {
              yield* rcuReadLock();
              const value = yield* valueOfItem();
              yield* rcuReadUnlock();
              return value;
            },
            *updater() {
              yield* unpublishItem();
              yield* synchronizeRcu();
              // Freed, and used for something else.
              yield* store(Item.value(item), 1);
            },
          }),
      },
      *finally(_, { results, reach }) {
        const { reader } = results.cpu as { readonly reader: number };
        assertFound(reader);
        reach(reader === 0 ? 'updater first' : 'reader first');
      },
      mustReach: ['reader first', 'updater first'],
      guards: [claim('rcuReadLock.preemptDisable', 'assertion')],
    }),
  ),
  ...bothBuilds((preempt, build, claim) =>
    scenario<readonly Ptr<Page>[]>({
      name: `${build}-pagevec`,
      facts: ['seed 3'],
      summary: 'two tasks put a page each on the pagevec of their CPU',
      source: '__lru_cache_add(), mm/swap.c, 2.6.27: get_cpu_var() disables preemption',
      properties: ['I3', 'I9'],
      *setup() {
        configureKernel({ smp: false, preempt });
        yield* bootEmptyCache();
        return [yield* newPage(), yield* newPage()];
      },
      threads: {
        cpu: (pages) => onOneCpu({ one: () => lruCacheAdd(pages[0]), other: () => lruCacheAdd(pages[1]) }),
      },
      *finally(pages) {
        yield* lruAddDrain();
        for (const page of pages) {
          assertThat(yield* pageLru(page), 'the page is on its LRU list');
          yield* putPage(page);
        }
      },
      guards: [claim('lruCacheAdd.preemptDisable', 'assertion')],
    }),
  ),
  scenario<readonly Ptr<Page>[]>({
    name: 'up-tree-lock-in-interrupt',
    facts: ['seed 2'],
    summary: 'the disk is done with one page while its neighbour becomes dirty: the root has both tags in one word',
    source: '__set_page_dirty_nobuffers() and test_clear_page_writeback(), mm/page-writeback.c, 2.6.27',
    properties: ['I6'],
    *setup() {
      configureKernel({ smp: false, preempt: false });
      return yield* bootTwoPages();
    },
    threads: {
      cpu: ([page, neighbour]) =>
        onOneCpu(
          { write: () => setPageDirtyNobuffers(neighbour) },
          {
            *interrupt() {
              yield* testClearPageWriteback(page);
            },
          },
        ),
    },
    *finally(_, { reach }) {
      const tree = AddressSpace.pageTree(mapping);
      const ofPage = yield* radixTreeTagGet(tree, 0, PAGECACHE_TAG_WRITEBACK);
      assertThat(
        (yield* radixTreeTagged(tree, PAGECACHE_TAG_WRITEBACK)) === ofPage,
        'the root has the tags of its pages',
      );
      assertThat(yield* radixTreeTagged(tree, PAGECACHE_TAG_DIRTY), 'I6: and a dirty page is found by writeback');
      reach(ofPage ? 'no interrupt' : 'interrupt');
    },
    mustReach: ['interrupt', 'no interrupt'],
    guards: [always('treeLock.irqsOff', 'assertion')],
  }),
];
