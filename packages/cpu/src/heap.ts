// SPDX-License-Identifier: MIT
import { KernelBug } from './bug.js';
import type { KmemCache } from './kmem-cache.js';
import { STATIC_WORDS, staticSymbolAt, staticSymbols } from './memory.js';
import { kmemCacheOf } from './slab.js';
import { fieldAt, type Layout } from './struct.js';
import { CACHE_LINE_WORDS, NULL_GUARD_WORDS } from './word.js';

const UNALLOCATED = 0;
const LIVE = 1;
const FREED = 2;
/** First word of a freed object of a type-stable cache: free, but who is inside RCU may touch it. */
const FREED_STABLE = 3;

/** An object that an address lies in. */
export interface Located {
  /** Cache or symbol name. */
  readonly name: string;
  /** First word of the object. */
  readonly base: number;
  readonly layout: Layout | null;
  /** Position in an array of boot memory (of a page in mem_map: its frame number), otherwise null. */
  readonly index: number | null;
}

/** An array of structs in boot memory. */
interface BootArray {
  readonly base: number;
  readonly size: number;
  readonly element: Layout;
}

/**
 * The kernel heap behind {@link kmemCacheAlloc}, shared by the engines: allocation, and what each word is, so that a touch of freed
 * or unallocated memory is found at the access. Time and space per operation are constant; freed objects are reused last freed, last used
 * (first in, first out), so that a stale pointer meets freed memory rather than its successor.
 */
export class Heap {
  readonly words: Int32Array;
  /** Bytes of state, one a word. */
  private readonly state: Uint8Array;
  /** Cache id + 1 at the first word of each heap object. */
  private readonly owner: Uint16Array;
  private readonly free: number[][] = [];
  private readonly freeHead: number[] = [];
  private readonly arrays: BootArray[] = [];
  private top = STATIC_WORDS;
  /** Live objects per cache id. */
  readonly live: number[] = [];

  constructor(words: Int32Array) {
    if (words.length <= STATIC_WORDS)
      throw new RangeError(`memory of ${words.length} words has no room for a heap after ${STATIC_WORDS} static words`);
    this.words = words;
    this.state = new Uint8Array(words.length);
    this.owner = new Uint16Array(words.length / CACHE_LINE_WORDS + 1);
    for (const symbol of staticSymbols()) this.state.fill(LIVE, symbol.address, symbol.address + symbol.size);
  }

  /** First word that was never allocated. */
  get end(): number {
    return this.top;
  }

  /**
   * Boot memory for arrays whose size is known at boot only (mem_map): `size` words, zeroed, never freed; `element` is what it is an array of,
   * for reports. Throws RangeError when full.
   */
  reserve(size: number, element?: Layout): number {
    const base = this.bump(size);
    if (base === 0)
      throw new RangeError(`no room for ${size} words: the memory has ${this.words.length}, ${this.top} are taken`);
    this.state.fill(LIVE, base, base + size);
    if (element !== undefined) this.arrays.push({ base, size, element });
    return base;
  }

  /** A zeroed object, or 0 when the memory is used up. */
  allocate(id: number): number {
    const cache = kmemCacheOf(id);
    const base = this.reuse(cache) || this.bump(cache.type.$size, cache.align);
    if (base === 0) return 0;
    if (!cache.typesafeByRcu || this.state[base] === UNALLOCATED) this.words.fill(0, base, base + cache.type.$size);
    this.state.fill(LIVE, base, base + cache.type.$size);
    this.owner[base / CACHE_LINE_WORDS] = id + 1;
    this.live[id] = (this.live[id] ?? 0) + 1;
    return base;
  }

  /** Gives an object back. Throws KernelBug on a double free or a pointer that is no object of that cache. */
  release(base: number, id: number): void {
    const cache = kmemCacheOf(id);
    if (this.owner[base / CACHE_LINE_WORDS] !== id + 1 || base % CACHE_LINE_WORDS !== 0) {
      throw new KernelBug('bad-free', `kmem_cache_free(${cache.type.$name}): ${this.describe(base)} is no such object`);
    }
    if (this.state[base] !== LIVE)
      throw new KernelBug(
        'double-free',
        `kmem_cache_free(${cache.type.$name}): ${this.describe(base)} is free already`,
      );
    // A type-stable object may still be used by RCU readers, its first word (often a lock) too: only freeing it twice is an error.
    if (cache.typesafeByRcu) this.state[base] = FREED_STABLE;
    else this.state.fill(FREED, base, base + cache.type.$size);
    (this.free[id] ??= []).push(base);
    this.live[id] -= 1;
  }

  /** Throws KernelBug when nobody may touch that word. */
  check(address: number): void {
    const state = this.state[address];
    if (state !== LIVE && state !== FREED_STABLE) this.complain(address);
  }

  /** The object at an address, for reports. */
  locate(address: number): Located | null {
    const symbol = staticSymbolAt(address);
    if (symbol !== null) return { name: symbol.name, base: symbol.address, layout: symbol.layout, index: null };
    for (const { base, size, element } of this.arrays) {
      const index = Math.floor((address - base) / element.$size);
      if (address >= base && address < base + size)
        return { name: element.$name, base: base + index * element.$size, layout: element, index };
    }
    for (
      let line = Math.floor(address / CACHE_LINE_WORDS);
      line >= STATIC_WORDS / CACHE_LINE_WORDS && address - line * CACHE_LINE_WORDS < 4096;
      line--
    ) {
      // Not every number that is described is an address: it may lie beyond the memory.
      const id = this.owner[line] ?? 0;
      if (id === 0) continue;
      const { type } = kmemCacheOf(id - 1);
      const base = line * CACHE_LINE_WORDS;
      return address < base + type.$size ? { name: type.$name, base, layout: type, index: null } : null;
    }
    return null;
  }

  /** `page[7].flags`, `radix_tree_node@263000.count`, or the bare address when it lies in no object. */
  describe(address: number): string {
    const at = this.locate(address);
    if (at === null) return `word ${address}`;
    const offset = address - at.base;
    const field = at.layout === null ? '' : fieldAt(at.layout, offset);
    const suffix = field !== '' ? `.${field}` : offset === 0 ? '' : `+${offset}`;
    if (at.index !== null) return `${at.name}[${at.index}]${suffix}`;
    return at.base < STATIC_WORDS ? `${at.name}${suffix}` : `${at.name}@${at.base}${suffix}`;
  }

  private reuse(cache: KmemCache<unknown>): number {
    const queue = this.free[cache.id];
    if (queue === undefined) return 0;
    const head = this.freeHead[cache.id] ?? 0;
    if (head >= queue.length) return 0;
    const base = queue[head];
    this.freeHead[cache.id] = head + 1;
    if (head > 1024 && head * 2 > queue.length) {
      queue.splice(0, head + 1);
      this.freeHead[cache.id] = 0;
    }
    return base;
  }

  private bump(size: number, align = CACHE_LINE_WORDS): number {
    const base = Math.ceil(this.top / align) * align;
    const end = base + Math.ceil(size / CACHE_LINE_WORDS) * CACHE_LINE_WORDS;
    if (end > this.words.length) return 0;
    this.top = end;
    return base;
  }

  private complain(address: number): never {
    if (address >= 0 && address < NULL_GUARD_WORDS)
      throw new KernelBug('null-dereference', `null pointer dereference (word ${address})`);
    if (this.state[address] === FREED)
      throw new KernelBug('use-after-free', `use after free: ${this.describe(address)}`);
    throw new KernelBug('wild-access', `access outside every object: word ${address}`);
  }
}
