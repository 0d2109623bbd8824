// SPDX-License-Identifier: GPL-2.0-only
import { fileURLToPath } from 'node:url';
import * as cpu from '@lockless/cpu';
import * as mmTypes from '@lockless/mm-types';
import { type Edit, loadMutant } from '@lockless/mutant';
import * as rcu from '@lockless/rcu';
import { describe, expect, it } from 'vitest';
import '../src/index.js';
import type { Tree } from './kernel-case.js';
import * as suite from './kernel-suite.js';
import { behavesAsModel } from './model.js';
import * as races from './races.js';
import { extendTagChecks } from './tag-check.js';

const source = fileURLToPath(new URL('../src', import.meta.url));
const imports = { '@lockless/cpu': cpu, '@lockless/mm-types': mmTypes, '@lockless/rcu': rcu };

interface Mutant {
  /** The bug, and the kernel commit or the row of the known races that it stands for. */
  readonly bug: string;
  /** The guard to leave out, or how the text of the sources differs. */
  readonly without?: readonly string[];
  readonly edits?: readonly Edit[];
  /** The test that finds it. */
  readonly foundBy: (t: Tree) => unknown;
  /** How it shows. */
  readonly as: RegExp;
}

/** Bugs that the kernel's tree had, each put back in. */
const MUTANTS: readonly Mutant[] = [
  {
    bug: 'tag clear ignores siblings (90f9dd8f72, B7)',
    without: ['radixTreeTagClear.siblings'],
    foundBy: extendTagChecks,
    as: /expected false to be true/,
  },
  {
    bug: 'tag clear ignores siblings, in the model',
    without: ['radixTreeTagClear.siblings'],
    foundBy: (t) => behavesAsModel(t, { numRuns: 150, seed: 1, endOnFailure: true }),
    as: /radix tree: tag|root tag|Property failed/,
  },
  {
    bug: 'copied tag on a root without tagged items (regression2, B8)',
    without: ['radixTreeRangeTagIfTagged.rootTagFollows'],
    foundBy: suite.regression2,
    as: /does not end/,
  },
  {
    bug: 'stale leaf without a mark (27d20fddc8, B1)',
    without: ['radixTreeShrink.markDeadLeaf'],
    foundBy: races.regression1,
    as: /livelock|without an end/,
  },
  {
    bug: 'stale leaf without a mark, page reused (27d20fddc8, B2)',
    without: ['radixTreeShrink.markDeadLeaf'],
    foundBy: races.wrongPageFromStaleLeaf,
    as: /to not include 99/,
  },
  {
    bug: 'lookup returns the mark with the item (27d20fddc8)',
    edits: [
      {
        file: 'radix-tree.ts',
        from: 'return indirectToPtr(entry);\n    node',
        to: 'return entry;\n    node',
      },
    ],
    foundBy: races.leafDies,
    as: /expected 3 to be 2/,
  },
  {
    bug: 'node cleared before the grace period (643b52b9c0, B3)',
    without: ['radixTreeShrink.keepSlot'],
    foundBy: races.treeShrinks,
    as: /expected \+?0 to be 2/,
  },
  {
    bug: 'node freed without a grace period',
    without: ['radixTreeNodeFree.gracePeriod'],
    foundBy: races.treeShrinks,
    as: /use after free: radix_tree_node/,
  },
  {
    bug: "reader uses the root's height, not the node's (7cf9c2c76c, B5)",
    without: ['radixTreeLookup.nodeHeight'],
    foundBy: races.treeExtends,
    as: /access outside every object|null pointer|to be 4/,
  },
  {
    bug: "reader tells item from node by the root's height, not by bit 0 (c0bc9875b7)",
    without: ['radixTreeLookup.indirectBit'],
    foundBy: races.regression4,
    as: /access outside every object|null pointer|to be 2/,
  },
  {
    bug: 'top node published before its height (B6)',
    edits: [
      { file: 'radix-tree.ts', from: '    yield* store(RadixTreeNode.height(node), newHeight);\n', to: '' },
      {
        file: 'radix-tree.ts',
        from: '    yield* store(RadixTreeRoot.height(root), newHeight);\n',
        to: '    yield* store(RadixTreeNode.height(node), newHeight);\n    yield* store(RadixTreeRoot.height(root), newHeight);\n',
      },
    ],
    foundBy: races.treeExtends,
    as: /expected \+?0 to be 4/,
  },
  {
    bug: 'preload holds one path only (2.6.27)',
    edits: [{ file: 'radix-tree-node.ts', from: 'RADIX_TREE_MAX_PATH * 2 - 1', to: 'RADIX_TREE_MAX_PATH' }],
    foundBy: suite.preloadedInsert,
    as: /expected -12 to be \+?0/,
  },
  {
    bug: 'allocation asks the slab before the preloaded nodes (e2848a0efe)',
    without: ['radixTreeNodeAlloc.preloadFirst'],
    foundBy: suite.preloadedInsert,
    as: /expected 12 to be 11/,
  },
  {
    bug: 'preload returns with preemption on (B10)',
    without: ['radixTreePreload.preemptionOff'],
    foundBy: suite.preloadedInsert,
    as: /expected \+?0 to be 1/,
  },
];

describe('each bug of the past is found', () => {
  it.each(MUTANTS)('$bug', ({ edits = [], without, foundBy, as }) => {
    const mutant = loadMutant<Tree>(source, edits, imports, without);
    expect(() => foundBy(mutant)).toThrow(as);
  });

  it('each guard is one of them', () => {
    // Those of a writer's death (repair, and what it had in hand) are left out one by one in repair.test.ts.
    const mine = cpu.guards().filter(({ name }) => /^radixTree(?!Repair|Hand)/.test(name));
    expect(new Set(MUTANTS.flatMap(({ without }) => without ?? []))).toEqual(new Set(mine.map(({ name }) => name)));
  });

  it('and a mutant without a change is none', () => {
    const same = loadMutant<Tree>(source, [], imports);
    for (const check of [...Object.values(suite), ...Object.values(races)].slice(0, 6)) check(same);
    races.regression1(same);
    expect(() => loadMutant(source, [{ file: 'radix-tree.ts', from: 'not there', to: '' }], imports)).toThrow(
      'exactly once',
    );
    expect(() => loadMutant(source, [], imports, ['radixTreeShrink.nothing'])).toThrow('no such guard');
  });
});
