// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr, Ref } from '@lockless/cpu';
import { defineWord, kmemCacheFree, readOnce, writeOnce } from '@lockless/cpu';
import { rcuReadLock, rcuReadUnlock, synchronizeRcu } from '@lockless/rcu';
import { assertThat } from '../assertion.js';
import { type GuardClaim, type Scenario, scenario } from '../scenario.js';
import { assertFound, type Item, itemCachep, publishItem, unpublishItem, valueOfItem } from './published-item.js';
import { described, type Rcu, reader, threadsOf } from './rcu-under-test.js';

/*
 * The guarantee of RCU, whoever gives it: no reader both misses what was done before a grace period and sees what is done after it. Each program here takes
 * an RCU as a parameter: the one whose grace periods are events (which has the guarantee by definition), and those that are made of words.
 */

export const x: Ref<number> = defineWord('x');
export const y: Ref<number> = defineWord('y');
const z: Ref<number> = defineWord('z');
const w: Ref<number> = defineWord('w');

/** Two loads of one reader. */
interface Seen {
  readonly x: number;
  readonly y: number;
}
export function* seeXThenY(): Op<Seen> {
  return { x: yield* readOnce(x), y: yield* readOnce(y) };
}
function* seeYThenX(): Op<Seen> {
  const seen = yield* readOnce(y);
  return { x: yield* readOnce(x), y: seen };
}

/** The assertion of most: y was stored a grace period after x. */
export function assertNotBothSides(seen: unknown): void {
  const { x, y } = seen as Seen;
  assertThat(!(x === 0 && y === 1), 'a reader misses what precedes the grace period and sees what follows it');
}

function* update(): Op<void> {
  yield* writeOnce(x, 1);
  yield* synchronizeRcu();
  yield* writeOnce(y, 1);
}

/** x, a grace period, y; a reader that looks at x first and then at y: SC alone would not forbid the outcome. */
export const beforeAndAfter = (rcu: Rcu, guards: readonly GuardClaim[]): Scenario =>
  scenario({
    ...described(
      rcu,
      'before-and-after',
      'a reader loads x and then y, while an updater stores x, waits for a grace period and stores y',
    ),
    setup: () => rcu.boot(2),
    threads: threadsOf(rcu, { reader: () => reader(seeXThenY), updater: update }),
    *finally(_shared, { results, reach }) {
      assertNotBothSides(results.reader);
      const { x, y } = results.reader as Seen;
      reach(`x=${x} y=${y}`);
    },
    mustReach: ['x=0 y=0', 'x=1 y=0', 'x=1 y=1'],
    races: 'report',
    guards,
  });

/** As {@link beforeAndAfter}, the loads the other way round: forbidden by SC, but nothing in a reader orders its loads. */
export const afterAndBefore = (rcu: Rcu, guards: readonly GuardClaim[]): Scenario =>
  scenario({
    ...described(
      rcu,
      'after-and-before',
      'a reader loads y and then x, while an updater stores x, waits for a grace period and stores y',
    ),
    setup: () => rcu.boot(2),
    threads: threadsOf(rcu, { reader: () => reader(seeYThenX), updater: update }),
    *finally(_shared, { results }) {
      assertNotBothSides(results.reader);
    },
    guards,
  });

/** What the reader stores is there for the updater after the grace period, if the reader missed what it stored before. */
export const readersStore = (rcu: Rcu, guards: readonly GuardClaim[]): Scenario =>
  scenario({
    ...described(
      rcu,
      'readers-store',
      'a reader loads x and stores y, while an updater stores x, waits for a grace period and loads y',
    ),
    setup: () => rcu.boot(2),
    threads: threadsOf(rcu, {
      reader: () =>
        reader(function* () {
          const seen = yield* readOnce(x);
          yield* writeOnce(y, 1);
          return seen;
        }),
      *updater() {
        yield* writeOnce(x, 1);
        yield* synchronizeRcu();
        return yield* readOnce(y);
      },
    }),
    *finally(_shared, { results, reach }) {
      assertThat(
        !(results.reader === 0 && results.updater === 0),
        'a reader that began before the grace period has not ended after it',
      );
      if (results.reader === 0) reach('waited for');
    },
    mustReach: ['waited for'],
    races: 'report',
    guards,
  });

/** The pattern that RCU is there for. */
export const freedAfterGracePeriod = (rcu: Rcu, guards: readonly GuardClaim[]): Scenario =>
  scenario({
    ...described(
      rcu,
      'free',
      'a reader uses a published object that an updater unpublishes and frees after a grace period',
    ),
    *setup() {
      yield* rcu.boot(2);
      return yield* publishItem();
    },
    threads: threadsOf(rcu, {
      reader: () => reader(valueOfItem),
      *updater(item: Ptr<Item>) {
        yield* unpublishItem();
        yield* synchronizeRcu();
        yield* kmemCacheFree(itemCachep, item);
      },
    }),
    *finally(_shared, { results, reach }) {
      assertFound(results.reader);
      reach(results.reader === 7 ? 'found' : 'gone');
    },
    mustReach: ['found', 'gone'],
    races: 'report',
    guards,
  });

