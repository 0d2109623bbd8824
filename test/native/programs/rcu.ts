// SPDX-License-Identifier: MIT
import type { Embed, Null, Op, Ptr, StructOf } from '@lockless/cpu';
import {
  containerOf,
  defineStatic,
  enterIdle,
  functionPointer,
  GFP_KERNEL,
  kmemCacheAlloc,
  kmemCacheCreate,
  kmemCacheFree,
  load,
  NULL,
  rcuAssignPointer,
  rcuDereference,
  store,
  struct,
} from '@lockless/cpu';
import { RcuHead } from '@lockless/mm-types';
import {
  bootUrcu,
  callRcu,
  getStateSynchronizeRcu,
  pollStateSynchronizeRcu,
  rcuQuiescentState,
  rcuReadLock,
  rcuReadUnlock,
  synchronizeRcu,
  urcuReclaim,
} from '@lockless/rcu';
import type { Step } from '../program.js';

/** An array of pointers to objects that are replaced and given to call_rcu(), and a reader that may stay inside. */
const SLOTS = 8;

interface Thing {
  rcu: Embed<RcuHead>;
  value: number;
}
const Thing: StructOf<Thing> = struct<Thing>('thing', { rcu: RcuHead, value: 1 });
interface Table {
  slots: Ptr<Thing> | Null;
  more: number;
}
const Table: StructOf<Table> = struct<Table>('table', { slots: 1, more: SLOTS });
const things = kmemCacheCreate(Thing);
const table: Ptr<Table> = defineStatic(Table, 'table_of_things');
const slot = (index: number): ReturnType<typeof Table.slots> =>
  (Table.slots(table) + (index % SLOTS)) as ReturnType<typeof Table.slots>;

const freeThing = functionPointer('free_thing', function* (head: Ptr<RcuHead>): Op<void> {
  yield* kmemCacheFree(things, containerOf(head, Thing, 'rcu'));
});

let depth = 0;

export function* boot(): Op<void> {
  depth = 0;
  yield* bootUrcu(1);
}

export function* step([kind, a, b]: Step): Op<number[]> {
  switch (kind % 8) {
    case 0: {
      const old = yield* load(slot(a));
      const thing = yield* kmemCacheAlloc(things, GFP_KERNEL);
      if (thing === NULL) return [-1];
      yield* store(Thing.value(thing), b);
      yield* rcuAssignPointer(slot(a), thing);
      if (old !== NULL) yield* callRcu(Thing.rcu(old), freeThing);
      return [thing, old];
    }
    case 1: {
      yield* rcuReadLock();
      const thing = yield* rcuDereference(slot(a));
      const value = thing === NULL ? -1 : yield* load(Thing.value(thing));
      yield* rcuReadUnlock();
      return [value];
    }
    case 2:
      yield* rcuReadLock();
      depth++;
      return [depth];
    case 3:
      if (depth === 0) return [0];
      depth--;
      yield* rcuReadUnlock();
      return [depth];
    case 4:
      if (depth > 0) return [-1];
      yield* a % 2 === 0 ? synchronizeRcu() : urcuReclaim();
      return [a];
    case 5:
      if (depth === 0) yield* rcuQuiescentState();
      return [depth];
    case 6:
      yield* enterIdle();
      return [depth];
    default: {
      const state = yield* getStateSynchronizeRcu();
      if (depth === 0 && a % 2 === 0) yield* synchronizeRcu();
      return [state, (yield* pollStateSynchronizeRcu(state)) ? 1 : 0];
    }
  }
}
