// SPDX-License-Identifier: GPL-2.0-only
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { SharedMap, type SharedValue } from '../src/index.js';

let map: SharedMap;
afterEach(() => map[Symbol.dispose]());

const key = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: 0, max: 6 }) },
  { weight: 1, arbitrary: fc.constantFrom(63, 64, 4095, 4096, 2 ** 31, 2 ** 32 - 1) },
);
const value: fc.Arbitrary<SharedValue> = fc.oneof(
  fc.integer(),
  fc.string({ unit: 'grapheme', maxLength: 100 }),
  fc.string({ minLength: 1500, maxLength: 6000 }),
  fc.uint8Array({ maxLength: 300 }),
);
const command = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('set' as const), key, value }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('delete' as const), key }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('update' as const), key, value }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('compare' as const), key, value, right: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('add' as const), key, amount: fc.integer() }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('tag' as const),
      key,
      tag: fc.constantFrom(0 as const, 1 as const),
      on: fc.boolean(),
    }),
  },
);

class Model {
  readonly values = new Map<number, SharedValue>();
  readonly tags = [new Set<number>(), new Set<number>()];
  sorted = (): [number, SharedValue][] => [...this.values].sort(([a], [b]) => a - b);
}

function perform(model: Model, c: typeof command extends fc.Arbitrary<infer T> ? T : never): void {
  const old = model.values.get(c.key);
  if (c.do === 'set') {
    expect(map.set(c.key, c.value)).toBe(map);
    model.values.set(c.key, c.value);
  } else if (c.do === 'delete') {
    expect(map.delete(c.key)).toBe(model.values.delete(c.key));
    for (const tags of model.tags) tags.delete(c.key);
  } else if (c.do === 'update') {
    const seen: unknown[] = [];
    map.update(c.key, (had) => {
      seen.push(had);
      return c.value;
    });
    expect(seen).toEqual([old]);
    model.values.set(c.key, c.value);
  } else if (c.do === 'compare') {
    expect(map.compareAndSet(c.key, c.right ? old : 'something else', c.value)).toBe(c.right);
    if (c.right) model.values.set(c.key, c.value);
  } else if (c.do === 'add') {
    if (old !== undefined && typeof old !== 'number') return expect(() => map.add(c.key, 1)).toThrow(TypeError);
    const sum = ((old ?? 0) + c.amount) | 0;
    expect(map.add(c.key, c.amount)).toBe(sum);
    model.values.set(c.key, sum);
  } else {
    expect(c.on ? map.tag(c.key, c.tag) : map.untag(c.key, c.tag)).toBe(old !== undefined);
    if (c.on && old !== undefined) model.tags[c.tag].add(c.key);
    else model.tags[c.tag].delete(c.key);
  }
}

describe('one thread, against a Map', () => {
  it('behaves alike, and gives all memory back', () => {
    map = SharedMap.create({ bytes: 1 << 24 });
    fc.assert(
      fc.property(fc.array(command, { maxLength: 40 }), (commands) => {
        map.clear();
        const model = new Model();
        for (const c of commands) {
          perform(model, c);
          expect(map.get(c.key)).toEqual(model.values.get(c.key));
          expect(map.has(c.key)).toBe(model.values.has(c.key));
          expect(map.hasTag(c.key, 1)).toBe(model.tags[1].has(c.key));
        }
        expect(map.size).toBe(model.values.size);
        expect([...map]).toEqual(model.sorted());
        expect([...map.entries(5)]).toEqual(model.sorted().filter(([k]) => k >= 5));
        expect([...map.entries(0, { tag: 0 })]).toEqual(model.sorted().filter(([k]) => model.tags[0].has(k)));
        map.clear();
        expect(map.statistics()).toMatchObject({ size: 0, valueBytes: 0, valueChunks: 0, waitingForReaders: 0 });
      }),
      { numRuns: 60 },
    );
  });

  it('iterates over more than one gang, and what is added behind on the way', () => {
    map = SharedMap.create({ bytes: 1 << 24 });
    for (let i = 0; i < 1000; i++) map.set(i * 3, i);
    const keys: number[] = [];
    for (const k of map.keys(300)) {
      keys.push(k);
      if (k === 300) map.set(2_000_000_000, 'late').delete(303);
    }
    expect(keys[0]).toBe(300);
    expect(keys.at(-1)).toBe(2_000_000_000);
    expect(keys.length).toBeGreaterThanOrEqual(900);
    expect([...map.values(2997)]).toEqual([999, 'late']);
  });
});

describe('what cannot be', () => {
  it('is a clear error, and changes nothing', () => {
    map = SharedMap.create({ bytes: 1 << 24 });
    for (const bad of [-1, 1.5, 2 ** 32, Number.NaN, '1' as unknown as number])
      expect(() => map.get(bad)).toThrow(/a key is an integer from 0 to 4294967295/);
    for (const bad of [1.5, 2 ** 31, -0, null, {}, undefined] as unknown as SharedValue[])
      expect(() => map.set(1, bad)).toThrow(TypeError);
    expect(() => map.tag(1, 2 as 0)).toThrow(RangeError);
    expect(() => SharedMap.attach({} as never)).toThrow(expect.objectContaining({ code: 'ERR_NOT_A_MAP' }));
    map.set(1, 'one');
    expect(() =>
      map.update(1, () => {
        throw new Error('mine');
      }),
    ).toThrow('mine');
    expect([...map]).toEqual([[1, 'one']]);
    map.detach();
    expect(() => map.get(1)).toThrow(expect.objectContaining({ code: 'ERR_DETACHED' }));
    map = SharedMap.create({ bytes: 1 << 24 });
    expect(map.size).toBe(0);
  });

  it('a change without memory leaves the map as it was; what is deleted makes room', async () => {
    map = SharedMap.create({ bytes: 1 << 24 });
    const big = new Uint8Array(100_000).fill(7);
    let stored = 0;
    expect(() => {
      for (; stored < 1000; stored++) map.set(stored, big);
    }).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_MEMORY' }));
    expect(stored).toBeGreaterThan(20);
    expect(map.size).toBe(stored);
    expect(map.get(stored - 1)).toEqual(big);
    await expect(map.setAsync(stored, big)).rejects.toMatchObject({ code: 'ERR_OUT_OF_MEMORY' });
    for (let round = 0; round < 5; round++) {
      for (let i = 0; i < stored; i += 2) map.delete(i);
      for (let i = 0; i < stored; i += 2) await map.setAsync(i, big);
    }
    expect(map.size).toBe(stored);
    expect(await map.deleteAsync(1)).toBe(true);
    expect(await map.updateAsync(3, () => 5)).toBe(5);
  });

  it('several maps share one memory, and one of them may use the other on the way', () => {
    map = SharedMap.create({ bytes: 1 << 24 });
    using other = SharedMap.create();
    map.set(1, 'one');
    other.set(1, 'uno');
    map.update(1, (value) => `${value} ${other.update(1, (old) => `${old}!`)}`);
    expect([map.get(1), other.get(1)]).toEqual(['one uno!', 'uno!']);
  });
});
