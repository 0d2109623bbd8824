// SPDX-License-Identifier: GPL-2.0-only
import { load, NULL, type Ptr, type Ref } from '@lockless/cpu/native';
import { findGetPage as find, javascript, peekPage as peek, putPage as put } from '@lockless/lookup/page-functions';
import { type AddressSpace, Page } from '@lockless/mm-types/native';

/*
 * What is exported here is translated to WebAssembly: whole lookups, one at a time and many in one call.
 */

const CONTENT = Page.$offset.contentIdentity;

export function findGetPage(mapping: Ptr<AddressSpace>, index: number): Ptr<Page> | 0 {
  return find(mapping, index) as Ptr<Page> | 0;
}

export function putPage(page: Ptr<Page>): void {
  put(page);
}

/** Find, read what the page holds, put. */
export function readPage(mapping: Ptr<AddressSpace>, index: number): number {
  const page = find(mapping, index);
  if (page === NULL) return 0;
  const content = load((page + CONTENT) as Ref<number>);
  put(page as Ptr<Page>);
  return content;
}

/** Without a reference. */
export function peekPage(mapping: Ptr<AddressSpace>, index: number): number {
  return peek(mapping, index, CONTENT);
}

/** The same for `n` indices that lie in word memory; the sum. */
export function readPages(mapping: Ptr<AddressSpace>, indices: number, n: number): number {
  let sum = 0;
  for (let at = 0; at < n; at++) sum = (sum + readPage(mapping, load((indices + at) as Ref<number>) >>> 0)) | 0;
  return sum;
}

export function peekPages(mapping: Ptr<AddressSpace>, indices: number, n: number): number {
  let sum = 0;
  for (let at = 0; at < n; at++) sum = (sum + peekPage(mapping, load((indices + at) as Ref<number>) >>> 0)) | 0;
  return sum;
}

export { javascript };
