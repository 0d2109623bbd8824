// SPDX-License-Identifier: GPL-2.0-only
import { NULL, type Null, type Ptr, type Ref, readOnce, smpRmb } from '@lockless/cpu/native';
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

/*
 * As a program does that looks up much: what is imported is read from a cell and checked at each call, and accessors of a layout are closures, of which V8 writes
 * none out; constants of the module are constants of its code.
 */
const find = findGetPage;
const put = putPage;
const lock = rcuReadLock;
const unlock = rcuReadUnlock;
const slotOf = radixTreeLookupSlot;
const itemIn = radixTreeDerefSlot;
const read = readOnce;
const inOrder = smpRmb;
const NONE = NULL;
const AGAIN = RADIX_TREE_RETRY;
const PAGE_TREE = AddressSpace.$offset.pageTree;
const CONTENT = Page.$offset.contentIdentity;

/** What the page at an index holds: read under RCU, and then the slot looked at again. No word that others read is written. */
function peekContent(mapping: Ptr<AddressSpace>, index: number): number {
  lock();
  let content = 0;
  for (;;) {
    const slot = slotOf((mapping + PAGE_TREE) as ReturnType<typeof AddressSpace.pageTree>, index);
    if (slot === NONE) break;
    const item = itemIn(slot);
    if (item === NONE || item === AGAIN) continue;
    content = read((item + CONTENT) as Ref<number>);
    inOrder();
    if (read(slot) === item) break;
  }
  unlock();
  return content;
}

/** find_get_page(), a look at what the page holds, put_page(): the kernel's code, stripped. */
export function start({ world, peek, ...options }: LookupOptions): Subject {
  const { words, counts, close } = enterWorld(world);
  const { mapping } = world;
  const schedule = new Keys(options.keys);
  const { keys, mask } = schedule;
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
            const page: Ptr<Page> | Null = find(mapping, keys[i & mask]);
            if (page === NONE) throw new Error('a page left the cache');
            sum = (sum + words[page + CONTENT]) | 0;
            put(page);
          }
          return sum;
        },
  };
}
