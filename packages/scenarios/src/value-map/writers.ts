// SPDX-License-Identifier: GPL-2.0-only
import type { Op } from '@lockless/cpu';
import { NULL } from '@lockless/cpu';
import { EAGAIN } from '@lockless/mm-types';
import { rcuReadLock, rcuReadUnlock } from '@lockless/rcu';
import { valueMapLoad, valueMapSize } from '@lockless/value-map';
import { assertThat } from '../assertion.js';
import { always, weakOnly } from '../claims.js';
import { type Scenario, scenario } from '../scenario.js';
import { bootMap, deleteValue, entryValue, getValue, type SmallMap, setValue } from './boot.js';

const INDEX = 1;
const source = 'value-map.ts: ours; rcu_assign_pointer() and call_rcu() as in Documentation/RCU/whatisRCU.txt';

/** Reads, adds one, and stores if nobody else stored meanwhile. The section keeps the old entry from being another value's by then. */
function* incrementValue(map: SmallMap): Op<boolean> {
  yield* rcuReadLock();
  const entry = yield* valueMapLoad(map, INDEX);
  const result = yield* setValue(map, INDEX, (yield* entryValue(entry)) + 1, entry);
  yield* rcuReadUnlock();
  return result !== -EAGAIN;
}

export const valueMapWriterScenarios: readonly Scenario[] = [
  scenario<SmallMap>({
    name: 'value-map-replace',
    facts: [],
    summary: 'a value is replaced while a reader copies it',
    source,
    properties: ['I1', 'I5'],
    setup: () => bootMap([[INDEX, 5]]),
    threads: { reader: (map) => getValue(map, INDEX), writer: (map) => setValue(map, INDEX, 7) },
    *finally(_map, { results, reach }) {
      assertThat(results.reader === 5 || results.reader === 7, 'a reader finds one value or the other, whole');
      reach(`reads ${results.reader}`);
    },
    mustReach: ['reads 5', 'reads 7'],
    guards: [
      always('valueMapStore.gracePeriod', 'use-after-free'),
      weakOnly('radixTreeReplaceSlot.rcu_assign_pointer', 'assertion'),
    ],
  }),
  scenario<SmallMap>({
    name: 'value-map-delete',
    facts: [],
    summary: 'the last value of a map is deleted while a reader looks it up: its node goes as well',
    source,
    properties: ['I1', 'I5'],
    setup: () => bootMap([[INDEX, 5]]),
    threads: { reader: (map) => getValue(map, INDEX), writer: (map) => deleteValue(map, INDEX) },
    *finally(map, { results, reach }) {
      assertThat(results.reader === 5 || results.reader === NULL, 'a reader finds the value or none');
      assertThat((yield* valueMapSize(map)) === 0, 'the map is empty');
      reach(results.reader === 5 ? 'found' : 'gone');
    },
    mustReach: ['found', 'gone'],
    guards: [
      always('valueMapStore.gracePeriod', 'use-after-free'),
      always('radixTreeNodeFree.gracePeriod', 'use-after-free'),
    ],
  }),
  scenario<SmallMap>({
    name: 'value-map-two-writers',
    facts: [],
    summary: 'two writers store at neighbouring indexes of an empty map',
    source,
    properties: ['I6'],
    setup: () => bootMap([]),
    threads: { one: (map) => setValue(map, 1, 5), two: (map) => setValue(map, 2, 7) },
    *finally(map) {
      const found = [yield* getValue(map, 1), yield* getValue(map, 2), yield* valueMapSize(map)];
      assertThat(found.join() === '5,7,2', 'both values are there');
    },
    guards: [always('valueMapStore.lock', 'assertion')],
  }),
  scenario<SmallMap>({
    name: 'value-map-compare-and-set',
    facts: [],
    summary: 'a value is looked at, and replaced if it is still the same; another writer replaces it meanwhile',
    source,
    properties: ['I6'],
    setup: () => bootMap([[INDEX, 5]]),
    threads: {
      incrementing: incrementValue,
      replacing: (map) => setValue(map, INDEX, 20),
    },
    *finally(map, { results, reach }) {
      const value = yield* getValue(map, INDEX);
      assertThat(value === 20 || value === (results.incrementing ? 21 : 20), 'no replacement is lost');
      reach(results.incrementing ? 'incremented' : 'tried in vain');
    },
    mustReach: ['incremented', 'tried in vain'],
    guards: [always('valueMapStore.lock', 'use-after-free')],
  }),
];
