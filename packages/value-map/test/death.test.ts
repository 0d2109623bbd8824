// SPDX-License-Identifier: GPL-2.0-only
import { type Op, omitGuards, peek, poke, type SpinLock } from '@lockless/cpu';
import { radixTreeSettleDoubts, radixTreeThreadDied } from '@lockless/radix-tree';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ValueMap, valueMapSize, valueMapTakeOver, valueMapThreadDied } from '../src/index.js';
import { all, booted, type Plain, put } from './plain.js';

class Killed extends Error {}

const index = fc.constantFrom(0, 1, 64, 4096);
const plain: fc.Arbitrary<Plain | undefined> = fc.constantFrom(
  5,
  2 ** 30,
  { bytes: 20, fill: 7 },
  { bytes: 6000, fill: 8 },
  undefined,
);

/** Kills `put(...victim)` at each of its accesses in turn; then another goes on. */
function diesAnywhere(
  before: readonly (readonly [number, Plain | undefined])[],
  victim: readonly [number, Plain | undefined],
  without: readonly string[] = [],
): void {
  for (let accesses = 0; ; accesses++) {
    let left = Number.POSITIVE_INFINITY;
    let last = 0;
    const { engine, map, run, chunks, nodes } = booted({
      onAccess(name, address) {
        // The words of a value, one after the other, are one occasion.
        const next = name === 'store' && address === last + 1;
        last = address;
        if (!next && left-- === 0) throw new Killed();
      },
    });
    run(function* (): Op<void> {
      omitGuards(without);
      for (const [i, value] of before) yield* put(map, i, value);
    });
    const others = run(() => all(map)).filter(([i]) => i !== victim[0]);
    left = accesses;
    let died = false;
    try {
      run(() => put(map, ...victim));
    } catch (error) {
      if (!(error instanceof Killed)) throw error;
      died = true;
    }
    left = Number.POSITIVE_INFINITY;
    engine.cpu.preemptCount = 0;
    run(function* (): Op<void> {
      expect((yield* all(map)).filter(([i]) => i !== victim[0])).toEqual(others); // before any repair
      if (peek(ValueMap.lock(map)) !== 0) {
        yield* valueMapTakeOver(map, 0);
        poke(ValueMap.lock(map), 0 as SpinLock);
      } else yield* valueMapThreadDied(0);
      yield* radixTreeThreadDied(0);
      expect(yield* radixTreeSettleDoubts()).toBe(true);
      const found = yield* all(map);
      expect(found.filter(([i]) => i !== victim[0])).toEqual(others);
      const earlier = before.findLast(([i]) => i === victim[0])?.[1];
      const value = found.find(([i]) => i === victim[0])?.[1];
      expect([earlier, victim[1]]).toContainEqual(value);
      expect(yield* valueMapSize(map)).toBe(found.length);
      for (const [i] of found) yield* put(map, i, undefined);
      expect(yield* all(map)).toEqual([]);
    });
    // One chunk of a value may be lost (between its allocation and the note of it, or between the erasure of the note and call_rcu).
    const lost = chunks();
    expect(lost).toBeLessThanOrEqual(victimChunks([...before.map(([, value]) => value), victim[1]]));
    expect(nodes()).toBe(0);
    if (!died) {
      expect(lost).toBe(0);
      return;
    }
    deaths.push(lost);
  }
}

/** Chunks that a value in hand can consist of. */
const victimChunks = (values: readonly (Plain | undefined)[]): number =>
  values.some((value) => typeof value === 'object' && value.bytes > 4000) ? 2 : 1;

/** Chunks lost in each death. */
let deaths: number[] = [];

describe('a writer that dies at any access', () => {
  it('leaves a map that is whole after the repair: the change took place or did not, and hardly anything is lost', () => {
    deaths = [];
    fc.assert(
      fc.property(fc.array(fc.tuple(index, plain), { maxLength: 3 }), fc.tuple(index, plain), (before, victim) =>
        diesAnywhere(before, victim),
      ),
      {
        numRuns: 15,
      },
    );
    const losing = deaths.filter((lost) => lost > 0).length;
    expect(losing).toBeLessThan(deaths.length / 4);
  });

  it.each(['valueMapThreadDied.settle', 'valueMapThreadDied.slot'])('shows without %s', (guard) => {
    const replaced = [
      [0, { bytes: 6000, fill: 3 }],
      [1, 2],
    ] as const;
    const counts = (without: readonly string[]): number => {
      deaths = [];
      for (const victim of [
        [0, { bytes: 6000, fill: 4 }],
        [2, 9],
      ] as const)
        diesAnywhere(replaced, victim, without);
      return deaths.filter((lost) => lost > 0).length;
    };
    const lost = counts([]);
    let found = false;
    try {
      found = counts([guard]) > lost + 5;
    } catch {
      found = true;
    }
    expect(found).toBe(true);
  });
});
