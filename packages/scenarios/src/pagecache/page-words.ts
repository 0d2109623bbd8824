// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ref } from '@lockless/cpu';
import { atomicCmpxchg, atomicSub, defineGuard, defineWord, poke, readOnce, writeOnce } from '@lockless/cpu';
import { PAGE_MAPPING_ANON } from '@lockless/mm-types';
import { assertThat } from '../assertion.js';
import { always } from '../claims.js';
import { type Scenario, scenario } from '../scenario.js';
import { bootEmptyCache, mapping } from './tiny-cache.js';

/* Words of struct page that hold two things, or are stored in two steps. */

/** Kernel-facts A20. */
const countApart = defineGuard(
  'setPageSlubCounters.countApart',
  'SLUB stores its counters together with _count, which is in the same word (before abca7c496584)',
);
/** Kernel-facts A24. */
const mappingOnce = defineGuard(
  'pageSetAnonRmap.writeOnce',
  'the compiler stores page->mapping in two steps, the anon_vma first and PAGE_MAPPING_ANON after it',
);

/** _count in the low half, SLUB's `inuse` in the high half. */
const counters: Ref<number> = defineWord('page_counters');
const INUSE = 1 << 16;
const countOf = (word: number): number => word & (INUSE - 1);
/** The same, where it cannot hurt: a half that is stored by itself. */
const inuse: Ref<number> = defineWord('page_inuse');

/** get_page_unless_zero() and put_page() of a lookup that found, stale, a page which is SLUB's now. */
function* getAndPut(): Op<boolean> {
  let old = yield* readOnce(counters);
  for (;;) {
    if (countOf(old) === 0) return false;
    const seen = yield* atomicCmpxchg(counters, old, old + 1);
    if (seen === old) break;
    old = seen;
  }
  yield* atomicSub(1, counters);
  return true;
}

/** set_page_slub_counters(): one object more is in use. SLUB holds its own lock of the page; only _count is anybody's. */
function* slubAllocate(): Op<void> {
  if (countApart()) return yield* writeOnce(inuse, (yield* readOnce(inuse)) + 1);
  yield* writeOnce(counters, (yield* readOnce(counters)) + INUSE);
}

const pageMappingWord: Ref<number> = defineWord('page_mapping');
const ANON_VMA = 0x5a40;

/** page_set_anon_rmap(). */
function* setAnonRmap(): Op<void> {
  if (!mappingOnce()) yield* writeOnce(pageMappingWord, ANON_VMA);
  yield* writeOnce(pageMappingWord, ANON_VMA + PAGE_MAPPING_ANON);
}

export const pageWordScenarios: readonly Scenario[] = [
  scenario({
    name: 'count-beside-slub-counters',
    facts: ['A20'],
    summary: 'a stale lookup takes and drops a reference to a page whose other counters SLUB changes',
    source: 'abca7c496584 "mm: fix slab->page _count corruption when using slub" (3.1)',
    properties: ['I3'],
    *setup() {
      yield* bootEmptyCache();
      poke(counters, 1);
    },
    threads: { lookup: getAndPut, slub: slubAllocate },
    *finally() {
      assertThat(countOf(yield* readOnce(counters)) === 1, 'I3: page_count is 1, and only SLUB refers to the page');
    },
    guards: [always('setPageSlubCounters.countApart', 'assertion')],
  }),
  scenario({
    name: 'mapping-stored-in-two-steps',
    facts: ['A24'],
    summary: 'somebody reads page->mapping without the page lock while it becomes that of an anonymous page',
    source: 'WRITE_ONCE(page->mapping) in __page_set_anon_rmap(), mm/rmap.c, 5.11',
    properties: ['I5'],
    setup: () => bootEmptyCache(),
    threads: {
      *reader() {
        const word = yield* readOnce(pageMappingWord);
        assertThat(
          word === 0 || (word & PAGE_MAPPING_ANON) !== 0 || word === mapping,
          'I5: page_mapping() returns no anon_vma for an address_space',
        );
        return word;
      },
      fault: setAnonRmap,
    },
    guards: [always('pageSetAnonRmap.writeOnce', 'assertion')],
  }),
];
