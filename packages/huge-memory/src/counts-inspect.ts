// SPDX-License-Identifier: GPL-2.0-only
import { type Ptr, peek } from '@lockless/cpu';
import { Page, PG_COMPOUND_LOCK, PG_HEAD } from '@lockless/mm-types';
import { headOf, memMapPages, pageToPfn, pfnToPage, tailPins } from '@lockless/page';
import { hpagePmdNr } from './config.js';
import { nthPage } from './split-refcount.js';

/** A head that is mapped, and that nobody splits at the moment or takes the pins of tails from. */
const isSettled = (head: Ptr<Page>): boolean =>
  (peek(Page.flags(head)) & ((1 << PG_HEAD) | (1 << PG_COMPOUND_LOCK))) === 1 << PG_HEAD &&
  peek(Page._mapcount(head)) >= 0;

function wrongCounts(head: Ptr<Page>): string | null {
  let pins = 0;
  for (let i = 1; i < hpagePmdNr(); i++) {
    const tail = nthPage(head, i);
    if (headOf(tail) !== head) return `page ${pageToPfn(tail)} does not know its head ${pageToPfn(head)}`;
    const { noted, stray } = tailPins().inspect(tail);
    if (stray !== 0) return `page ${pageToPfn(tail)}, a tail: references that nobody can have: ${stray}`;
    pins += noted;
  }
  const mappings = peek(Page._mapcount(head)) + 1;
  const references = peek(Page._count(head));
  return references < mappings + pins
    ? `huge page ${pageToPfn(head)}: ${references} references, of ${mappings} mappings and ${pins} pins of its tails`
    : null;
}

/**
 * Of every huge page, at any moment: its tails know it, and its count covers its mappings and, where pins are in _mapcount, its tails' pins; then the
 * counts of tails are 0, too. What is wrong, or null. Looked at from outside.
 */
export function hugeCountsAgree(): string | null {
  for (let pfn = 0; pfn < memMapPages(); pfn++) {
    const wrong = isSettled(pfnToPage(pfn)) ? wrongCounts(pfnToPage(pfn)) : null;
    if (wrong !== null) return wrong;
  }
  return null;
}
