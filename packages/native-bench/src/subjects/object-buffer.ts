// SPDX-License-Identifier: GPL-2.0-only
import { TextDecoder, TextEncoder } from 'node:util';
import { contentOf, Keys } from '../harness/keys.js';
import type { Subject } from '../harness/subject.js';
import { optional } from './installed.js';
import type { MapOptions } from './map.js';

export interface ObjectBufferOptions extends MapOptions {
  /** An array, whose index is an offset, or an object with a property for each key. */
  readonly collection: 'array' | 'object';
}

const BYTES_PER_ENTRY = 400;

/** Reads of a collection in @bnaya/objectbuffer. */
export async function start({ entries, keys: options, collection }: ObjectBufferOptions): Promise<Subject> {
  const { createObjectBuffer } = await optional('@bnaya/objectbuffer', () => import('@bnaya/objectbuffer'));
  const externals = { textEncoder: new TextEncoder(), textDecoder: new TextDecoder() };
  const contents = Array.from({ length: entries }, (_, index) => contentOf(index));
  const size = (1 << 20) + entries * BYTES_PER_ENTRY;
  const schedule = new Keys(options);
  const { keys, mask } = schedule;
  const expected = (first: number, n: number): number => schedule.sum(first, n);
  if (collection === 'array') {
    const { array } = createObjectBuffer(externals, size, { array: contents });
    return {
      expected,
      run(first, n) {
        let sum = 0;
        for (let i = first; i < first + n; i++) sum = (sum + array[keys[i & mask]]) | 0;
        return sum;
      },
    };
  }
  const { object } = createObjectBuffer(externals, size, { object: Object.fromEntries(contents.entries()) });
  return {
    expected,
    run(first, n) {
      let sum = 0;
      for (let i = first; i < first + n; i++) sum = (sum + object[keys[i & mask]]) | 0;
      return sum;
    },
  };
}
