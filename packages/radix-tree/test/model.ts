// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ref } from '@lockless/cpu';
import { EEXIST } from '@lockless/mm-types';
import fc from 'fast-check';
import { expect } from 'vitest';
import type { Tree } from './kernel-case.js';
import { itemAt, machine, run, settle, tree, verifyTree } from './tree.js';

const MAX = 2 ** 32 - 1;

/** What the tree should be: a sorted map and two sets. */
class Model {
  readonly items = new Map<number, number>();
  readonly tags = [new Set<number>(), new Set<number>()];

  ascending(first: number, max: number, tag?: number): number[] {
    const indexes = [...(tag === undefined ? this.items.keys() : this.tags[tag])];
    return indexes
      .filter((index) => index >= first)
      .sort((a, b) => a - b)
      .slice(0, max)
      .map((index) => this.items.get(index) ?? Number.NaN);
  }

  hole(index: number, scan: number, step: 1 | -1): number {
    for (; scan > 0 && this.items.has(index); scan--) {
      if (index === (step === 1 ? MAX : 0)) return step === 1 ? 0 : MAX;
      index += step;
    }
    return index;
  }
}

type Command =
  | { do: 'insert' | 'delete' | 'lookup' | 'replace'; index: number }
  | { do: 'set' | 'clear' | 'get'; index: number; tag: number }
  | { do: 'gang' | 'gangTag'; index: number; tag: number; max: number }
  | { do: 'hole'; index: number; max: number }
  | { do: 'range'; index: number; last: number; max: number; tag: number };

/** Indexes close together and at the edges of every level, so that commands meet; and any others. */
const index = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 5 }) },
  { weight: 3, arbitrary: fc.integer({ min: 60, max: 66 }) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(127, 128, 4094, 4095, 4096, 4097, 262143, 262144, 2 ** 24, 2 ** 30 - 1, 2 ** 30),
  },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 20_000 }) },
  { weight: 1, arbitrary: fc.constantFrom(2 ** 31, MAX - 1, MAX) },
);
const tag = fc.constantFrom(0, 1);
const max = fc.integer({ min: 0, max: 12 });
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom('insert' as const, 'delete' as const), index }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constantFrom('set' as const, 'clear' as const, 'get' as const), index, tag }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('lookup' as const, 'replace' as const), index }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('gang' as const, 'gangTag' as const), index, tag, max }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('hole' as const), index, max }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('range' as const), index, last: index, max, tag }) },
);

function* derefAll(t: Tree, slots: Ref<number>[]): Op<number[]> {
  const items = [];
  for (const slot of slots) items.push(yield* t.radixTreeDerefSlot(slot));
  return items;
}

function* perform(t: Tree, model: Model, c: Command, serial: number): Op<void> {
  const { items, tags } = model;
  const present = items.get(c.index) ?? 0;
  switch (c.do) {
    case 'insert':
      expect(yield* t.radixTreeInsert(tree, c.index, itemAt(serial))).toBe(present ? -EEXIST : 0);
      if (!present) items.set(c.index, itemAt(serial));
      return;
    case 'delete':
      expect(yield* t.radixTreeDelete(tree, c.index)).toBe(present);
      items.delete(c.index);
      for (const set of tags) set.delete(c.index);
      return;
    case 'lookup':
      expect(yield* t.radixTreeLookup(tree, c.index)).toBe(present);
      return;
    case 'replace': {
      const slot = yield* t.radixTreeLookupSlot(tree, c.index);
      if (slot === 0) return expect(present).toBe(0);
      expect(yield* t.radixTreeDerefSlot(slot)).toBe(present);
      yield* t.radixTreeReplaceSlot(slot, itemAt(serial));
      items.set(c.index, itemAt(serial));
      return;
    }
    case 'set': {
      // An index that has an item: this one, or another by its number.
      const index = present ? c.index : [...items.keys()][c.index % items.size];
      if (index === undefined) return;
      expect(yield* t.radixTreeTagSet(tree, index, c.tag)).toBe(items.get(index));
      tags[c.tag].add(index);
      return;
    }
    case 'clear': {
      const index = present ? c.index : ([...tags[c.tag]][c.index % tags[c.tag].size] ?? c.index);
      expect(yield* t.radixTreeTagClear(tree, index, c.tag)).toBe(items.get(index) ?? 0);
      tags[c.tag].delete(index);
      return;
    }
    case 'get':
      expect(yield* t.radixTreeTagGet(tree, c.index, c.tag)).toBe(tags[c.tag].has(c.index));
      return;
    case 'gang':
      expect(yield* t.radixTreeGangLookup(tree, c.index, c.max)).toEqual(model.ascending(c.index, c.max));
      expect(yield* derefAll(t, yield* t.radixTreeGangLookupSlot(tree, c.index, c.max))).toEqual(
        model.ascending(c.index, c.max),
      );
      return;
    case 'gangTag': {
      const wanted = model.ascending(c.index, c.max, c.tag);
      expect(yield* t.radixTreeGangLookupTag(tree, c.index, c.max, c.tag)).toEqual(wanted);
      expect(yield* derefAll(t, yield* t.radixTreeGangLookupTagSlot(tree, c.index, c.max, c.tag))).toEqual(wanted);
      return;
    }
    case 'hole':
      expect(yield* t.radixTreeNextHole(tree, c.index, c.max)).toBe(model.hole(c.index, c.max, 1));
      expect(yield* t.radixTreePrevHole(tree, c.index, c.max)).toBe(model.hole(c.index, c.max, -1));
      return;
    case 'range': {
      const chosen = [...tags[c.tag]].filter((i) => i >= c.index && i <= c.last).sort((a, b) => a - b);
      const { tagged, next } = yield* t.radixTreeRangeTagIfTagged(tree, c.index, c.last, c.max, c.tag, 1 - c.tag);
      expect(tagged).toBe(Math.min(chosen.length, c.max));
      if (chosen.length < c.max) expect(next).toBe(c.last === MAX ? 0 : c.last + 1);
      for (const i of chosen.slice(0, c.max)) tags[1 - c.tag].add(i);
    }
  }
}

/** Cheaper than toEqual(), which is asked for the message only. */
const sameItems = (a: Map<number, number>, b: Map<number, number>): boolean =>
  a.size === b.size && [...a].every(([index, item]) => b.get(index) === item);

function* performAll(t: Tree, commands: Command[]): Op<void> {
  const model = new Model();
  let serial = 0;
  for (const c of commands) {
    yield* perform(t, model, c, serial++);
    const { items } = verifyTree(tree);
    if (!sameItems(items, model.items)) expect(items).toEqual(model.items);
    for (const each of [0, 1]) {
      if ((yield* t.radixTreeTagged(tree, each)) !== model.tags[each].size > 0)
        throw new Error(`tag ${each} of the root`);
    }
  }
  for (const i of model.items.keys()) yield* t.radixTreeDelete(tree, i);
}

/** The tree behaves as a map and two sets do, command by command, and leaves no node behind. */
export function behavesAsModel(t: Tree, parameters: fc.Parameters<[Command[]]>): void {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 80, size: 'max' }), (commands) => {
      let accesses = 0;
      const onAccess = (): void => {
        if (++accesses > 1_000_000) throw new Error('livelock: a tree operation that does not end');
      };
      const engine = machine({ words: (1 << 18) + (1 << 16), onAccess });
      run(engine, () => performAll(t, commands));
      settle(engine);
      expect(engine.heap.live[t.radixTreeNodeCachep.id] ?? 0).toBe(0);
    }),
    parameters,
  );
}
