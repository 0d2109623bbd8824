// SPDX-License-Identifier: GPL-2.0-only
import type { KmemCache, Null, Op, Ptr, Ref, SpinLock, StructOf } from '@lockless/cpu';
import {
  defineGuard,
  defineWord,
  GFP_KERNEL,
  kmemCacheAlloc,
  kmemCacheCreate,
  kmemCacheFree,
  load,
  NULL,
  rcuAssignPointer,
  rcuDereference,
  spinLock,
  spinUnlock,
  store,
  struct,
} from '@lockless/cpu';
import { bootRcuEvents, callRcu, rcuReadLock, rcuReadUnlock, synchronizeRcu } from '@lockless/rcu';
import { assertThat } from '../assertion.js';
import { always, notNeeded, weakOnly, whereStoresWait } from '../claims.js';
import { type Scenario, scenario } from '../scenario.js';
import {
  afterAndBefore,
  beforeAndAfter,
  freedAfterGracePeriod,
  nested,
  oneEach,
  readersStore,
  twoEach,
  twoReaders,
  twoUpdaters,
} from './guarantee.js';
import { assertFound, freeItem, Item, publishItem, unpublishItem, valueOfItem } from './published-item.js';
import { type Rcu, reader } from './rcu-under-test.js';

/*
 * Grace periods as events: the guarantee is an axiom of the model (or, under SC and TSO, of the engine). That these hold, and that they do not where a
 * reader does not say that it is one, is what all other scenarios rely on.
 */

const events: Rcu = {
  prefix: 'rcu',
  source:
    'tools/memory-model/Documentation/explanation.txt: "RCU: rcu-link, rcu-gp, rcu-rscsi, rcu-order, rcu-fence, and rb"',
  *boot() {
    bootRcuEvents();
  },
};

const unpublishesFirst = defineGuard(
  'updater.unpublishFirst',
  'the item is given to call_rcu() while readers still find it',
);

/** call_rcu() in the place of synchronize_rcu(), and the same callback for it. */
const callback: Scenario = scenario({
  name: 'rcu-callback',
  facts: [],
  summary: 'a reader uses a published object that an updater unpublishes and lets a callback free',
  source: 'Documentation/RCU/checklist.txt, 2.6.27',
  properties: ['I11'],
  *setup() {
    bootRcuEvents();
    return yield* publishItem();
  },
  threads: {
    reader: () => reader(valueOfItem),
    *updater(item: Ptr<Item>) {
      if (unpublishesFirst()) yield* unpublishItem();
      yield* callRcu(Item.rcu(item), freeItem);
      if (!unpublishesFirst()) yield* unpublishItem();
    },
  },
  *finally(_shared, { results, reach }) {
    assertFound(results.reader);
    reach(results.reader === 7 ? 'found' : 'gone');
  },
  mustReach: ['found', 'gone'],
  guards: [always('reader.rcuReadLock', 'use-after-free'), always('updater.unpublishFirst', 'use-after-free')],
});

/** As much of an anon_vma as a lookup touches before it knows that it has the right one. */
interface AnonVma {
  lock: SpinLock;
  value: number;
}
const AnonVma: StructOf<AnonVma> = struct<AnonVma>('anon_vma_like', { lock: 1, value: 1 });
const anonVmaCachep: KmemCache<AnonVma> = kmemCacheCreate(AnonVma);
const mapping: Ref<Ptr<AnonVma> | Null> = defineWord('mapping_of_page');

const lookupIsReader = defineGuard('lockMapping.rcuReadLock', 'the spin lock is thought to hold off the grace period');

function* lockMapping(): Op<number> {
  if (lookupIsReader()) yield* rcuReadLock();
  let value = 0;
  const anonVma = yield* rcuDereference(mapping);
  if (anonVma !== NULL) {
    yield* spinLock(AnonVma.lock(anonVma));
    value = yield* load(AnonVma.value(anonVma));
    yield* spinUnlock(AnonVma.lock(anonVma));
  }
  if (lookupIsReader()) yield* rcuReadUnlock();
  return value;
}

/** D1. What goes back after the grace period is the slab's page, so the anon_vma's lock is no lock any more. */
const spinLockIsNoReader: Scenario = scenario({
  name: 'rcu-spin-lock-is-no-reader',
  facts: ['D1'],
  summary: 'a lookup takes the lock of what it found, which a grace period after its removal is no lock any more',
  source: '34bbd70405 (2.6.21): "adapt page_lock_anon_vma() to PREEMPT_RCU"',
  properties: ['I11'],
  *setup() {
    bootRcuEvents();
    const anonVma = yield* kmemCacheAlloc(anonVmaCachep, GFP_KERNEL);
    assertThat(anonVma !== NULL, 'setup has memory');
    yield* store(AnonVma.value(anonVma), 7);
    yield* rcuAssignPointer(mapping, anonVma);
    return anonVma;
  },
  threads: {
    lookup: lockMapping,
    *unmap(anonVma: Ptr<AnonVma>) {
      yield* rcuAssignPointer(mapping, NULL);
      yield* synchronizeRcu();
      yield* kmemCacheFree(anonVmaCachep, anonVma);
    },
  },
  *finally(_shared, { results, reach }) {
    assertFound(results.lookup);
    reach(results.lookup === 7 ? 'found' : 'gone');
  },
  mustReach: ['found', 'gone'],
  guards: [always('lockMapping.rcuReadLock', 'use-after-free')],
});

export const eventScenarios: readonly Scenario[] = [
  beforeAndAfter(events, [always('reader.rcuReadLock', 'assertion')]),
  afterAndBefore(events, [weakOnly('reader.rcuReadLock', 'assertion')]),
  readersStore(events, [always('reader.rcuReadLock', 'assertion')]),
  oneEach(events, [whereStoresWait('reader.rcuReadLock', 'assertion')]),
  freedAfterGracePeriod(events, [
    always('reader.rcuReadLock', 'use-after-free'),
    notNeeded('unpublishItem.rcu_assign_pointer'),
  ]),
  nested(events, [always('reader.rcuReadLock', 'assertion')]),
  twoReaders(events, [always('reader.rcuReadLock', 'assertion')]),
  twoEach(events, [whereStoresWait('reader.rcuReadLock', 'assertion')]),
  twoUpdaters(events, [always('reader.rcuReadLock', 'assertion')]),
  callback,
  spinLockIsNoReader,
];
