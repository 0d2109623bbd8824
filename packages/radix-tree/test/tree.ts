// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr, SequentialOptions } from '@lockless/cpu';
import { defineStatic, peek, SequentialEngine } from '@lockless/cpu';
import {
  RADIX_TREE_MAP_SIZE,
  RADIX_TREE_MAX_TAGS,
  RADIX_TREE_TAG_WORDS,
  RadixTreeNode,
  RadixTreeRoot,
} from '@lockless/mm-types';
import { rcuIdle, rcuInit } from '@lockless/rcu';

export const tree: Ptr<RadixTreeRoot> = defineStatic(RadixTreeRoot, 'radix_test_tree');

/** The item that the kernel's tests put at an index: anything whose bit 0 is clear, here told from all others. */
export const itemAt = (index: number): number => (index * 2 + 2) | 0;

/** A machine of one CPU, RCU ready, the tree empty (gfp mask 0: nodes without sleeping). */
export function machine(options: SequentialOptions = {}): SequentialEngine {
  const engine = new SequentialEngine({ words: (1 << 18) + (1 << 21), ...options });
  engine.run(rcuInit(1));
  return engine;
}

/** Ends all grace periods, so that freed nodes are free. */
export const settle = (engine: SequentialEngine): void => engine.run(rcuIdle());

/** A seeded generator of numbers from 0 to n - 1 (mulberry32). */
export function randomFrom(seed: number): (n: number) => number {
  let state = seed | 0;
  return (n) => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return Math.floor((((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32) * n);
  };
}

/** Runs kernel-side code written in line. */
export const run = <T>(engine: SequentialEngine, op: () => Op<T>): T => engine.run(op());

const tagWord = (node: Ptr<RadixTreeNode>, tag: number, word: number): number =>
  peek(RadixTreeNode.tags(node, tag * RADIX_TREE_TAG_WORDS + word));
const tagOf = (node: Ptr<RadixTreeNode>, tag: number, offset: number): boolean =>
  (tagWord(node, tag, offset >> 5) & (1 << (offset & 31))) !== 0;
/** Bit t: some slot has tag t. */
function anyTags(node: Ptr<RadixTreeNode>): number {
  let tags = 0;
  for (let tag = 0; tag < RADIX_TREE_MAX_TAGS; tag++) {
    for (let word = 0; word < RADIX_TREE_TAG_WORDS; word++) if (tagWord(node, tag, word) !== 0) tags |= 1 << tag;
  }
  return tags;
}

/**
 * The kernel's verify_tag_consistency() and item_check, and the counts and heights beside: throws what is wrong with the tree. Runs inside
 * the engine; looks with peek, as nobody else is at it.
 */
export function verifyTree(root: Ptr<RadixTreeRoot>): { nodes: number; items: Map<number, number> } {
  const height = peek(RadixTreeRoot.height(root));
  const rnode = peek(RadixTreeRoot.rnode(root));
  const items = new Map<number, number>();
  let nodes = 0;
  const wrong = (what: string): never => {
    throw new Error(`radix tree: ${what}`);
  };
  const walk = (node: Ptr<RadixTreeNode>, level: number, first: number): number => {
    nodes++;
    const said = peek(RadixTreeNode.height(node));
    if (said !== level) wrong(`a node at level ${level} says height ${said}`);
    let count = 0;
    const tagsHere = anyTags(node);
    for (let offset = 0; offset < RADIX_TREE_MAP_SIZE; offset++) {
      const entry = peek(RadixTreeNode.slots(node, offset));
      if (entry === 0 && tagsHere === 0) continue;
      const index = first + offset * RADIX_TREE_MAP_SIZE ** (level - 1);
      if (entry !== 0) count++;
      let below = -1;
      if (entry !== 0 && level > 1) below = walk(entry as Ptr<RadixTreeNode>, level - 1, index);
      if (entry !== 0 && level === 1) items.set(index, entry);
      for (let tag = 0; tag < RADIX_TREE_MAX_TAGS; tag++) {
        const set = tagOf(node, tag, offset);
        if (entry === 0 && set) wrong(`tag ${tag} of empty slot ${offset} at level ${level}`);
        if (below >= 0 && set !== ((below & (1 << tag)) !== 0))
          wrong(`tag ${tag} of slot ${offset} at level ${level} is ${set}, not so below it`);
      }
    }
    const counts = peek(RadixTreeNode.count(node));
    if (count !== counts) wrong(`a node with ${count} entries counts ${counts}`);
    return tagsHere;
  };
  const rootTags = peek(RadixTreeRoot.gfpMask(root)) >>> 21;
  if (rnode === 0) {
    if (rootTags !== 0) wrong(`an empty tree has root tags ${rootTags}`);
  } else if ((rnode & 1) === 0) {
    if (height !== 0) wrong(`a direct item in a tree of height ${height}`);
    items.set(0, rnode);
  } else {
    const below = walk((rnode & ~1) as Ptr<RadixTreeNode>, height, 0);
    if (below !== rootTags) wrong(`the root has tags ${rootTags}, below it ${below}`);
  }
  return { nodes, items };
}
