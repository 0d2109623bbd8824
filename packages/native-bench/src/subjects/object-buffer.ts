// SPDX-License-Identifier: GPL-2.0-only
import { TextDecoder, TextEncoder } from 'node:util';
import { contentOf, Keys } from '../harness/keys.js';
import type { Subject } from '../harness/subject.js';
import { optional } from './installed.js';
import type { MapOptions } from './map.js';

const BYTES_PER_ENTRY = 160;

/** Reads of an array in @bnaya/objectbuffer, its fastest collection by far: index is offset. */
export async function start({ entries, keys: options }: MapOptions): Promise<Subject> {
  const { createObjectBuffer } = await optional('@bnaya/objectbuffer', () => import('@bnaya/objectbuffer'));
  const externals = { textEncoder: new TextEncoder(), textDecoder: new TextDecoder() };
  const contents = Array.from({ length: entries }, (_, index) => contentOf(index));
  const { array } = createObjectBuffer(externals, (1 << 20) + entries * BYTES_PER_ENTRY, { array: contents });
  const schedule = new Keys(options);
  const { keys, mask } = schedule;
  return {
    expected: (first, n) => schedule.sum(first, n),
    run(first, n) {
      let sum = 0;
      for (let i = first; i < first + n; i++) sum = (sum + array[keys[i & mask]]) | 0;
      return sum;
    },
  };
}
