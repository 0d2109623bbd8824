// SPDX-License-Identifier: GPL-2.0-only
import type { Embed, FunctionPointer, KmemCache, Op, Ptr, StructOf } from '@lockless/cpu';
import {
  containerOf,
  defineGuard,
  defineStatic,
  functionPointer,
  GFP_KERNEL,
  initListHead,
  kmemCacheAlloc,
  kmemCacheCreate,
  kmemCacheFree,
  ListHead,
  listAddRcu,
  listDelEntry,
  listDelInit,
  load,
  NULL,
  rcuDereference,
  store,
  struct,
} from '@lockless/cpu';
import type { RcuCallback } from '@lockless/mm-types';
import { RcuHead } from '@lockless/mm-types';
import { bootRcuEvents, callRcu, rcuReadLock, rcuReadUnlock } from '@lockless/rcu';
import { assertThat } from '../assertion.js';
import { always, weakOnly } from '../claims.js';
import { type Scenario, scenario } from '../scenario.js';

/* A list that readers walk under RCU while one updater changes it. */

interface Entry {
  value: number;
  list: Embed<ListHead>;
  rcu: Embed<RcuHead>;
}
const Entry: StructOf<Entry> = struct<Entry>('list_entry', { value: 1, list: ListHead, rcu: RcuHead });
const entryCachep: KmemCache<Entry> = kmemCacheCreate(Entry);
const head: Ptr<ListHead> = defineStatic(ListHead, 'entries');

const freeEntry: FunctionPointer<RcuCallback> = functionPointer('free_entry', function* (rcu: Ptr<RcuHead>): Op<void> {
  yield* kmemCacheFree(entryCachep, containerOf(rcu, Entry, 'rcu'));
});

const keepsPointers = defineGuard(
  'removeEntry.keepPointers',
  'list_del_init() in the place of list_del_rcu(): the element leads to itself',
);
const waits = defineGuard('removeEntry.callRcu', 'the element is freed at once');
const walksUnderRcu = defineGuard('sumOfEntries.rcuReadLock', 'the walk is no RCU reader');

function* newEntry(value: number): Op<Ptr<Entry>> {
  const entry = yield* kmemCacheAlloc(entryCachep, GFP_KERNEL);
  assertThat(entry !== NULL, 'there is memory');
  yield* store(Entry.value(entry), value);
  return entry;
}
function* addEntry(value: number): Op<Ptr<Entry>> {
  const entry = yield* newEntry(value);
  yield* listAddRcu(Entry.list(entry), head);
  return entry;
}
function* removeEntry(entry: Ptr<Entry>): Op<void> {
  if (keepsPointers()) yield* listDelEntry(Entry.list(entry));
  else yield* listDelInit(Entry.list(entry));
  if (waits()) yield* callRcu(Entry.rcu(entry), freeEntry);
  else yield* freeEntryNow(entry);
}
function* freeEntryNow(entry: Ptr<Entry>): Op<void> {
  yield* kmemCacheFree(entryCachep, entry);
}

/** list_for_each_entry_rcu(). */
function* sumOfEntries(): Op<number> {
  let sum = 0;
  if (walksUnderRcu()) yield* rcuReadLock();
  let at = yield* rcuDereference(ListHead.next(head));
  while (at !== head) {
    sum += yield* load(Entry.value(containerOf(at, Entry, 'list')));
    at = yield* rcuDereference(ListHead.next(at));
  }
  if (walksUnderRcu()) yield* rcuReadUnlock();
  return sum;
}

/** Boot: a list of two. */
function* bootList(): Op<Ptr<Entry>> {
  bootRcuEvents();
  yield* initListHead(head);
  yield* addEntry(1);
  return yield* addEntry(2);
}

export const listScenarios: readonly Scenario[] = [
  scenario({
    name: 'list-add-rcu',
    facts: [],
    summary: 'a reader walks a list while an element is put in front',
    source: 'include/linux/rculist.h, 2.6.27',
    properties: ['I5'],
    setup: bootList,
    threads: { reader: sumOfEntries, writer: () => addEntry(4) },
    *finally(_shared, { results, reach }) {
      assertThat(
        results.reader === 3 || results.reader === 7,
        'a walk meets each element, the new one complete or not at all',
      );
      reach(`sum ${results.reader}`);
    },
    mustReach: ['sum 3', 'sum 7'],
    guards: [
      weakOnly('listAddRcu.rcu_assign_pointer', 'wild-access'),
      weakOnly('sumOfEntries.rcu_dereference', 'wild-access'),
    ],
  }),
  scenario({
    name: 'list-del-rcu',
    facts: [],
    summary: 'a reader walks a list while its first element is taken out and freed by a callback',
    source: 'include/linux/rculist.h, 2.6.27; Documentation/RCU/listRCU.txt',
    properties: ['I5', 'I7', 'I11'],
    setup: bootList,
    threads: { reader: sumOfEntries, writer: removeEntry },
    *finally(_shared, { results, reach }) {
      assertThat(results.reader === 1 || results.reader === 3, 'a walk meets the element that stays');
      reach(`sum ${results.reader}`);
    },
    mustReach: ['sum 1', 'sum 3'],
    races: 'report',
    guards: [
      always('removeEntry.keepPointers', 'livelock'),
      always('removeEntry.callRcu', 'use-after-free'),
      always('sumOfEntries.rcuReadLock', 'use-after-free'),
    ],
  }),
];
