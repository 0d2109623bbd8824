// SPDX-License-Identifier: MIT
import {
  CACHE_LINE_WORDS,
  KernelBug,
  type KmemCache,
  kmemCacheOf,
  loadedSegments,
  SEGMENT_IDS,
  spinLockWord,
  spinUnlockWord,
  thisCpu,
} from '@lockless/cpu/native';
import { NativeError } from './errors.js';
import { Machine, machineWords } from './layout.js';

/*
 * The slab allocator, all in shared words. For each cache line of the heap there is a link: of the first line of an object, -(cache + 1) while it is in
 * use, and the next free object of the cache (a line's number; 0 is none) while it is free. So a second free, and a free of what is no object, are found
 * at once, and the words of a free object stay as they were, as type-stable caches need.
 *
 * Every change of a free list is made by one store, so a thread that dies in the middle leaves it whole. The object that it was moving, off the list or onto it, stands in
 * a word of the cache meanwhile, and whoever finds the thread dead puts it back: see repair().
 */

/** Offsets in a cache's control words. */
const LOCK = 0;
const FREE = 1;
const LIVE = 2;
const MADE = 3;
/** Line of the object that is between its user and the free list, or 0. */
const MOVING = 4;

/** What a cache holds. */
export interface CacheStatistics {
  readonly name: string;
  /** Objects in use. */
  readonly live: number;
  /** Objects that were ever made: in use or free. */
  readonly made: number;
  /** Words of one object, as it lies in memory. */
  readonly words: number;
}

/** The caches of the packages that this thread has loaded. */
export function allCaches(): NonNullable<ReturnType<typeof kmemCacheOf>>[] {
  const found: NonNullable<ReturnType<typeof kmemCacheOf>>[] = [];
  for (const { number } of loadedSegments())
    for (let id = number * SEGMENT_IDS, cache = kmemCacheOf(id); cache !== undefined; cache = kmemCacheOf(++id))
      found.push(cache);
  return found;
}

export class Slab {
  private readonly words: Int32Array;
  private readonly links: number;
  private readonly heap: number;

  constructor(words: Int32Array) {
    this.words = words;
    this.links = words[Machine.links(machineWords)];
    this.heap = words[Machine.heap(machineWords)];
  }

  /** An object, zeroed unless the cache is type-stable and it was used before; 0 when memory is used up. */
  allocate(id: number): number {
    const { words } = this;
    const cache = this.cacheOf(id);
    const { control } = cache;
    const size = cache.type.$size;
    spinLockWord(control + LOCK);
    const line = words[control + FREE];
    const base = line !== 0 ? this.heap + line * CACHE_LINE_WORDS : this.make(size, cache.align);
    if (base !== 0) {
      const link = this.linkOf(base);
      words[control + MOVING] = this.lineOf(base);
      if (line !== 0) words[control + FREE] = words[link];
      else words[control + MADE] += 1;
      words[link] = -(id + 1);
      words[control + LIVE] += 1;
      if (cache.hand !== null) words[cache.hand(thisCpu.id)] = base;
      words[control + MOVING] = 0;
    }
    spinUnlockWord(control + LOCK);
    if (line !== 0 && !cache.typesafeByRcu) words.fill(0, base, base + size);
    return base;
  }

  /** Gives an object back. Throws KernelBug when it is free already, or none of that cache. */
  release(id: number, base: number): void {
    const { words } = this;
    const { control, type, hand } = this.cacheOf(id);
    const link = this.linkOf(base);
    spinLockWord(control + LOCK);
    const state = this.isObject(base) ? words[link] : 0;
    if (state === -(id + 1)) {
      words[control + MOVING] = this.lineOf(base);
      words[link] = words[control + FREE];
      words[control + FREE] = this.lineOf(base);
      words[control + LIVE] -= 1;
      this.emptyHand(hand, base);
      words[control + MOVING] = 0;
    }
    spinUnlockWord(control + LOCK);
    if (state !== -(id + 1)) this.complain(type.$name, base, state);
  }

