// SPDX-License-Identifier: GPL-2.0-only
import { PAGECACHE_TAG_DIRTY, PAGECACHE_TAG_WRITEBACK } from '@lockless/mm-types';
import { lockTreeIrq, unlockTreeIrq } from '@lockless/pagecache';
import {
  radixTreeDelete,
  radixTreeGangLookupTag,
  radixTreeRangeTagIfTagged,
  radixTreeTagClear,
  radixTreeTagSet,
} from '@lockless/radix-tree';
import { assertThat } from '../assertion.js';
import { always } from '../claims.js';
import { type Scenario, scenario } from '../scenario.js';
import { bootTree, insertPage, mapping, P, Q, R, tree, underRcu } from './boot.js';

export const tagScenarios: readonly Scenario[] = [
  scenario({
    name: 'tag-clear-spares-siblings',
    facts: ['B7'],
    summary: 'writeback looks for dirty pages while the tag of another page of the same leaf is cleared',
    source: '90f9dd8f72, in radix_tree_tag_clear(), lib/radix-tree.c',
    properties: ['I5', 'I6'],
    *setup() {
      yield* bootTree([
        [0, P],
        [1, Q],
        [64, R],
      ]);
      yield* radixTreeTagSet(tree, 0, PAGECACHE_TAG_DIRTY);
      yield* radixTreeTagSet(tree, 1, PAGECACHE_TAG_DIRTY);
    },
    threads: {
      writeback: () => underRcu(() => radixTreeGangLookupTag(tree, 1, 1, PAGECACHE_TAG_DIRTY)),
      *clean() {
        yield* lockTreeIrq(mapping);
        yield* radixTreeTagClear(tree, 0, PAGECACHE_TAG_DIRTY);
        yield* unlockTreeIrq(mapping);
      },
    },
    *finally(_shared, { results }) {
      assertThat((results.writeback as number[])[0] === Q, 'the page that stays dirty is found beside the change');
      const after = yield* radixTreeGangLookupTag(tree, 0, 2, PAGECACHE_TAG_DIRTY);
      assertThat(after.length === 1 && after[0] === Q, 'the page that stays dirty is found after the change');
    },
    guards: [always('radixTreeTagClear.siblings', 'assertion')],
  }),
  scenario({
    name: 'copied-tag-without-item',
    facts: ['B8'],
    summary:
      'a tag is copied over a range in which nothing has it, the tree is raised, its first leaf goes, and a tagged lookup follows',
    source: 'regression2 of tools/testing/radix-tree, found by Okajima: radix_tree_range_tag_if_tagged()',
    properties: ['I7'],
    *setup() {
      yield* bootTree([
        [0, P],
        [1, Q],
      ]);
      yield* radixTreeTagSet(tree, 1, PAGECACHE_TAG_DIRTY);
    },
    threads: {
      *writeback() {
        yield* lockTreeIrq(mapping);
        yield* radixTreeRangeTagIfTagged(tree, 0, 0, 1, PAGECACHE_TAG_DIRTY, PAGECACHE_TAG_WRITEBACK);
        yield* unlockTreeIrq(mapping);
        yield* insertPage([64, R]);
        yield* lockTreeIrq(mapping);
        for (const index of [1, 0]) yield* radixTreeDelete(tree, index);
        yield* unlockTreeIrq(mapping);
        return yield* underRcu(() => radixTreeGangLookupTag(tree, 1, 2, PAGECACHE_TAG_WRITEBACK));
      },
    },
    *finally(_shared, { results }) {
      assertThat((results.writeback as number[]).length === 0, 'no page has the tag');
    },
    guards: [always('radixTreeRangeTagIfTagged.rootTagFollows', 'livelock')],
  }),
];
