// SPDX-License-Identifier: GPL-2.0-only
import type { Embed, FunctionPointer, KmemCache, Null, Op, Ptr, Ref, StructOf, Vec } from '@lockless/cpu';
import {
  containerOf,
  functionPointer,
  GFP_KERNEL,
  kmemCacheAlloc,
  kmemCacheCreate,
  kmemCacheFree,
  load,
  NULL,
  store,
  struct,
} from '@lockless/cpu';
import type { RcuCallback } from '@lockless/mm-types';
import { RcuHead } from '@lockless/mm-types';
import { loadWords, storeWords } from './copy-words.js';

/*
 * An entry of the map's tree is one word. Bit 0 is the tree's own and clear. With bit 1 set the value itself is above, an integer of 30 bits; otherwise the entry is the
 * address of the value's first chunk (objects begin at cache lines, so such an address has its low bits clear).
 *
 * A value in chunks is written before it is published and never after: readers copy it with plain loads, under rcu_read_lock(), and a value that was
 * replaced is freed a grace period later.
 */

const IMMEDIATE = 2;
const IMMEDIATE_SHIFT = 2;

/** Whether the entry is its value itself. */
export const isImmediate = (entry: number): boolean => (entry & IMMEDIATE) !== 0;
/** Whether the integer fits into an entry. */
export const fitsImmediate = (value: number): boolean => (value << IMMEDIATE_SHIFT) >> IMMEDIATE_SHIFT === value;
/** The entry that is this integer. */
export const immediate = (value: number): number => (value << IMMEDIATE_SHIFT) | IMMEDIATE;
/** The integer that the entry is. */
export const immediateValue = (entry: number): number => entry >> IMMEDIATE_SHIFT;

/** What a value is: how its words are to be read. */
export const VALUE_INTEGER = 0;
export const VALUE_BYTES = 1;
export const VALUE_STRING = 2;
const KIND_BITS = 2;
const KIND_MASK = (1 << KIND_BITS) - 1;

/** A chunk of a value: the first says what it is, the others go on with it. */
export interface Value {
  rcu: Embed<RcuHead>;
  /** VALUE_*, and above it the chunk's size class. */
  form: number;
  /** Of the whole value, in bytes. */
  length: number;
  next: Ptr<Value> | Null;
  words: Vec<number>;
}

/** Words of the chunks of each class. */
const CHUNK_WORDS: readonly number[] = [16, 32, 64, 128, 256, 512, 1024];
const HEADER_WORDS = 5;
const LARGEST = CHUNK_WORDS.length - 1;

const chunkType = (words: number): StructOf<Value> =>
  struct<Value>(`value_${words}`, { rcu: RcuHead, form: 1, length: 1, next: 1, words: words - HEADER_WORDS });
/** Accessors; the classes differ in the size of `words` only. */
export const Value: StructOf<Value> = chunkType(CHUNK_WORDS[0]);
/** A slab cache for each class. */
export const valueCaches: readonly KmemCache<Value>[] = CHUNK_WORDS.map((words) => kmemCacheCreate(chunkType(words)));

const capacity = (sizeClass: number): number => CHUNK_WORDS[sizeClass] - HEADER_WORDS;

/** The smallest class that has room for so many words, or the largest. */
function classFor(words: number): number {
  let sizeClass = 0;
  while (sizeClass < LARGEST && capacity(sizeClass) < words) sizeClass++;
  return sizeClass;
}

/** Words that so many bytes take. */
export const wordsFor = (bytes: number): number => (bytes + 3) >>> 2;

/**
 * A value of `length` bytes, filled from `words`. Its address is in `note` as soon as there is a first chunk, and each chunk is linked before it is filled: so who
 * dies in here leaves something that valueFree() can give back.
 *
 * *Context*: any. Nobody else sees it until it is stored in a map.
 * *Returns* its entry, or NULL when memory is used up.
 */
export function* valueAlloc(kind: number, length: number, words: Int32Array, note: Ref<number>): Op<Ptr<Value> | Null> {
  const total = wordsFor(length);
  let first: Ptr<Value> | Null = NULL;
  let last: Ptr<Value> | Null = NULL;
  for (let done = 0; last === NULL || done < total; ) {
    const sizeClass = classFor(total - done);
    const chunk: Ptr<Value> | Null = yield* kmemCacheAlloc(valueCaches[sizeClass], GFP_KERNEL);
    if (chunk === NULL) {
      yield* store(note, NULL);
      if (first !== NULL) yield* valueFree(first);
      return NULL;
    }
    const count = Math.min(total - done, capacity(sizeClass));
    yield* store(Value.form(chunk), (sizeClass << KIND_BITS) | kind);
    if (last === NULL) {
      first = chunk;
      yield* store(note, chunk);
    } else yield* store(Value.next(last), chunk);
    yield* store(Value.length(chunk), length);
    yield* storeWords(Value.words(chunk, 0), words, done, count);
    last = chunk;
    done += count;
  }
  return first;
}

/** Gives a value back that nobody else can see. */
export function* valueFree(value: Ptr<Value>): Op<void> {
  for (let chunk: Ptr<Value> | Null = value; chunk !== NULL; ) {
    const next: Ptr<Value> | Null = yield* load(Value.next(chunk));
    yield* kmemCacheFree(valueCaches[(yield* load(Value.form(chunk))) >> KIND_BITS], chunk);
    chunk = next;
  }
}

/** The callback that gives back what readers may have seen. */
export const valueFreeRcu: FunctionPointer<RcuCallback> = functionPointer(
  'value_free_rcu',
  function* (head: Ptr<RcuHead>): Op<void> {
    yield* valueFree(containerOf(head, Value, 'rcu'));
  },
);

/** VALUE_*. *Context*: the rcu_read_lock() section in which the entry was found. */
export function* valueKind(value: Ptr<Value>): Op<number> {
  return (yield* load(Value.form(value))) & KIND_MASK;
}

/** Length in bytes. *Context*: as {@link valueKind}. */
export function* valueLength(value: Ptr<Value>): Op<number> {
  return yield* load(Value.length(value));
}

/** The integer that a VALUE_INTEGER is. *Context*: as {@link valueKind}. */
export function* valueInteger(value: Ptr<Value>): Op<number> {
  return yield* load(Value.words(value, 0));
}

/** Copies a value's words into `words`. *Context*: as {@link valueKind}. */
export function* valueRead(value: Ptr<Value>, words: Int32Array): Op<void> {
  const total = wordsFor(yield* load(Value.length(value)));
  for (let chunk: Ptr<Value> | Null = value, done = 0; chunk !== NULL && done < total; ) {
    const count = Math.min(total - done, capacity((yield* load(Value.form(chunk))) >> KIND_BITS));
    yield* loadWords(Value.words(chunk, 0), words, done, count);
    done += count;
    chunk = yield* load(Value.next(chunk));
  }
}
