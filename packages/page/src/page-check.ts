// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { KernelBug, readOnce, store } from '@lockless/cpu';
import {
  Page,
  PG_ACTIVE,
  PG_ANON,
  PG_BUDDY,
  PG_CHAINLOCK,
  PG_COMPOUND_LOCK,
  PG_DIRECT,
  PG_DIRTY,
  PG_HEAD,
  PG_LOCKED,
  PG_LRU,
  PG_PRIVATE,
  PG_RESERVED,
  PG_SLAB,
  PG_SWAPCACHE,
  PG_TAIL,
  PG_WRITEBACK,
} from '@lockless/mm-types';
import { pageToPfn } from './mmzone.js';
import { pteUnionInUse } from './page-mapcount.js';

const FLAG_NAMES: readonly (readonly [number, string])[] = [
  [PG_LOCKED, 'locked'],
  [PG_DIRTY, 'dirty'],
  [PG_LRU, 'lru'],
  [PG_ACTIVE, 'active'],
  [PG_SLAB, 'slab'],
  [PG_RESERVED, 'reserved'],
  [PG_PRIVATE, 'private'],
  [PG_WRITEBACK, 'writeback'],
  [PG_SWAPCACHE, 'swapcache'],
  [PG_BUDDY, 'buddy'],
  [PG_CHAINLOCK, 'chainlock'],
  [PG_DIRECT, 'direct'],
  [PG_HEAD, 'head'],
  [PG_TAIL, 'tail'],
  [PG_COMPOUND_LOCK, 'compound_lock'],
];
const mask = (bits: readonly number[]): number => bits.reduce((sum, bit) => sum | (1 << bit), 0);

/** PAGE_FLAGS_CHECK_AT_FREE. A dirty page may be freed: truncation does not care for its content. PG_anon stays up to here. */
const AT_FREE = mask([
  PG_LOCKED,
  PG_LRU,
  PG_ACTIVE,
  PG_SLAB,
  PG_RESERVED,
  PG_PRIVATE,
  PG_WRITEBACK,
  PG_SWAPCACHE,
  PG_BUDDY,
  PG_CHAINLOCK,
  PG_DIRECT,
  PG_HEAD,
  PG_TAIL,
  PG_COMPOUND_LOCK,
]);
const CLEARED_AT_FREE = mask([PG_DIRTY, PG_ANON]);
/** PAGE_FLAGS_CHECK_AT_PREP. */
const AT_PREP = AT_FREE | mask([PG_DIRTY]);

/** bad_page(): someone uses a page that is free, or frees one that is in use. *Differs*: stops the machine instead of carrying on. */
function badPage(page: Ptr<Page>, when: string, what: readonly string[]): never {
  throw new KernelBug('bad-page', `bad page: pfn ${pageToPfn(page)} ${when}: ${what.join(', ')}`);
}

function* check(page: Ptr<Page>, when: string, forbidden: number): Op<number> {
  const mapcount = pteUnionInUse() ? yield* readOnce(Page.pte(page)) : (yield* readOnce(Page._mapcount(page))) + 1;
  const mapping = yield* readOnce(Page.mapping(page));
  const count = yield* readOnce(Page._count(page));
  const flags = yield* readOnce(Page.flags(page));
  if ((mapcount | mapping | count | (flags & forbidden)) === 0) return flags;
  const what: string[] = [];
  if (count !== 0) what.push(`page_count ${count}`);
  if (mapcount !== 0) what.push(`page_mapcount ${mapcount}`);
  if (mapping !== 0) what.push(`mapping ${mapping}`);
  for (const [bit, name] of FLAG_NAMES) if ((flags & forbidden & (1 << bit)) !== 0) what.push(`PG_${name}`);
  badPage(page, when, what);
}

/** free_pages_check(): what every page must be when it is freed. *Source*: mm/page_alloc.c, 2.6.27. */
export function* freePagesCheck(page: Ptr<Page>): Op<void> {
  const flags = yield* check(page, 'at free', AT_FREE);
  if ((flags & CLEARED_AT_FREE) !== 0) yield* store(Page.flags(page), flags & ~CLEARED_AT_FREE);
}

/** The checks of prep_new_page(), and its clearing of the flags that may be left over. *Source*: mm/page_alloc.c, 2.6.27. */
export function* newPageCheck(page: Ptr<Page>): Op<void> {
  yield* check(page, 'at allocation', AT_PREP);
  yield* store(Page.flags(page), 0);
}
