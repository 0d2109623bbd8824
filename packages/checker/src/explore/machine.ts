// SPDX-License-Identifier: MIT
import type { Op, Ptr } from '@lockless/cpu';
import {
  CACHE_LINE_WORDS,
  installEngine,
  KernelBug,
  kmemCacheOf,
  NULL_GUARD_WORDS,
  SequentialEngine,
  STATIC_WORDS,
  staticSymbols,
  TaskStruct,
} from '@lockless/cpu';

/** Words after the static segment: what setup allocates, then what threads do. */
const HEAP_WORDS = 1 << 19;

/** What an object of a thread's allocation is. */
export interface HeapObject {
  readonly base: number;
  readonly size: number;
  readonly cache: number;
}

/**
 * Memory as setup left it, which no execution changes: what threads write is in graphs. Objects that threads allocate lie after what setup
 * allocated; each (thread, how many it allocated before, cache) has an address of its own, so that an address says everything about the object
 * and stays the same in every execution. Nothing is reused once it is freed, not even in a cache that is SLAB_DESTROY_BY_RCU (whose freed objects may be
 * touched): that an object of such a cache comes back as another is something that threads have to play themselves.
 */
export class Machine {
  readonly sequential: SequentialEngine;
  readonly words: Int32Array;
  /** Boot's task, and one for each thread. */
  readonly tasks: Ptr<TaskStruct>[] = [];
  private readonly first: number;
  private top: number;
  private readonly byKey = new Map<string, HeapObject>();
  /** By cache line. */
  private readonly byLine = new Map<number, HeapObject>();
  private readonly bases = new Map<number, number>();
  private readonly checked = new Set<number>();

  constructor(setup: () => Op<unknown>, threads: number, keep: (shared: unknown) => void) {
    this.sequential = new SequentialEngine({ words: STATIC_WORDS + HEAP_WORDS });
    this.words = this.sequential.words;
    keep(this.sequential.run(setup()));
    const { heap, cpu } = this.sequential;
    const boot = cpu.current as Ptr<TaskStruct>;
    this.tasks.push(boot);
    for (let i = 0; i < threads; i++) {
      const task = heap.reserve(TaskStruct.$size + CACHE_LINE_WORDS) as Ptr<TaskStruct>;
      this.words.copyWithin(task, boot, boot + TaskStruct.$size);
      this.words[TaskStruct.pid(task)] = i + 2;
      this.words[TaskStruct.tgid(task)] = i + 2;
      this.tasks.push(task);
    }
    this.first = heap.end;
    this.top = heap.end;
  }

  /** The object that a thread gets that has allocated `ordinal` others before. 0 when the memory is used up. */
  allocate(thread: number, ordinal: number, cache: number): number {
    const key = `${thread} ${ordinal} ${cache}`;
    const known = this.byKey.get(key);
    if (known !== undefined) return known.base;
    const { type, align } = kmemCacheOf(cache);
    const size = type.$size;
    const base = Math.ceil(this.top / align) * align;
    const end = base + Math.ceil(size / CACHE_LINE_WORDS) * CACHE_LINE_WORDS;
    if (end > this.words.length) return 0;
    const object: HeapObject = { base, size, cache };
    for (let line = base; line < end; line += CACHE_LINE_WORDS) this.byLine.set(line / CACHE_LINE_WORDS, object);
    this.byKey.set(key, object);
    this.top = end;
    return object.base;
  }

  /** What was allocated, in order: what {@link allocate} was given. */
  allocations(): [number, number, number][] {
    return [...this.byKey.keys()].map((key) => key.split(' ').map(Number) as [number, number, number]);
  }

  /** The object that a thread allocated in which the address lies. */
  allocated(address: number): HeapObject | null {
    if (address < this.first) return null;
    const object = this.byLine.get(Math.floor(address / CACHE_LINE_WORDS));
    return object !== undefined && address < object.base + object.size ? object : null;
  }

  /** Throws KernelBug when there is nothing at the address, whoever asks and when. */
  check(address: number): void {
    if (this.checked.has(address)) return;
    if (address >= this.first) {
      if (this.allocated(address) === null)
        throw new KernelBug('wild-access', `access outside every object: word ${address}`);
    } else this.sequential.heap.check(address);
    this.checked.add(address);
  }

  /** What kmem_cache_free() is given: its object. Throws KernelBug when it is none of that cache. */
  freed(address: number, cache: number): HeapObject {
    const { type } = kmemCacheOf(cache);
    const own = this.allocated(address);
    if (own !== null && own.base === address && own.cache === cache) return own;
    const at = this.sequential.heap.locate(address);
    if (
      address < NULL_GUARD_WORDS ||
      at === null ||
      at.base !== address ||
      at.layout !== type ||
      address < STATIC_WORDS
    )
      throw new KernelBug('bad-free', `kmem_cache_free(${type.$name}): ${this.describe(address)} is no such object`);
    return { base: address, size: type.$size, cache };
  }

  /**
   * First word of the object in which an address lies; -1 for none. Objects whose bounds nobody knows (struct pages in a mem_map that boot
   * reserved) are taken to be cache lines.
   */
  objectAt(address: number): number {
    if (address < NULL_GUARD_WORDS || address >= this.top) return -1;
    let base = this.bases.get(address);
    if (base === undefined) {
      base = this.findBase(address);
      this.bases.set(address, base);
    }
    return base;
  }

  private findBase(address: number): number {
    if (address >= this.first) return this.allocated(address)?.base ?? -1;
    if (address >= STATIC_WORDS)
      return this.sequential.heap.locate(address)?.base ?? address - (address % CACHE_LINE_WORDS);
    const symbols = staticSymbols();
    let low = 0;
    let high = symbols.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (symbols[middle].address <= address) low = middle;
      else high = middle - 1;
    }
    const symbol = symbols[low];
    return address >= symbol.address && address < symbol.address + symbol.size ? symbol.address : -1;
  }

  /** `page@4096._count`, or the bare address when it lies in no object. */
  describe(address: number): string {
    const own = this.allocated(address);
    if (own === null) return this.sequential.heap.describe(address);
    const { type } = kmemCacheOf(own.cache);
    const field = Object.entries(type.$offset).findLast(([, offset]) => offset <= address - own.base);
    const rest = field === undefined ? 0 : address - own.base - field[1];
    return `${type.$name}@${own.base}${field === undefined ? '' : `.${field[0]}${rest > 0 ? `[${rest}]` : ''}`}`;
  }
}

/** Runs `body` with an engine in charge. */
export function underEngine<T>(engine: Parameters<typeof installEngine>[0], body: () => T): T {
  const before = installEngine(engine);
  try {
    return body();
  } finally {
    installEngine(before.words.length === 0 ? null : before);
  }
}
