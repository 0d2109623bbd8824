// SPDX-License-Identifier: MIT
import {
  engine,
  GFP_KERNEL,
  type KmemCache,
  kmemCacheAlloc,
  kmemCacheFree,
  kmemCacheOf,
  load,
  type Ptr,
  type Ref,
  spinUnlockWord,
  store,
} from '@lockless/cpu/native';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { NativeMachine } from '../src/index.js';
import * as words from './threads/words.mjs';
import { effort, runJob } from './threads.js';

/* The caches as objects of no particular struct. */
const smallCache = words.smallCache as unknown as KmemCache<unknown>;
const largeCache = words.largeCache as unknown as KmemCache<unknown>;
/** An object, which there must be. */
const allocate = (cache: KmemCache<unknown>): Ptr<unknown> => kmemCacheAlloc(cache, GFP_KERNEL) as Ptr<unknown>;

vi.setConfig({ testTimeout: 60_000 * effort });

let machine: NativeMachine;
beforeEach(() => {
  machine = NativeMachine.create({ words: 1 << 21, threads: 4, mayBlock: true });
});
afterEach(() => machine.detach());

const live = (name: string): number => machine.cacheStatistics().find((cache) => cache.name === name)?.live ?? 0;

/** What an allocator must do, against a list of who has what. */
class Model {
  readonly owned: { readonly cache: KmemCache<unknown>; readonly object: number; readonly tag: number }[] = [];

  allocate(cache: KmemCache<unknown>, tag: number): void {
    const object = kmemCacheAlloc(cache, GFP_KERNEL);
    expect(object).not.toBe(0);
    expect(object % 16).toBe(0);
    const end = object + cache.type.$size;
    for (const other of this.owned)
      expect(end <= other.object || object >= other.object + other.cache.type.$size).toBe(true);
    if (!cache.typesafeByRcu)
      for (let word = object as number; word < end; word++) expect(load(word as Ref<number>)).toBe(0);
    for (let word = object as number; word < end; word++) store(word as Ref<number>, tag);
    this.owned.push({ cache, object, tag });
  }

  free(at: number): void {
    if (this.owned.length === 0) return;
    const [{ cache, object, tag }] = this.owned.splice(at % this.owned.length, 1);
    for (let word = object; word < object + cache.type.$size; word++) expect(load(word as Ref<number>)).toBe(tag);
    kmemCacheFree(cache, object as Ptr<unknown>);
  }
}

describe('the slab allocator', () => {
  it('gives each object to one owner, as it should be, and forgets none', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.constantFrom('small', 'large'), fc.nat({ max: 50 })), { maxLength: 200 }),
        (steps) => {
          const model = new Model();
          for (const [tag, step] of steps.entries()) {
            if (typeof step === 'number') model.free(step);
            else model.allocate(step === 'small' ? smallCache : largeCache, tag + 1);
            for (const [name, cache] of [
              ['small', smallCache],
              ['large', largeCache],
            ] as const)
              expect(live(name)).toBe(model.owned.filter((each) => each.cache.id === cache.id).length);
          }
          while (model.owned.length > 0) model.free(0);
          expect(live('small') + live('large')).toBe(0);
        },
      ),
    );
  });

  it('reuses what was freed: memory does not grow', () => {
    const before = allocate(smallCache);
    kmemCacheFree(smallCache, before);
    const free = machine.freeWords();
    for (let i = 0; i < 10_000; i++) kmemCacheFree(smallCache, allocate(smallCache));
    expect(machine.freeWords()).toBe(free);
  });

  it('leaves the words of a type-stable object as they were', () => {
    const object = allocate(largeCache);
    store(object as unknown as Ref<number>, 77);
    kmemCacheFree(largeCache, object);
    expect(allocate(largeCache)).toBe(object);
    expect(load(object as unknown as Ref<number>)).toBe(77);
  });

  it('refuses a second free, a free by the wrong cache, and of what is no object', () => {
    const object = allocate(smallCache);
    expect(() => kmemCacheFree(largeCache, object)).toThrow(/kmem_cache_free\(large\): \d+ is a small/);
    expect(() => kmemCacheFree(smallCache, (object + 1) as Ptr<unknown>)).toThrow(/no such object/);
    expect(() => kmemCacheFree(smallCache, 64 as Ptr<unknown>)).toThrow(/no such object/);
    kmemCacheFree(smallCache, object);
    expect(() => kmemCacheFree(smallCache, object)).toThrow(/free already/);
    expect(live('small')).toBe(0);
  });

  it('says NULL when memory is used up, and goes on when some is free again', () => {
    const objects: Ptr<unknown>[] = [];
    for (let object: Ptr<unknown>; (object = allocate(largeCache)) !== (0 as number); ) objects.push(object);
    expect(objects.length).toBeGreaterThan(1000);
    expect(machine.freeWords()).toBeLessThan(48);
    expect(() => engine.reserve(100)).toThrow(
      expect.objectContaining({ code: 'ERR_OUT_OF_MEMORY', message: expect.stringContaining('no room for 100 words') }),
    );
    kmemCacheFree(largeCache, objects[5]);
    expect(allocate(largeCache)).toBe(objects[5]);
  });

  it('is shared by threads: no object has two owners, and all come back', async () => {
    await runJob(machine, 'objects', 3, 20_000 * effort);
    expect(live('small') + live('large')).toBe(0);
    // Three threads had about twenty each at a time.
    for (const cache of machine.cacheStatistics()) expect(cache.made).toBeLessThan(20_000);
  });
});

