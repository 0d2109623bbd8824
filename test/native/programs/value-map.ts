// SPDX-License-Identifier: MIT
import type { Op, Ptr, Ref } from '@lockless/cpu';
import { defineWord, peek, poke } from '@lockless/cpu';
import { bootUrcu, rcuReadLock, rcuReadUnlock, urcuTryReclaim } from '@lockless/rcu';
import {
  EXPECT_ANY,
  immediate,
  isImmediate,
  VALUE_BYTES,
  type Value,
  type ValueMap,
  valueLength,
  valueMapAlloc,
  valueMapCreate,
  valueMapGang,
  valueMapLoad,
  valueMapSize,
  valueMapStore,
  valueMapTag,
  valueMapTakeOver,
  valueMapWriteBegin,
  valueMapWriteEnd,
  valueRead,
} from '@lockless/value-map';
import type { Step } from '../program.js';

const mapOfTheTest: Ref<Ptr<ValueMap>> = defineWord('map_of_the_test');

/** On both sides of where a node ends and a tree grows, and far away. */
const INDICES = [0, 1, 63, 64, 130, 4095, 4096, 300_000_000];

export function* boot(): Op<void> {
  yield* bootUrcu(1);
  poke(mapOfTheTest, (yield* valueMapCreate()) as Ptr<ValueMap>);
}

function* put(index: number, expected: number, b: number): Op<number> {
  const map = peek(mapOfTheTest);
  const error = yield* valueMapWriteBegin(map, index);
  if (error !== 0) return error;
  // Few enough words to be copied one by one natively, too.
  const length = b % 90;
  const words = new Int32Array(24).fill(b);
  const entry = b % 3 === 0 ? immediate(b) : yield* valueMapAlloc(VALUE_BYTES, length, words);
  const result = yield* valueMapStore(map, index, expected, entry);
  valueMapWriteEnd();
  return result;
}

function* take(index: number): Op<number> {
  yield* valueMapWriteBegin(peek(mapOfTheTest), index);
  const result = yield* valueMapStore(peek(mapOfTheTest), index, EXPECT_ANY, 0);
  valueMapWriteEnd();
  return result;
}

function* look(index: number): Op<number[]> {
  yield* rcuReadLock();
  const entry = yield* valueMapLoad(peek(mapOfTheTest), index);
  const found = [0];
  if (entry !== 0 && !isImmediate(entry)) {
    const words = new Int32Array(24);
    yield* valueRead(entry as Ptr<Value>, words);
    found.push(yield* valueLength(entry as Ptr<Value>), ...words);
  } else found[0] = entry;
  yield* rcuReadUnlock();
  return found;
}

export function* step([kind, a, b]: Step): Op<number[]> {
  const map = peek(mapOfTheTest);
  const index = INDICES[a % INDICES.length];
  switch (kind % 9) {
    case 0:
    case 1:
    case 2:
      return [yield* put(index, EXPECT_ANY, b)];
    case 3: {
      yield* rcuReadLock();
      const entry = b % 4 === 0 ? 0 : yield* valueMapLoad(map, index);
      const result = yield* put(index, entry, b);
      yield* rcuReadUnlock();
      return [result];
    }
    case 4:
      return [yield* take(index)];
    case 5:
      return yield* look(index);
    case 6:
      return [(yield* valueMapTag(map, index, b % 2, b % 3 !== 0)) ? 1 : 0];
    case 7: {
      yield* rcuReadLock();
      const { indices } = yield* valueMapGang(map, index, 1 + (b % 5), (b % 3) - 1);
      yield* rcuReadUnlock();
      return [...indices];
    }
    default:
      // A repair of what is whole changes nothing.
      if (b % 2 === 0) yield* valueMapTakeOver(map, 0);
      return [(yield* urcuTryReclaim()) ? 1 : 0, yield* valueMapSize(map)];
  }
}
