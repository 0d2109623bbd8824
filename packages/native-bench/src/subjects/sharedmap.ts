// SPDX-License-Identifier: GPL-2.0-only
import { contentOf, Keys } from '../harness/keys.js';
import type { Subject } from '../harness/subject.js';
import { optional } from './installed.js';
import type { MapOptions } from './map.js';

/** What the package exports; its own types describe another module than the one that Node loads. */
type SharedMapClass = new (
  entries: number,
  keyLength: number,
  valueLength: number,
) => { get(key: string): string; set(key: string, value: string): void };

/** Characters of a key and of a value. */
const LONGEST = 12;
/** Its own documentation promises no loss of speed up to 95 %. */
const FILLED = 0.8;

/** `get` of npm's sharedmap, whose keys and values are strings; turning them into numbers is part of a lookup, as the keys here are numbers. */
export async function start({ entries, keys: options }: MapOptions): Promise<Subject> {
  const { default: exported } = await optional('sharedmap', () => import('sharedmap'));
  const SharedMap = exported as unknown as SharedMapClass;
  const map = new SharedMap(Math.ceil(entries / FILLED), LONGEST, LONGEST);
  for (let index = 0; index < entries; index++) map.set(String(index), String(contentOf(index)));
  const schedule = new Keys(options);
  const { keys, mask } = schedule;
  return {
    expected: (first, n) => schedule.sum(first, n),
    run(first, n) {
      let sum = 0;
      for (let i = first; i < first + n; i++) sum = (sum + Number(map.get(String(keys[i & mask])))) | 0;
      return sum;
    },
  };
}
