// SPDX-License-Identifier: GPL-2.0-only
import { fileURLToPath } from 'node:url';
import * as cpu from '@lockless/cpu';
import * as mmTypes from '@lockless/mm-types';
import { type Edit, loadMutant } from '@lockless/mutant';
import * as rcu from '@lockless/rcu';
import { describe, expect, it } from 'vitest';
import * as suite from './kernel-suite.js';
import { behavesAsModel } from './model.js';
import * as races from './races.js';

type Tree = suite.Tree;

const source = fileURLToPath(new URL('../src', import.meta.url));
const imports = { '@lockless/cpu': cpu, '@lockless/mm-types': mmTypes, '@lockless/rcu': rcu };

interface Mutant {
  /** The bug, and the kernel commit or the row of the known races that it stands for. */
  readonly bug: string;
  readonly edits: readonly Edit[];
  /** The test that finds it. */
  readonly foundBy: (t: Tree) => unknown;
  /** How it shows. */
  readonly as: RegExp;
}

const sibling: Edit = {
  file: 'radix-tree-tag.ts',
  from: '    if (yield* anyTagSet(node, tag)) return entry;\n',
  to: '    yield* anyTagSet(node, tag);\n',
};
const mark: Edit = {
  file: 'radix-tree-delete.ts',
  from: '    if (height === 0) yield* writeOnce(RadixTreeNode.slots(node, 0), ptrToIndirect(child));\n',
  to: '',
};
const anyTag: Edit = {
  file: 'radix-tree-tag.ts',
  from: '  let index = first;\n',
  to: '  let index = first;\n  yield* rootTagSet(root, settag);\n',
};

/** Bugs that the kernel's tree had, each put back in. */
const MUTANTS: readonly Mutant[] = [
  {
    bug: 'tag clear ignores siblings (90f9dd8f72, B7)',
    edits: [sibling],
    foundBy: suite.extendTagChecks,
    as: /expected false to be true/,
  },
  {
    bug: 'tag clear ignores siblings, in the model',
    edits: [sibling],
    foundBy: (t) => behavesAsModel(t, { numRuns: 150, seed: 1, endOnFailure: true }),
    as: /radix tree: tag|root tag|Property failed/,
  },
  {
    bug: 'copied tag on a root without tagged items (regression2, B8)',
    edits: [anyTag],
    foundBy: suite.regression2,
    as: /does not end/,
  },
  {
    bug: 'stale leaf without a mark (27d20fddc8, B1)',
    edits: [mark],
    foundBy: races.regression1,
    as: /livelock|without an end/,
  },
  {
    bug: 'stale leaf without a mark, page reused (27d20fddc8, B2)',
    edits: [mark],
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
    edits: [
      {
        file: 'radix-tree-delete.ts',
        from: '    yield* radixTreeNodeFree(node);\n  }\n}',
        to: '    yield* writeOnce(RadixTreeNode.slots(node, 0), NULL);\n    yield* radixTreeNodeFree(node);\n  }\n}',
      },
    ],
    foundBy: races.treeShrinks,
    as: /expected \+?0 to be 2/,
  },
  {
    bug: 'node freed without a grace period',
    edits: [
      {
        file: 'radix-tree-node.ts',
        from: '  callRcu(RadixTreeNode.rcuHead(node), radixTreeNodeRcuFree);',
        to: '  cpu_1_free(node);\nfunction* cpu_1_free(node: any): any { yield* kmemCacheFree(radixTreeNodeCachep, node); void callRcu; void radixTreeNodeRcuFree; }',
      },
    ],
    foundBy: races.treeShrinks,
    as: /use after free: radix_tree_node/,
  },
  {
    bug: "reader uses the root's height, not the node's (7cf9c2c76c, B5)",
    edits: [
      {
        file: 'radix-tree.ts',
        from: '  const height = yield* load(RadixTreeNode.height(node));\n  if (index > radixTreeMaxindex(height)) return NULL;\n  for (let shift = shiftOf(height); ; shift -= RADIX_TREE_MAP_SHIFT) {\n    const entry',
        to: '  const height = yield* load(RadixTreeRoot.height(root));\n  if (index > radixTreeMaxindex(height)) return NULL;\n  for (let shift = shiftOf(height); ; shift -= RADIX_TREE_MAP_SHIFT) {\n    const entry',
      },
    ],
    foundBy: races.treeExtends,
    as: /access outside every object|null pointer|to be 4/,
  },
  {
    bug: "reader tells item from node by the root's height, not by bit 0 (c0bc9875b7)",
    edits: [
      {
        file: 'radix-tree.ts',
        from: '  if (!isIndirect(rnode)) return index === 0 ? rnode : NULL;',
        to: '  if ((yield* load(RadixTreeRoot.height(root))) === 0) return index === 0 ? rnode : NULL;',
      },
    ],
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
    edits: [{ file: 'radix-tree-node.ts', from: '    if (nr > 0) {', to: '    if (nr > RADIX_TREE_PRELOAD_SIZE) {' }],
    foundBy: suite.preloadedInsert,
    as: /expected 12 to be 11/,
  },
  {
    bug: 'preload returns with preemption on (B10)',
    edits: [
      {
        file: 'radix-tree-node.ts',
        from: '    preemptDisable();\n    // The allocation',
        to: '    // The allocation',
      },
      { file: 'radix-tree-node.ts', from: '    preemptEnable();\n    const node', to: '    const node' },
      { file: 'radix-tree-node.ts', from: '  preemptDisable();\n  let preload', to: '  let preload' },
    ],
    foundBy: suite.preloadedInsert,
    as: /expected \+?0 to be 1/,
  },
];

describe('each bug of the past is found', () => {
  it.each(MUTANTS)('$bug', ({ edits, foundBy, as }) => {
    const mutant = loadMutant<Tree>(source, edits, imports);
    expect(() => foundBy(mutant)).toThrow(as);
  });

  it('and a mutant without a change is none', () => {
    const same = loadMutant<Tree>(source, [], imports);
    for (const check of [...Object.values(suite), ...Object.values(races)].slice(0, 6)) check(same);
    races.regression1(same);
    expect(() => loadMutant(source, [{ file: 'radix-tree.ts', from: 'not there', to: '' }], imports)).toThrow(
      'exactly once',
    );
  });
});
