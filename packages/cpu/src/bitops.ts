// SPDX-License-Identifier: MIT
import { load, readOnce, store } from './access.js';
import type { Access, Op } from './op.js';
import { access } from './op.js';
import { code } from './primitive.js';
import type { Ref } from './word.js';

const SET = code('set_bit');
const CLEAR = code('clear_bit');
const CHANGE = code('change_bit');
const CLEAR_UNLOCK = code('clear_bit_unlock');
const TEST_AND_SET = code('test_and_set_bit');
const TEST_AND_CLEAR = code('test_and_clear_bit');
const TEST_AND_CHANGE = code('test_and_change_bit');
const TEST_AND_SET_LOCK = code('test_and_set_bit_lock');

/** Bits are numbered 0 to 31 within one word. */
export const setBit = (nr: number, word: Ref<number>): Access<void> => access(SET, word, 1 << nr);
export const clearBit = (nr: number, word: Ref<number>): Access<void> => access(CLEAR, word, ~(1 << nr));
export const changeBit = (nr: number, word: Ref<number>): Access<void> => access(CHANGE, word, 1 << nr);
/** clear_bit() that is also a release: what happened under the bit lock stays before it. Pairs with {@link testAndSetBitLock}. */
export const clearBitUnlock = (nr: number, word: Ref<number>): Access<void> => access(CLEAR_UNLOCK, word, ~(1 << nr));

/** Return the old bit; full barriers. */
export const testAndSetBit = (nr: number, word: Ref<number>): Access<boolean> =>
  access(TEST_AND_SET, word, 1 << nr, 1 << nr);
export const testAndClearBit = (nr: number, word: Ref<number>): Access<boolean> =>
  access(TEST_AND_CLEAR, word, ~(1 << nr), 1 << nr);
export const testAndChangeBit = (nr: number, word: Ref<number>): Access<boolean> =>
  access(TEST_AND_CHANGE, word, 1 << nr, 1 << nr);
/** test_and_set_bit() that is only an acquire. Returns the old bit. */
export const testAndSetBitLock = (nr: number, word: Ref<number>): Access<boolean> =>
  access(TEST_AND_SET_LOCK, word, 1 << nr, 1 << nr);

/** test_bit(): one relaxed load. */
export function* testBit(nr: number, word: Ref<number>): Op<boolean> {
  return ((yield* readOnce(word)) & (1 << nr)) !== 0;
}

/** __set_bit(): a plain load and a plain store. Legal only where no other CPU can write the word. */
export function* nonAtomicSetBit(nr: number, word: Ref<number>): Op<void> {
  yield* store(word, (yield* load(word)) | (1 << nr));
}

/** __clear_bit(): see {@link nonAtomicSetBit}. */
export function* nonAtomicClearBit(nr: number, word: Ref<number>): Op<void> {
  yield* store(word, (yield* load(word)) & ~(1 << nr));
}

/** __test_and_set_bit(): see {@link nonAtomicSetBit}. Returns the old bit. */
export function* nonAtomicTestAndSetBit(nr: number, word: Ref<number>): Op<boolean> {
  const old = yield* load(word);
  yield* store(word, old | (1 << nr));
  return (old & (1 << nr)) !== 0;
}

/** __test_and_clear_bit(): see {@link nonAtomicSetBit}. Returns the old bit. */
export function* nonAtomicTestAndClearBit(nr: number, word: Ref<number>): Op<boolean> {
  const old = yield* load(word);
  yield* store(word, old & ~(1 << nr));
  return (old & (1 << nr)) !== 0;
}
