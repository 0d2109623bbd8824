// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { NULL } from '@lockless/cpu';
import { bootRcuEvents, rcuReadLock, rcuReadUnlock } from '@lockless/rcu';
import {
  EXPECT_ANY,
  VALUE_INTEGER,
  type Value,
  type ValueMap,
  valueMapAlloc,
  valueMapCreate,
  valueMapLoad,
  valueMapStore,
  valueMapWriteBegin,
  valueMapWriteEnd,
  valueRead,
} from '@lockless/value-map';
import { assertThat } from '../assertion.js';

/* One map with values of one word each, in memory of their own; grace periods are events. */

export type SmallMap = Ptr<ValueMap>;

/** Boots a map with these values. Writers of all CPUs have their nodes already. */
export function* bootMap(values: readonly (readonly [index: number, value: number])[]): Op<SmallMap> {
  bootRcuEvents();
  const map = (yield* valueMapCreate()) as SmallMap;
  for (const [index, value] of values) yield* setValue(map, index, value);
  return map;
}

/** Writer: stores a value if the entry is as expected. */
export function* setValue(map: SmallMap, index: number, value: number, expected: number = EXPECT_ANY): Op<number> {
  const error = yield* valueMapWriteBegin(map, index);
  assertThat(error === 0, 'a writer has memory');
  const entry = yield* valueMapAlloc(VALUE_INTEGER, 4, Int32Array.of(value));
  const result = yield* valueMapStore(map, index, expected, entry);
  valueMapWriteEnd();
  return result;
}

/** Writer: takes a value out. */
export function* deleteValue(map: SmallMap, index: number): Op<number> {
  yield* valueMapWriteBegin(map, index);
  const result = yield* valueMapStore(map, index, EXPECT_ANY, NULL);
  valueMapWriteEnd();
  return result;
}

/** The value of an entry, 0 of none. In the section in which it was found. */
export function* entryValue(entry: number): Op<number> {
  if (entry === NULL) return 0;
  const words = new Int32Array(1);
  yield* valueRead(entry as Ptr<Value>, words);
  return words[0];
}

/** Reader: the value of an index, 0 when there is none. */
export function* getValue(map: SmallMap, index: number): Op<number> {
  yield* rcuReadLock();
  const value = yield* entryValue(yield* valueMapLoad(map, index));
  yield* rcuReadUnlock();
  return value;
}
