// SPDX-License-Identifier: GPL-2.0-only
import { contentOf, type KeyOptions, Keys } from '../harness/keys.js';
import type { Subject } from '../harness/subject.js';

export interface MapOptions {
  /** Entries 0 to `entries - 1`. */
  readonly entries: number;
  readonly keys: KeyOptions;
}

/** `Map.get` of a map that this thread has for itself: nothing is shared. */
export function start({ entries, keys: options }: MapOptions): Subject {
  const map = new Map(Array.from({ length: entries }, (_, index) => [index, contentOf(index)]));
  const schedule = new Keys(options);
  const { keys, mask } = schedule;
  return {
    expected: (first, n) => schedule.sum(first, n),
    run(first, n) {
      let sum = 0;
      for (let i = first; i < first + n; i++) sum = (sum + (map.get(keys[i & mask]) as number)) | 0;
      return sum;
    },
  };
}