/** The end of an inner reader is not the end of the outer. */
export const nested = (rcu: Rcu, guards: readonly GuardClaim[]): Scenario =>
  scenario({
    ...described(rcu, 'nested', 'a reader within a reader ends between the loads of the outer one'),
    setup: () => rcu.boot(2),
    threads: threadsOf(rcu, {
      reader: () =>
        reader(function* () {
          const seen = yield* readOnce(x);
          yield* rcuReadLock();
          yield* rcuReadUnlock();
          return { x: seen, y: yield* readOnce(y) };
        }),
      updater: update,
    }),
    *finally(_shared, { results }) {
      assertNotBothSides(results.reader);
    },
    guards,
  });

/** Two grace periods one after the other. */
export const twice = (rcu: Rcu, guards: readonly GuardClaim[]): Scenario =>
  scenario({
    ...described(rcu, 'twice', 'an updater waits for two grace periods, so a reader may be late by a whole one'),
    setup: () => rcu.boot(2),
    threads: threadsOf(rcu, {
      reader: () => reader(seeXThenY),
      *updater() {
        yield* synchronizeRcu();
        yield* update();
      },
    }),
    *finally(_shared, { results }) {
      assertNotBothSides(results.reader);
    },
    races: 'report',
    guards,
  });

/** Two grace periods at once. */
export const twoUpdaters = (rcu: Rcu, guards: readonly GuardClaim[]): Scenario =>
  scenario({
    ...described(rcu, 'two-updaters', 'two updaters wait for grace periods at the same time'),
    setup: () => rcu.boot(3),
    threads: threadsOf(rcu, { reader: () => reader(seeXThenY), updater: update, other: synchronizeRcu }),
    *finally(_shared, { results }) {
      assertNotBothSides(results.reader);
      assertThat((rcu.gracePeriods?.() ?? 2) === 2, 'each grace period is counted');
    },
    guards,
  });

/** Two readers, one of which may begin while the grace period waits for the other. */
export const twoReaders = (rcu: Rcu, guards: readonly GuardClaim[]): Scenario =>
  scenario({
    ...described(rcu, 'two-readers', 'a grace period with a reader before it and one that may begin while it goes on'),
    setup: () => rcu.boot(3),
    threads: threadsOf(rcu, { early: () => reader(seeXThenY), late: () => reader(seeXThenY), updater: update }),
    *finally(_shared, { results, reach }) {
      const { early, late } = results;
      assertNotBothSides(early);
      assertNotBothSides(late);
      if ((early as Seen).x === 0 && (late as Seen).x === 1) reach('one on each side');
    },
    mustReach: ['one on each side'],
    guards,
  });

/** Store buffering with a reader in the place of a fence: as many grace periods as readers, so it is forbidden. */
export const oneEach = (rcu: Rcu, guards: readonly GuardClaim[]): Scenario =>
  scenario({
    ...described(
      rcu,
      'store-buffering',
      'a reader and an updater each store one word and load the other; the updater waits in between',
    ),
    setup: () => rcu.boot(2),
    threads: threadsOf(rcu, {
      reader: () =>
        reader(function* () {
          yield* writeOnce(z, 1);
          return yield* readOnce(x);
        }),
      *updater() {
        yield* writeOnce(x, 1);
        yield* synchronizeRcu();
        return yield* readOnce(z);
      },
    }),
    *finally(_shared, { results, reach }) {
      assertThat(results.reader === 1 || results.updater === 1, 'reader and updater miss each other');
      if (results.reader === 0) reach('the reader comes first');
      if (results.updater === 0) reach('the updater comes first');
    },
    mustReach: ['the reader comes first', 'the updater comes first'],
    guards,
  });

/** A ring of store buffering through two readers and two grace periods: a reader each may hide behind one, but not both. */
export const twoEach = (rcu: Rcu, guards: readonly GuardClaim[]): Scenario => {
  const missing = (mine: Ref<number>, next: Ref<number>) =>
    function* (): Op<number> {
      yield* writeOnce(mine, 1);
      return yield* readOnce(next);
    };
  const waiting = (mine: Ref<number>, next: Ref<number>) =>
    function* (): Op<number> {
      yield* writeOnce(mine, 1);
      yield* synchronizeRcu();
      return yield* readOnce(next);
    };
  return scenario({
    ...described(
      rcu,
      'ring',
      'two readers and two updaters, in turn, each store a word and miss what the next one stores',
    ),
    setup: () => rcu.boot(4),
    threads: threadsOf(rcu, {
      first: waiting(w, x),
      early: () => reader(missing(x, y)),
      second: waiting(y, z),
      late: () => reader(missing(z, w)),
    }),
    *finally(_shared, { results }) {
      assertThat(Object.values(results).includes(1), 'all four miss the next one');
    },
    guards,
  });
};
