// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr } from '@lockless/cpu';
import { defineStatic, defineWord, load, NULL, runSequentially, struct } from '@lockless/cpu';
import { RbNode } from '@lockless/mm-types';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { RbRoot } from '../src/rbtree.js';
import { rbErase, rbFirst, rbInsertColor, rbLinkNode, rbNext, rbPrev } from '../src/rbtree.js';

const SIZE = 48;
const Nodes = struct<{ nodes: unknown }>('test_nodes', { nodes: SIZE * RbNode.$size });
const nodes = defineStatic(Nodes, 'test_nodes') as number;
const root = defineWord('test_root') as number as RbRoot;
const nodeOf = (key: number): Ptr<RbNode> => (nodes + key * RbNode.$size) as Ptr<RbNode>;
const keyOf = (node: Ptr<RbNode>): number => (node - nodes) / RbNode.$size;

function* insert(key: number): Op<void> {
  let link = root;
  let parent: Ptr<RbNode> | Null = NULL;
  for (;;) {
    const at = yield* load(link);
    if (at === NULL) break;
    parent = at;
    link = key < keyOf(at) ? RbNode.left(at) : RbNode.right(at);
  }
  yield* rbLinkNode(nodeOf(key), parent, link);
  yield* rbInsertColor(nodeOf(key), root);
}

/** Keys in order by rb_next, and the height; throws when a rule of the tree is broken. */
function* inspect(): Op<{ keys: number[]; height: number }> {
  function* blackHeight(node: Ptr<RbNode> | Null, parent: Ptr<RbNode> | Null): Op<{ black: number; height: number }> {
    if (node === NULL) return { black: 0, height: 0 };
    expect(yield* load(RbNode.parent(node))).toBe(parent);
    const red = (yield* load(RbNode.color(node))) === 0;
    if (red) expect(parent !== NULL && (yield* load(RbNode.color(parent))) === 1, 'red below red').toBe(true);
    const left = yield* blackHeight(yield* load(RbNode.left(node)), node);
    const right = yield* blackHeight(yield* load(RbNode.right(node)), node);
    expect(left.black).toBe(right.black);
    return { black: left.black + (red ? 0 : 1), height: 1 + Math.max(left.height, right.height) };
  }
  const { height } = yield* blackHeight(yield* load(root), NULL);
  const keys: number[] = [];
  let last: Ptr<RbNode> | Null = NULL;
  for (let at = yield* rbFirst(root); at !== NULL; at = yield* rbNext(at)) {
    expect(yield* rbPrev(at)).toBe(last);
    keys.push(keyOf(at));
    last = at;
  }
  return { keys, height };
}

test('insert and erase against a sorted set', () => {
  const keys = fc.array(fc.integer({ min: 0, max: SIZE - 1 }), { minLength: 1, maxLength: 150 });
  fc.assert(
    fc.property(keys, (toggles) => {
      runSequentially(function* () {
        const model = new Set<number>();
        for (const key of toggles) {
          if (model.delete(key)) yield* rbErase(nodeOf(key), root);
          else {
            model.add(key);
            yield* insert(key);
          }
          const tree = yield* inspect();
          expect(tree.keys).toEqual([...model].sort((a, b) => a - b));
          expect(tree.height).toBeLessThanOrEqual(2 * Math.log2(model.size + 1));
        }
      });
    }),
    { numRuns: Number(process.env.LOCKLESS_RUNS ?? 60) },
  );
});

test('ascending insertion stays balanced', () => {
  runSequentially(function* () {
    for (let key = 0; key < SIZE; key++) yield* insert(key);
    expect((yield* inspect()).height).toBeLessThanOrEqual(10);
  });
});
