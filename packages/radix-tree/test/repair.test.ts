// SPDX-License-Identifier: GPL-2.0-only
import { type Op, omitGuards, type SequentialEngine } from '@lockless/cpu';
import { bootUrcu, rcuBarrier } from '@lockless/rcu';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  radixTreeDelete,
  radixTreeGangLookup,
  radixTreeGangLookupSlot,
  radixTreeInsert,
  radixTreeLookup,
  radixTreeNodeCachep,
  radixTreeRepair,
  radixTreeSettleDoubts,
  radixTreeTagClear,
  radixTreeTagGet,
  radixTreeTagSet,
  radixTreeThreadDied,
} from '../src/index.js';
import { machine, run, tree, verifyTree } from './tree.js';

const settle = (engine: SequentialEngine): void => run(engine, rcuBarrier);

/** An item for each index, the largest ones too. */
const itemOf = (index: number): number => (index % 1_000_003) * 2 + 2;

class Killed extends Error {}

/** A machine whose current operation can be made to end for good at one of its accesses. */
function mortal(without: readonly string[] = []): {
  engine: SequentialEngine;
  killed: (accesses: number, op: () => Op<unknown>) => boolean;
} {
  let left = Number.POSITIVE_INFINITY;
  const engine = machine({
    words: (1 << 18) + (1 << 14),
    onAccess() {
      if (left-- === 0) throw new Killed();
    },
  });
  run(engine, function* (): Op<void> {
    yield* bootUrcu(1);
    omitGuards(without);
  });
  const killed = (accesses: number, op: () => Op<unknown>): boolean => {
    left = accesses;
    try {
      run(engine, op);
      return false;
    } catch (error) {
      if (error instanceof Killed) return true;
      throw error;
    } finally {
      left = Number.POSITIVE_INFINITY;
      engine.cpu.preemptCount = 0;
    }
  };
  return { engine, killed };
}

const index = fc.constantFrom(0, 1, 2, 63, 64, 65, 4095, 4096, 262_144, 2 ** 31, 2 ** 32 - 1);
const victim = fc.oneof(
  fc.record({ do: fc.constantFrom('insert' as const, 'delete' as const), index, tag: fc.constant(0) }),
  fc.record({ do: fc.constantFrom('tag' as const, 'untag' as const), index, tag: fc.constantFrom(0, 1) }),
);

function* perform(c: { do: string; index: number; tag: number }): Op<unknown> {
  if (c.do === 'insert') return yield* radixTreeInsert(tree, c.index, itemOf(c.index));
  if (c.do === 'delete') return yield* radixTreeDelete(tree, c.index);
  if ((yield* radixTreeLookup(tree, c.index)) === 0) return 0;
  return c.do === 'tag' ? yield* radixTreeTagSet(tree, c.index, c.tag) : yield* radixTreeTagClear(tree, c.index, c.tag);
}

/** Kills the operation at each of its accesses in turn, each time in a tree of its own, and looks at what the repair makes of it. */
function diesAnywhere(
  items: readonly number[],
  tagged: readonly number[],
  c: { do: string; index: number; tag: number },
  without: readonly string[] = [],
): void {
  for (let accesses = 0; ; accesses++) {
    const { engine, killed } = mortal(without);
    const live = (): number => engine.heap.live[radixTreeNodeCachep.id] ?? 0;
    run(engine, function* (): Op<void> {
      for (const i of items) yield* radixTreeInsert(tree, i, itemOf(i));
      for (const i of tagged) if (items.includes(i)) yield* radixTreeTagSet(tree, i, 0);
    });
    const died = killed(accesses, () => perform(c));
    const others = items.filter((i) => i !== c.index).sort((a, b) => a - b);
    run(engine, function* (): Op<void> {
      for (const i of others) expect(yield* radixTreeLookup(tree, i)).toBe(itemOf(i)); // before the repair, too
      expect(yield* radixTreeRepair(tree)).toBe((yield* radixTreeGangLookup(tree, 0, 100)).length);
    });
    run(engine, function* (): Op<void> {
      yield* radixTreeThreadDied(0);
      expect(yield* radixTreeSettleDoubts()).toBe(true);
    });
    settle(engine);
    const { nodes, items: found } = verify(engine);
    expect([...found.keys()].filter((i) => i !== c.index).sort((a, b) => a - b)).toEqual(others);
    for (const [i, item] of found) expect(item).toBe(itemOf(i));
    expect(live()).toBe(nodes);
    run(engine, function* (): Op<void> {
      for (const i of others) expect(yield* radixTreeTagGet(tree, i, 0)).toBe(tagged.includes(i));
      for (const i of [...found.keys()]) yield* radixTreeDelete(tree, i);
    });
    settle(engine);
    expect(verify(engine).nodes).toBe(0);
    expect(live()).toBe(0);
    if (!died) return;
  }
}

const verify = (engine: SequentialEngine): ReturnType<typeof verifyTree> =>
  run(engine, function* () {
    return verifyTree(tree);
  });

describe('a writer that dies at any access', () => {
  it('leaves a tree that repair makes whole: other items and their tags are as before, no node is lost', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(index, { maxLength: 4 }),
        fc.array(index, { maxLength: 2 }),
        victim,
        (items, tagged, c) => diesAnywhere(items, tagged, c),
      ),
      { numRuns: 15 },
    );
  });

  it.each([
    ['radixTreeRepair.count', [0, 1], { do: 'insert', index: 2, tag: 0 }],
    ['radixTreeRepair.height', [0, 1], { do: 'insert', index: 64, tag: 0 }],
    ['radixTreeHand.note', [0, 64], { do: 'delete', index: 64, tag: 0 }],
  ] as const)('shows without %s', (guard, items, c) => {
    diesAnywhere(items, [], c);
    expect(() => diesAnywhere(items, [], c, [guard])).toThrow();
  });

  it('a repair of a tree that nothing ails changes nothing', () => {
    const engine = machine();
    run(engine, function* () {
      for (const i of [0, 5, 4096]) yield* radixTreeInsert(tree, i, itemOf(i));
      yield* radixTreeTagSet(tree, 4096, 1);
      const before = engine.words.slice();
      expect(yield* radixTreeRepair(tree)).toBe(3);
      expect(engine.words.every((word, i) => word === before[i])).toBe(true);
    });
  });
});

describe('slots with their indexes', () => {
  it('are those of the items', () => {
    run(machine(), function* () {
      for (const items of [[0], [3, 64, 65, 4096, 2 ** 32 - 1]]) {
        for (const i of items) yield* radixTreeInsert(tree, i, itemOf(i));
        const indices: number[] = [];
        yield* radixTreeGangLookupSlot(tree, 0, 10, indices);
        expect(indices).toEqual(items);
        yield* radixTreeDelete(tree, 0);
      }
    });
  });
});
