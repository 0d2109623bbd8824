// SPDX-License-Identifier: GPL-2.0-only
// @ts-check
import { defineStatic, SequentialEngine } from '@lockless/cpu';
import { RadixTreeRoot } from '@lockless/mm-types';
import {
  radixTreeDelete,
  radixTreeGangLookup,
  radixTreeGangLookupTag,
  radixTreeInsert,
  radixTreeTagSet,
} from '@lockless/radix-tree';
import { rcuIdle, rcuInit } from '@lockless/rcu';

/*
 * The matrix of the kernel's benchmark.c: trees of two sizes, filled, tagged, walked and emptied in steps. Nanoseconds for each item, in generator
 * form on the sequential engine. After `npm run build`:  node packages/radix-tree/bench/radix-tree.mjs
 */
const SIZES = [1 << 10, 1 << 20];
const STEPS = [1, 2, 7, 15, 63, 64, 65, 128, 256, 512, 12345];
const PHASES = ['insertion', 'tagging', 'tagged walk', 'walk', 'deletion'];

const tree = defineStatic(RadixTreeRoot, 'radix_bench_tree');

/** @typedef {(root: typeof tree, index: number) => Generator<any, any, any>} Each @param {Each} each */
const forEach = (each) =>
  /** @param {number} size @param {number} step */
  function* (size, step) {
    for (let index = 0; index < size; index += step) yield* each(tree, index);
  };

/** @param {(first: number) => Generator<any, number[], any>} gang */
const walk = (gang) =>
  function* () {
    for (let first = 0; ; ) {
      const items = yield* gang(first);
      if (items.length === 0) return;
      first = items[items.length - 1] / 2;
    }
  };

/** @type {((size: number, step: number) => Generator<any, any, any>)[]} */
const phases = [
  forEach((root, index) => radixTreeInsert(root, index, index * 2 + 2)),
  forEach((root, index) => radixTreeTagSet(root, index, 0)),
  walk((first) => radixTreeGangLookupTag(tree, first, 64, 0)),
  walk((first) => radixTreeGangLookup(tree, first, 64)),
  forEach(radixTreeDelete),
];

/** @param {number} size @param {number} step */
function measure(size, step) {
  const engine = new SequentialEngine({ words: (1 << 18) + (1 << 22) });
  engine.run(rcuInit(1));
  const items = Math.ceil(size / step);
  const times = PHASES.map(() => Number.POSITIVE_INFINITY);
  for (let round = 0; round < (items > 10_000 ? 2 : 5); round++) {
    for (const [i, phase] of phases.entries()) {
      const start = performance.now();
      engine.run(phase(size, step));
      times[i] = Math.min(times[i], performance.now() - start);
    }
    engine.run(rcuIdle());
  }
  return times.map((ms) => Math.round((ms * 1e6) / items));
}

measure(1 << 12, 1);
console.log(['size', 'step', ...PHASES].map((head) => head.padStart(12)).join(''));
for (const size of SIZES) {
  for (const step of STEPS)
    console.log([size, step, ...measure(size, step)].map((cell) => `${cell}`.padStart(12)).join(''));
}
