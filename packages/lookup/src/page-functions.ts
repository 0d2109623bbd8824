// SPDX-License-Identifier: GPL-2.0-only
import { code, NULL, type Null, type Ptr, type Ref, readOnce, smpRmb } from '@lockless/cpu/native';
import { AddressSpace, type Page } from '@lockless/mm-types/native';
import type { StaysInJavaScript } from '@lockless/native';
import { pageCacheFree, putPage as put, putCompoundPage } from '@lockless/page/native';
import { findGetPage as find, TREE_LOCK } from '@lockless/pagecache/native';
import { RADIX_TREE_RETRY, radixTreeDerefSlot, radixTreeLookupSlot } from '@lockless/radix-tree/native';
import { rcuReadLock, rcuReadUnlock } from '@lockless/rcu/native';
import { rcuJavascript } from './rcu-javascript.js';

/*
 * What is exported here is translated, and runs in JavaScript where there is no WebAssembly.
 */

const PAGE_TREE = AddressSpace.$offset.pageTree;

/** find_get_page(): the page at an index with a reference, or NULL. *Context*: any but interrupts. */
export function findGetPage(mapping: Ptr<AddressSpace>, index: number): Ptr<Page> | Null {
  return find(mapping, index);
}

/** put_page(): gives a reference back, and frees the page if it was the last. */
export function putPage(page: Ptr<Page>): void {
  put(page);
}

/**
 * A word of the page at an index, without a reference: read under RCU, and then the slot looked at again. No word that other threads read is written.
 * `field`: which word of the page, as from `Page.$offset`. *Context*: any. *Returns* 0 when there is no page.
 * *Ordering*: the page was at its index when the word was read.
 */
export function peekPage(mapping: Ptr<AddressSpace>, index: number, field: number): number {
  rcuReadLock();
  let content = 0;
  for (;;) {
    const slot = radixTreeLookupSlot((mapping + PAGE_TREE) as ReturnType<typeof AddressSpace.pageTree>, index);
    if (slot === NULL) break;
    const item = radixTreeDerefSlot(slot);
    if (item === NULL || item === RADIX_TREE_RETRY) continue;
    content = readOnce((item + field) as Ref<number>);
    smpRmb();
    if (readOnce(slot) === item) break;
    content = 0;
  }
  rcuReadUnlock();
  return content;
}

export const javascript: StaysInJavaScript = {
  ...rcuJavascript,
  cpuRelax: code('cpu_relax'),
  pageCacheFree,
  putCompoundPage,
  findGetPageUnderTreeLock: TREE_LOCK.findGetPage,
};
