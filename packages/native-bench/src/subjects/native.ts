// SPDX-License-Identifier: GPL-2.0-only
import { NULL, type Null, type Ptr, readOnce, smpRmb } from '@lockless/cpu/native';
import { AddressSpace, Page } from '@lockless/mm-types/native';
import { putPage } from '@lockless/page/native';
import { findGetPage } from '@lockless/pagecache/native';
import { RADIX_TREE_RETRY, radixTreeDerefSlot, radixTreeLookupSlot } from '@lockless/radix-tree/native';
import { rcuReadLock, rcuReadUnlock } from '@lockless/rcu/native';
import { type KeyOptions, Keys } from '../harness/keys.js';
import type { Subject } from '../harness/subject.js';
import type { World } from '../world.js';
import { enterWorld } from './in-world.js';

export interface LookupOptions {
  readonly world: World;
  readonly keys: KeyOptions;
  /** Without a reference. */
  readonly peek: boolean;
}

/** What the page at an index holds: read under RCU, and then the slot looked at again. No word that others read is written. */
function peekContent(mapping: Ptr<AddressSpace>, index: number): number {
  rcuReadLock();
  let content = 0;
  for (;;) {
    const slot = radixTreeLookupSlot(AddressSpace.pageTree(mapping), index);
    if (slot === NULL) break;
    const item = radixTreeDerefSlot(slot);
    if (item === NULL || item === RADIX_TREE_RETRY) continue;
    content = readOnce(Page.contentIdentity(item as Ptr<Page>));
    smpRmb();
    if (readOnce(slot) === item) break;
  }
  rcuReadUnlock();
  return content;
}

/** find_get_page(), a look at what the page holds, put_page(): the kernel's code, stripped. */
export function start({ world, peek, ...options }: LookupOptions): Subject {
  const { words, counts, close } = enterWorld(world);
  const { mapping } = world;
  const schedule = new Keys(options.keys);
  const { keys, mask } = schedule;
  const content = Page.$offset.contentIdentity;
  return {
    counts,
    close,
    expected: (first, n) => schedule.sum(first, n),
    run: peek
      ? (first, n) => {
          let sum = 0;
          for (let i = first; i < first + n; i++) sum = (sum + peekContent(mapping, keys[i & mask])) | 0;
          return sum;
        }
      : (first, n) => {
          let sum = 0;
          for (let i = first; i < first + n; i++) {
            const page: Ptr<Page> | Null = findGetPage(mapping, keys[i & mask]);
            if (page === NULL) throw new Error('a page left the cache');
            sum = (sum + words[page + content]) | 0;
            putPage(page);
          }
          return sum;
        },
  };
}
