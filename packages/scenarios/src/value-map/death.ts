// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ref, SpinLock } from '@lockless/cpu';
import { defineWord, readOnce, writeOnce } from '@lockless/cpu';
import { ValueMap, valueMapSize, valueMapTakeOver, valueMapThreadDied } from '@lockless/value-map';
import { assertThat } from '../assertion.js';
import { always } from '../claims.js';
import { awaitDeath, diesSomewhere, sayDead } from '../dying.js';
import { type Scenario, scenario } from '../scenario.js';
import { bootMap, getValue, type SmallMap, setValue } from './boot.js';

const dead: Ref<number> = defineWord('dead writer');
const INDEX = 1;
/** Needs a tree that is one level higher. */
const FAR_INDEX = 64;
/** Accesses of setValue() there before rnode names the new top node; and deaths: before that store, and between it and that of the height. */
const BEFORE_EXTENSION = 36;
const WHILE_EXTENDED = 2;
/** CPU of the first thread of these programs. */
const VICTIM = 0;
/** More than setValue() needs for a replacement. */
const ACCESSES = 44;

/** What an engine does that finds a thread dead: takes its lock over, has the map repaired, and lets others go on. */
function* takeOver(map: SmallMap): Op<void> {
  const lock = ValueMap.lock(map);
  if ((yield* readOnce(lock)) === VICTIM + 1) {
    yield* valueMapTakeOver(map, VICTIM);
    yield* writeOnce(lock, 0 as SpinLock);
  } else yield* valueMapThreadDied(VICTIM);
}

export const valueMapDeathScenarios: readonly Scenario[] = [
  scenario<SmallMap>({
    name: 'value-map-dead-writer',
    facts: [],
    summary:
      'a writer dies anywhere while it replaces a value; another takes over and stores beside it, and a third reads meanwhile',
    source: 'repair.ts: ours',
    properties: ['I1', 'I4', 'I7'],
    setup: () => bootMap([[INDEX, 5]]),
    threads: {
      *victim(map) {
        const lived = yield* diesSomewhere(() => setValue(map, INDEX, 7), ACCESSES);
        yield* sayDead(dead);
        return lived;
      },
      reader: (map) => getValue(map, INDEX),
      *heir(map) {
        yield* awaitDeath(dead);
        yield* takeOver(map);
        yield* setValue(map, 2, 9);
      },
    },
    *finally(map, { results, reach }) {
      const value = yield* getValue(map, INDEX);
      assertThat(value === 7 || (value === 5 && !results.victim), 'the value is replaced, or is as it was');
      assertThat(results.reader === 5 || results.reader === value, 'a reader finds one or the other, whole');
      assertThat((yield* getValue(map, 2)) === 9 && (yield* valueMapSize(map)) === 2, 'others go on');
      reach(results.victim ? 'lives' : value === 7 ? 'dies, replaced' : 'dies, not replaced');
    },
    mustReach: ['lives', 'dies, replaced', 'dies, not replaced'],
    guards: [always('valueMapThreadDied.slot', 'use-after-free')],
  }),
  scenario<SmallMap>({
    name: 'value-map-dead-extension',
    facts: [],
    summary: 'a writer dies while it makes the tree higher for its value; another takes over and stores beside it',
    source: 'radix-tree-repair.ts: ours',
    properties: ['I6', 'I7'],
    setup: () => bootMap([[INDEX, 5]]),
    threads: {
      *victim(map) {
        const lived = yield* diesSomewhere(() => setValue(map, FAR_INDEX, 7), WHILE_EXTENDED, BEFORE_EXTENSION);
        yield* sayDead(dead);
        return lived;
      },
      *heir(map) {
        yield* awaitDeath(dead);
        yield* takeOver(map);
        yield* setValue(map, FAR_INDEX + 1, 9);
      },
    },
    *finally(map, { results, reach }) {
      const value = yield* getValue(map, FAR_INDEX);
      assertThat(value === 7 || (value === 0 && !results.victim), 'the value is there, or is not');
      const others = [yield* getValue(map, INDEX), yield* getValue(map, FAR_INDEX + 1)];
      assertThat(others.join() === '5,9', 'others are as they were, and go on');
      assertThat((yield* valueMapSize(map)) === (value === 7 ? 3 : 2), 'the size is that of the tree');
      reach(results.victim ? 'lives' : value === 7 ? 'dies, inserted' : 'dies, not inserted');
    },
    mustReach: ['dies, not inserted'],
    guards: [always('radixTreeRepair.height', 'assertion')],
  }),
];