it('the objects of a cache that are in use can be listed', () => {
  const objects = Array.from({ length: 5 }, () => allocate(smallCache));
  allocate(largeCache);
  kmemCacheFree(smallCache, objects[1]);
  expect([...machine.objectsOf(smallCache)]).toEqual([objects[0], ...objects.slice(2)].sort((a, b) => a - b));
});

describe('a cache whose user died', () => {
  class Killed extends Error {}
  interface Inside {
    words: Int32Array;
    repair(lock: number): void;
  }

  /** Has the slab die at its n-th store, holding the lock, and repairs; false: it did not come to so many. */
  function diesAt(stores: number, work: () => void): boolean {
    const { slab } = (machine as unknown as { engine: { slab: Inside } }).engine;
    const { words: shared } = slab;
    let left = stores;
    slab.words = new Proxy(shared, {
      get: (target, index) => Reflect.get(target, index, target),
      set(target, index, value) {
        if (left-- === 0) throw new Killed();
        target[Number(index)] = value;
        return true;
      },
    });
    try {
      work();
      return false;
    } catch (error) {
      if (!(error instanceof Killed)) throw error;
      return true;
    } finally {
      slab.words = shared;
      const { control } = kmemCacheOf(largeCache.id) as NonNullable<ReturnType<typeof kmemCacheOf>>;
      slab.repair(control);
      if (machine.words[control] !== 0) spinUnlockWord(control);
    }
  }

  it.each(['taking', 'giving back'])('at any store, %s an object, lost none', (what) => {
    const made = 5;
    for (let stores = 0, died = true; died; stores++) {
      const objects = Array.from({ length: made }, () => allocate(largeCache));
      const last = objects.pop() as Ptr<unknown>;
      if (what === 'taking') {
        kmemCacheFree(largeCache, last);
        died = diesAt(stores, () => objects.push(allocate(largeCache)));
      } else {
        died = diesAt(stores, () => kmemCacheFree(largeCache, last));
        // Before its first store it did not give it back; then it is an object that nobody knows of, as ever.
        if (live(largeCache.type.$name) === made) kmemCacheFree(largeCache, last);
      }
      expect(live(largeCache.type.$name)).toBe(objects.length);
      for (const object of objects) kmemCacheFree(largeCache, object);
      const again = Array.from({ length: made }, () => allocate(largeCache));
      expect(new Set(again).size).toBe(made);
      expect(machine.cacheStatistics().find(({ name }) => name === largeCache.type.$name)?.made).toBe(made);
      for (const object of again) kmemCacheFree(largeCache, object);
      expect(stores).toBeLessThan(10);
    }
  });
});
