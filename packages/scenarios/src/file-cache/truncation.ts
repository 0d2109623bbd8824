// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ref } from '@lockless/cpu';
import {
  cpuRelax,
  defineWord,
  excludeBegin,
  excludeEnd,
  initFutex,
  OWNER_GONE,
  poke,
  readOnce,
  shareBegin,
  shareEnd,
  shareExcludeDied,
  sharesLeft,
  sleepOnWord,
  writeOnce,
} from '@lockless/cpu';
import { assertThat } from '../assertion.js';
import { always, weakOnly, whereStoresWait } from '../claims.js';
import { awaitDeath, diesSomewhere, sayDead } from '../dying.js';
import { type Scenario, scenario } from '../scenario.js';

/*
 * Writes and truncations of a file of the file cache, by share-exclude.ts of cpu. The file is two words: its size, and what
 * the storage has beyond size 1. A write is of that, and makes the size 3; a truncation cuts it off: the size first, so that readers see nothing of what is going, then the storage, as truncate.ts of the file cache does.
 */

const owner: Ref<number> = defineWord('truncating');
const shares: Ref<number> = defineWord('writing');
const size: Ref<number> = defineWord('file size');
const stored: Ref<number> = defineWord('stored bytes');
const dead: Ref<number> = defineWord('dead truncater');

const OLD = 5;
const NEW = 7;
/** What the file has beyond size 1, by its size. */
const BYTES: readonly number[] = [0, 0, OLD, NEW];
const TRUNCATER = 1;
const HEIR = 2;

function* bootFile(): Op<void> {
  initFutex();
  poke(size, 2);
  poke(stored, OLD);
}

/** What who shares or excludes finds: nothing half done. */
function* assertWhole(): Op<void> {
  const length = yield* readOnce(size);
  assertThat(BYTES[length] === (yield* readOnce(stored)), 'a write or a truncation is half done');
}

/** Cuts off, or goes on with that. */
function* cut(): Op<void> {
  yield* writeOnce(size, 1);
  yield* writeOnce(stored, 0);
}

function* truncate(me: number, asleep: boolean): Op<void> {
  let found = yield* excludeBegin(owner, me);
  for (; found > 0; found = yield* excludeBegin(owner, me)) yield* sleepOnWord(owner, found);
  for (let left = yield* sharesLeft(shares); left !== 0; left = yield* sharesLeft(shares)) {
    if (asleep) yield* sleepOnWord(shares, left);
    else yield* cpuRelax();
  }
  if (found !== OWNER_GONE) yield* assertWhole();
  yield* cut();
  yield* excludeEnd(owner, 0);
}

/** What a write does while it shares. */
function* grow(): Op<void> {
  yield* assertWhole();
  yield* writeOnce(stored, NEW);
  yield* writeOnce(size, 3);
}

function* write(me: number): Op<void> {
  for (;;) {
    const found = yield* shareBegin(owner, shares);
    if (found === 0) break;
    if (found === OWNER_GONE) yield* truncate(me, false);
    else yield* sleepOnWord(owner, found);
  }
  yield* grow();
  yield* shareEnd(owner, shares);
}

export const truncationScenarios: readonly Scenario[] = [
  scenario({
    name: 'write-vs-truncation',
    facts: [],
    summary: 'a thread writes beyond where another truncates the file: one of the two comes after the other as a whole',
    source:
      'ours: share-exclude.ts of cpu, truncate.ts of file-cache; Linux has i_mutex, do_truncate() in fs/open.c, 2.6.27',
    properties: ['I6', 'I7'],
    setup: bootFile,
    threads: { writer: () => write(HEIR), truncater: () => truncate(TRUNCATER, false) },
    *finally(_, { reach }) {
      const [length, bytes] = [yield* readOnce(size), yield* readOnce(stored)];
      assertThat(length === 1 || bytes === NEW, 'a completed write is cut');
      assertThat(length === 3 || bytes === 0, 'what is cut off is written still');
      reach(length === 1 ? 'truncated last' : 'written last');
    },
    mustReach: ['truncated last', 'written last'],
    guards: [
      whereStoresWait('shareBegin.smp_mb', 'assertion'),
      weakOnly('excludeBegin.atomic_cmpxchg', 'assertion'),
      weakOnly('shareBegin.smp_load_acquire', 'assertion'),
      weakOnly('shareEnd.smp_store_release', 'assertion'),
      weakOnly('sharesLeft.smp_load_acquire', 'assertion'),
      weakOnly('excludeEnd.smp_store_release', 'assertion'),
    ],
  }),
  scenario({
    name: 'truncation-sleeps',
    facts: [],
    summary: 'a truncation sleeps until nobody writes, and a writer until nobody truncates: both are woken',
    source: 'ours: share-exclude.ts of cpu',
    properties: ['I7'],
    setup: bootFile,
    threads: { writer: () => write(HEIR), truncater: () => truncate(TRUNCATER, true) },
    guards: [
      whereStoresWait('shareEnd.smp_mb', 'lost-wakeup'),
      weakOnly('excludeBegin.atomic_cmpxchg', 'lost-wakeup'),
      always('sleepOnWord.compare', 'lost-wakeup'),
    ],
  }),
  scenario({
    name: 'dead-truncater',
    facts: [],
    summary:
      'a thread dies anywhere in a truncation; the next that writes finishes it first, so that what was cut off does not come back',
    source: 'ours: share-exclude.ts of cpu, truncate.ts of file-cache',
    properties: ['I4', 'I6'],
    setup: bootFile,
    threads: {
      *truncater() {
        const lived = yield* diesSomewhere(() => truncate(TRUNCATER, true), 12);
        yield* sayDead(dead);
        return lived;
      },
      *heir() {
        yield* awaitDeath(dead);
        yield* shareExcludeDied(owner, shares, TRUNCATER);
        // It writes far beyond: what is between is a hole, of zeros.
        for (let found = yield* shareBegin(owner, shares); found !== 0; found = yield* shareBegin(owner, shares))
          yield* truncate(HEIR, false);
        const before = yield* readOnce(size);
        yield* writeOnce(size, 3);
        yield* shareEnd(owner, shares);
        return before;
      },
    },
    *finally(_, { results, reach }) {
      const bytes = yield* readOnce(stored);
      assertThat(results.heir === 2 || bytes === 0, 'old bytes come back where the file was cut off');
      assertThat(results.heir === 1 || (bytes === OLD && !results.truncater), 'a truncation takes place or does not');
      assertThat((yield* readOnce(owner)) === 0 && (yield* readOnce(shares)) === 0, 'nothing is left of it');
      reach(results.truncater ? 'lives' : results.heir === 1 ? 'dies, finished' : 'dies, not begun');
    },
    mustReach: ['lives', 'dies, finished', 'dies, not begun'],
    guards: [always('shareBegin.ownerGone', 'assertion')],
  }),
];