  /**
   * Puts a cache in order whose lock's holder died: the object that it was taking or giving back is free, and the counts are what the links say. (Lost are words that it
   * had just taken for an object from those that nobody had before.) *Context*: the cache's lock.
   */
  repair(lock: number): void {
    const { words } = this;
    const control = lock - LOCK;
    const moving = words[control + MOVING];
    const free = new Set<number>();
    for (let line = words[control + FREE]; line !== 0; line = words[this.links + line]) free.add(line);
    if (moving !== 0 && !free.has(moving)) {
      words[this.links + moving] = words[control + FREE];
      words[control + FREE] = moving;
      free.add(moving);
    }
    const cache = allCaches().find((each) => each.control === control);
    if (moving !== 0) this.emptyHand(cache?.hand ?? null, this.heap + moving * CACHE_LINE_WORDS);
    words[control + MOVING] = 0;
    // Of a package that this thread has not loaded: nobody here looks at its counts.
    if (cache === undefined) return;
    words[control + LIVE] = [...this.objects(cache.id)].length;
    words[control + MADE] = words[control + LIVE] + free.size;
  }

  /** An object is free: this CPU, which may be a dead one, has it in hand no more. */
  private emptyHand(hand: KmemCache<unknown>['hand'], base: number): void {
    if (hand !== null && this.words[hand(thisCpu.id)] === base) this.words[hand(thisCpu.id)] = 0;
  }

  /** Zeroed words that are never freed. Throws NativeError when they are used up. */
  reserve(size: number): number {
    const base = this.make(size, CACHE_LINE_WORDS);
    if (base === 0) {
      const left = this.words.length - Atomics.load(this.words, Machine.top(machineWords));
      throw new NativeError(
        'ERR_OUT_OF_MEMORY',
        `no room for ${size} words: the machine has ${this.words.length}, of which ${left} are left; create it with more words`,
      );
    }
    return base;
  }

  /** The cache that the object at or around an address belongs to, and where it begins; null when there is none. */
  objectAt(address: number): { readonly cache: KmemCache<unknown>; readonly base: number } | null {
    const line = Math.floor((address - this.heap) / CACHE_LINE_WORDS);
    for (let at = line; at > 0 && at > line - 256; at--) {
      const state = this.words[this.links + at];
      const cache = state < 0 ? kmemCacheOf(-state - 1) : undefined;
      if (cache === undefined) continue;
      const base = this.heap + at * CACHE_LINE_WORDS;
      return address < base + cache.type.$size ? { cache, base } : null;
    }
    return null;
  }

  /** The objects of a cache that are in use, by ascending address: for who looks for what the dead have left. Exact while nobody allocates. */
  *objects(id: number): Generator<number> {
    const end = (Atomics.load(this.words, Machine.top(machineWords)) - this.heap) / CACHE_LINE_WORDS;
    for (let line = 1; line < end; line++)
      if (this.words[this.links + line] === -(id + 1)) yield this.heap + line * CACHE_LINE_WORDS;
  }

  statistics(id: number): CacheStatistics {
    const { control, type } = this.cacheOf(id);
    return {
      name: type.$name,
      live: this.words[control + LIVE],
      made: this.words[control + MADE],
      words: Math.ceil(type.$size / CACHE_LINE_WORDS) * CACHE_LINE_WORDS,
    };
  }

  private cacheOf(id: number): NonNullable<ReturnType<typeof kmemCacheOf>> {
    const cache = kmemCacheOf(id);
    if (cache === undefined)
      throw new Error(`no slab cache has the number ${id} in this thread: its package is not loaded`);
    return cache;
  }

  private lineOf(base: number): number {
    return (base - this.heap) / CACHE_LINE_WORDS;
  }

  private linkOf(base: number): number {
    return this.links + this.lineOf(base);
  }

  private isObject(base: number): boolean {
    return base > this.heap && base < this.words.length && (base - this.heap) % CACHE_LINE_WORDS === 0;
  }

  /** Words that nobody had before, or 0. */
  private make(size: number, align: number): number {
    const top = Machine.top(machineWords);
    for (;;) {
      const before = Atomics.load(this.words, top);
      const base = Math.ceil(before / align) * align;
      const end = base + Math.ceil(size / CACHE_LINE_WORDS) * CACHE_LINE_WORDS;
      if (end > this.words.length) return 0;
      if (Atomics.compareExchange(this.words, top, before, end) === before) return base;
    }
  }

  private complain(name: string, base: number, state: number): never {
    const found = this.isObject(base) && state < 0 ? kmemCacheOf(-state - 1)?.type.$name : undefined;
    if (found !== undefined) throw new KernelBug('bad-free', `kmem_cache_free(${name}): ${base} is a ${found}`);
    if (this.isObject(base) && this.words[this.linkOf(base)] >= 0 && base < this.words[Machine.top(machineWords)])
      throw new KernelBug('double-free', `kmem_cache_free(${name}): ${name}@${base} is free already, or no object`);
    throw new KernelBug('bad-free', `kmem_cache_free(${name}): ${base} is no such object`);
  }
}
