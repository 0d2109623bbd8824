// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { load, NULL, poke, store } from '@lockless/cpu';
import { Page } from '@lockless/mm-types';
import { radixTreeLookup } from '@lockless/radix-tree';
import { assertThat } from '../assertion.js';
import { always, weakOnly } from '../claims.js';
import { type Scenario, scenario } from '../scenario.js';
import { bootTree, deletePage, type Item, insertPage, P, Q, R, tree, underRcu } from './boot.js';

/* The tree changes its shape beside a lookup of an item that is in it all the time. */

/** No address. */
const NOWHERE = 6;

const lookup = (index: number) => (): Op<number> => underRcu(() => radixTreeLookup(tree, index));

/** `index` has its page whatever the writer does elsewhere. */
function alwaysFound(
  declared: Pick<Scenario, 'name' | 'facts' | 'summary' | 'source' | 'guards'>,
  before: readonly Item[],
  [index, page]: Item,
  writer: () => Op<unknown>,
): Scenario {
  return scenario({
    ...declared,
    properties: ['I5', 'I11'],
    setup: () => bootTree(before),
    threads: { lookup: lookup(index), writer },
    *finally(_shared, { results }) {
      assertThat(results.lookup === page, `the lookup of ${index} returns its page`);
    },
  });
}

/** Looks up a page that is being added, and reads what was stored in it before that. */
function* lookUpNew(index: number): Op<number | null> {
  return yield* underRcu(function* () {
    const page = (yield* radixTreeLookup(tree, index)) as Ptr<Page>;
    return page === NULL ? null : yield* load(Page.index(page));
  });
}

export const shapeScenarios: readonly Scenario[] = [
  alwaysFound(
    {
      name: 'shrink-under-lookup',
      facts: ['B3'],
      summary: 'a lookup stands on the top node while the tree shrinks by it',
      source: '643b52b9c0 "radix-tree: fix small lockless radix-tree bug" (2.6.26)',
      guards: [
        always('radixTreeShrink.keepSlot', 'assertion'),
        always('radixTreeNodeFree.gracePeriod', 'use-after-free'),
      ],
    },
    [
      [0, P],
      [64, Q],
    ],
    [0, P],
    () => deletePage(64),
  ),
  alwaysFound(
    {
      name: 'extend-under-lookup',
      facts: ['B5'],
      summary: 'a lookup of index 1 while the tree becomes one level higher',
      source: '7cf9c2c76c "radix-tree: RCU lockless readside": each node knows its height',
      guards: [
        always('radixTreeLookup.nodeHeight', 'assertion'),
        weakOnly('radixTreeExtend.rcu_assign_pointer', 'assertion'),
        weakOnly('radixTreeLookup.rcu_dereference#1', 'assertion'),
      ],
    },
    [
      [0, P],
      [1, Q],
    ],
    [1, Q],
    () => insertPage([64, R]),
  ),
  alwaysFound(
    {
      name: 'direct-item-becomes-leaf',
      facts: ['B6', 'regression4'],
      summary: 'a lookup of the only item, index 0, while a second one puts a node between it and the root',
      source:
        '7cf9c2c76c "radix-tree: RCU lockless readside": a bit says what rnode is; c0bc9875b7 "radix-tree: use indirect bit"',
      guards: [
        always('radixTreeLookup.indirectBit', 'assertion'),
        weakOnly('radixTreeExtend.rcu_assign_pointer', 'assertion'),
        weakOnly('radixTreeLookup.rcu_dereference#1', 'assertion'),
      ],
    },
    [[0, P]],
    [0, P],
    () => insertPage([1, Q]),
  ),
  scenario({
    name: 'insert-publishes',
    facts: ['B6'],
    summary: 'a lookup of a page that is being inserted into a leaf',
    source: 'Documentation/RCU/rcu_dereference.rst; lib/radix-tree.c, 2.6.27',
    properties: ['I5'],
    setup: () =>
      bootTree([
        [0, P],
        [2, R],
      ]),
    threads: {
      lookup: () => lookUpNew(1),
      *writer() {
        yield* store(Page.index(Q), 1);
        yield* insertPage([1, Q]);
      },
    },
    *finally(_shared, { results, reach }) {
      assertThat(results.lookup === null || results.lookup === 1, 'a page that is found has its index');
      reach(results.lookup === null ? 'not yet' : 'found');
    },
    mustReach: ['not yet', 'found'],
    guards: [
      weakOnly('radixTreeInsert.rcu_assign_pointer', 'assertion'),
      weakOnly('radixTreeLookup.rcu_dereference', 'assertion'),
    ],
  }),
  scenario({
    name: 'first-node-published',
    facts: ['B6'],
    summary:
      'a lookup of index 0 in an empty tree, into which pages are inserted: it must not find the node without its height',
    source: 'radix_tree_insert(), lib/radix-tree.c, 2.6.27',
    properties: ['I5', 'I7', 'I11'],
    *setup() {
      yield* bootTree([]);
      // Words of a page that is taken for a node lead nowhere.
      poke(Page.contentIdentity(P), NOWHERE);
    },
    threads: {
      lookup: lookup(0),
      *writer() {
        yield* insertPage([1, Q]);
        yield* insertPage([0, P]);
      },
    },
    *finally(_shared, { results, reach }) {
      assertThat(results.lookup === NULL || results.lookup === P, 'index 0 has its page or none');
      reach(results.lookup === NULL ? 'not yet' : 'found');
    },
    mustReach: ['not yet', 'found'],
    guards: [
      weakOnly('publishNode.rcu_assign_pointer', 'null-dereference'),
      weakOnly('radixTreeLookup.rcu_dereference#1', 'null-dereference'),
    ],
  }),
];
