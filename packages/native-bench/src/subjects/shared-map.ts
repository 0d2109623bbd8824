// SPDX-License-Identifier: GPL-2.0-only
import { SharedMap } from '@lockless/shared-map';
import { contentOf, Keys } from '../harness/keys.js';
import type { Subject } from '../harness/subject.js';
import type { MapOptions } from './map.js';

export interface SharedMapOptions extends MapOptions {
  readonly rcu?: 'mb' | 'qsbr';
  /** Default: true. */
  readonly webAssembly?: boolean;
}

/** `get` of our SharedMap, of integers that are their entries. Each lookup is an RCU reader of its own. */
export function start({ entries, keys: options, rcu = 'mb', webAssembly = true }: SharedMapOptions): Subject {
  const map = SharedMap.create({ bytes: (32 << 20) + entries * 16, rcu, webAssembly });
  for (let index = 0; index < entries; index++) map.set(index, contentOf(index));
  const schedule = new Keys(options);
  const { keys, mask } = schedule;
  return {
    expected: (first, n) => schedule.sum(first, n),
    run(first, n) {
      let sum = 0;
      for (let i = first; i < first + n; i++) sum = (sum + (map.get(keys[i & mask]) as number)) | 0;
      return sum;
    },
    close: () => map.detach(),
  };
}
