// SPDX-License-Identifier: GPL-2.0-only
import type { Ptr } from '@lockless/cpu';
import { NULL, poke } from '@lockless/cpu';
import { splitFrozen, tryGetCompoundHead } from '@lockless/huge-memory';
import { Page } from '@lockless/mm-types';
import { assertThat } from '../assertion.js';
import { always, notNeeded, weakOnly } from '../claims.js';
import { type Scenario, scenario } from '../scenario.js';
import { assertCounts, bootHugePages, type HugePage, newHugePage } from './boot.js';

/** The design of 4.5: pins are the head's, and a page that has some is not split. */
export const freezeScenarios: readonly Scenario[] = [
  scenario<HugePage>({
    name: 'thp-split-frozen',
    facts: ['F1', 'A5'],
    summary:
      'a tail of a huge page is pinned, by a reference to its head, while the page is split with its count frozen',
    source:
      'e9b61f19858a (4.5): "thp: reintroduce split_huge_page()"; c24d37322548 (5.14): the look at the head after the reference',
    properties: ['I1', 'I2', 'I3'],
    *setup() {
      yield* bootHugePages('tail-mapcount');
      const huge = yield* newHugePage();
      poke(Page._mapcount(huge.head), -1);
      return huge;
    },
    threads: {
      pin: ({ tail }) => tryGetCompoundHead(tail),
      split: ({ head }) => splitFrozen(head),
    },
    *finally(huge, { results, reach }) {
      const split = results.split === 0;
      const pinned = results.pin as Ptr<Page> | typeof NULL;
      if (split && pinned === NULL) reach('frozen, or split meanwhile');
      if (!split) reach('pinned: not split');
      if (split && pinned !== NULL) {
        assertThat(
          pinned === huge.tail,
          'a pin is a reference to the page that was to be pinned, or to the block that it is part of',
        );
        reach('split before');
      }
      yield* assertCounts(huge, split ? 1 : 2, split ? (pinned === NULL ? 1 : 2) : 0);
    },
    mustReach: ['frozen, or split meanwhile', 'pinned: not split', 'split before'],
    guards: [
      always('splitFrozen.freeze', 'assertion'),
      always('tryGetCompoundHead.recheck', 'assertion'),
      weakOnly('splitFrozen.smp_wmb', 'null-dereference'),
      weakOnly('compoundTransHead.smp_rmb', 'null-dereference'),
      notNeeded('pageUnfreezeRefs.smp_store_release'),
    ],
  }),
];
