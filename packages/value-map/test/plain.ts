// SPDX-License-Identifier: GPL-2.0-only
import { NULL, type Op, type Ptr, SequentialEngine, type SequentialOptions } from '@lockless/cpu';
import { ENOMEM } from '@lockless/mm-types';
import { radixTreeNodeCachep, radixTreePreloaded } from '@lockless/radix-tree';
import { bootUrcu, rcuBarrier, rcuReadLock, rcuReadUnlock } from '@lockless/rcu';
import {
  EXPECT_ANY,
  fitsImmediate,
  immediate,
  immediateValue,
  isImmediate,
  VALUE_BYTES,
  VALUE_INTEGER,
  type Value,
  type ValueMap,
  valueCaches,
  valueInteger,
  valueKind,
  valueLength,
  valueMapAlloc,
  valueMapCreate,
  valueMapGang,
  valueMapLoad,
  valueMapStore,
  valueMapWriteBegin,
  valueMapWriteEnd,
  valueRead,
  wordsFor,
} from '../src/index.js';

/** A value of a test: an integer, or that many bytes, each of which tells which value it is. */
export type Plain = number | { readonly bytes: number; readonly fill: number };

/** Changes an index as SharedMap does. `undefined` deletes. */
export function* put(map: Ptr<ValueMap>, index: number, plain: Plain | undefined, expected = EXPECT_ANY): Op<number> {
  const error = yield* valueMapWriteBegin(map, index);
  if (error !== 0) return error;
  let entry: number = NULL;
  if (typeof plain === 'number' && fitsImmediate(plain)) entry = immediate(plain);
  else if (plain !== undefined) {
    const length = typeof plain === 'number' ? 4 : plain.bytes;
    const words =
      typeof plain === 'number'
        ? Int32Array.of(plain)
        : new Int32Array(wordsFor(length)).fill(Math.imul(plain.fill, 0x01010101));
    entry = yield* valueMapAlloc(typeof plain === 'number' ? VALUE_INTEGER : VALUE_BYTES, length, words);
  }
  const result = entry === NULL && plain !== undefined ? -ENOMEM : yield* valueMapStore(map, index, expected, entry);
  valueMapWriteEnd();
  return result;
}

/** The value of an entry. Throws when its bytes are of two values. Inside a reader. */
function* decode(entry: number): Op<Plain | undefined> {
  if (entry === NULL) return undefined;
  if (isImmediate(entry)) return immediateValue(entry);
  const value = entry as Ptr<Value>;
  const bytes = yield* valueLength(value);
  const words = new Int32Array(wordsFor(bytes));
  yield* valueRead(value, words);
  if ((yield* valueKind(value)) === VALUE_INTEGER) return yield* valueInteger(value);
  if (words.some((word) => word !== words[0])) throw new Error(`a torn value: ${words}`);
  return { bytes, fill: bytes === 0 ? 0 : words[0] & 0xff };
}

export function* look(map: Ptr<ValueMap>, index: number): Op<Plain | undefined> {
  yield* rcuReadLock();
  const plain = yield* decode(yield* valueMapLoad(map, index));
  yield* rcuReadUnlock();
  return plain;
}

export function* all(map: Ptr<ValueMap>, first = 0, max = 1000, tag = -1): Op<[number, Plain | undefined][]> {
  yield* rcuReadLock();
  const { indices, entries } = yield* valueMapGang(map, first, max, tag);
  const found: [number, Plain | undefined][] = [];
  for (const [i, index] of indices.entries()) found.push([index, yield* decode(entries[i])]);
  yield* rcuReadUnlock();
  return found;
}

/** One CPU with user-space RCU and an empty map. */
export function booted(options: SequentialOptions = {}): {
  engine: SequentialEngine;
  map: Ptr<ValueMap>;
  run: <T>(op: () => Op<T>) => T;
  chunks: () => number;
  nodes: () => number;
} {
  const engine = new SequentialEngine({ words: (1 << 18) + (1 << 15), ...options });
  engine.run(bootUrcu(1));
  const map = engine.run(valueMapCreate()) as Ptr<ValueMap>;
  const live = (id: number): number => engine.heap.live[id] ?? 0;
  return {
    engine,
    map,
    run: (op) => engine.run(op()),
    chunks() {
      engine.run(rcuBarrier());
      return valueCaches.reduce((sum, { id }) => sum + live(id), 0);
    },
    /** Those that are not in the pool for insertions. */
    nodes() {
      engine.run(rcuBarrier());
      const pooled = engine.run(
        (function* (): Op<number> {
          return radixTreePreloaded(0).length;
        })(),
      );
      return live(radixTreeNodeCachep.id) - pooled;
    },
  };
}
