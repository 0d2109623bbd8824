// SPDX-License-Identifier: GPL-2.0-only

/** The largest key: what the radix tree of a 32-bit machine goes up to. */
export const MAX_KEY: number = 2 ** 32 - 1;

/** Throws RangeError when a map has no such key. */
export function checkKey(key: number): void {
  if (key >>> 0 !== key) throw new RangeError(`a key is an integer from 0 to ${MAX_KEY}, not ${String(key)}`);
}

/** Throws RangeError when there is no such tag. */
export function checkedTag(tag: number): number {
  if (tag !== 0 && tag !== 1) throw new RangeError(`a tag is 0 or 1, not ${String(tag)}`);
  return tag;
}
