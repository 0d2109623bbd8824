// SPDX-License-Identifier: MIT
import { attached } from './op.js';
import type { Layout, StructOf } from './struct.js';
import type { Ptr, Ref } from './word.js';
import { CACHE_LINE_WORDS, NR_CPUS, NULL_GUARD_WORDS } from './word.js';

/*
 * The data segment of the native build. Threads may import packages in different order, and must still agree on every address: so each package has a
 * segment of its own (`"lockless": { "segment": n }` in its package.json), in which addresses go up in the order in which its modules are loaded,
 * which is always the same, as `./native` is its only entry.
 */

/** Segments, words of each, and numbers (of caches, of function pointers) of each. */
export const SEGMENTS = 64;
export const SEGMENT_WORDS: number = 1 << 14;
export const SEGMENT_IDS: number = 1 << 10;
/** All segments: heap and engine begin behind. */
export const STATIC_WORDS: number = SEGMENTS * SEGMENT_WORDS;

/** What was allocated: for reports that turn an address into a name, and to compare what two threads have loaded. */
export interface StaticSymbol {
  readonly name: string;
  readonly address: number;
  readonly size: number;
  readonly layout: Layout | null;
  /** Says what its CPU is doing just now: whoever finds the thread gone writes 0 to it. */
  readonly transient: boolean;
}

/** The static data of one package. */
export interface Segment {
  readonly number: number;
  readonly packageName: string;
  readonly symbols: readonly StaticSymbol[];
  /** `size` words on cache lines of their own. Throws Error when the segment is full. */
  reserve(name: string, size: number, layout: Layout | null, transient?: boolean): number;
}

const segments: Segment[] = [];

/** The segments of the packages that this thread has loaded, by number. */
export const loadedSegments = (): readonly Segment[] => segments.filter((segment) => segment !== undefined);

/** Claims a segment for a package, at module load. Throws Error when it has an owner already: another package, or the same one loaded twice. */
export function claimSegment(number: number, packageName: string): Segment {
  if (!Number.isInteger(number) || number < 0 || number >= SEGMENTS)
    throw new RangeError(`segment ${number} of ${packageName} is not one of 0 to ${SEGMENTS - 1}`);
  const owner = segments[number]?.packageName;
  if (owner === packageName)
    throw new Error(`${packageName} is loaded twice: two copies of it would give different things the same addresses`);
  if (owner !== undefined) throw new Error(`segment ${number} of ${packageName} is taken by ${owner}`);
  const symbols: StaticSymbol[] = [];
  const end = (number + 1) * SEGMENT_WORDS;
  let next = number * SEGMENT_WORDS + (number === 0 ? NULL_GUARD_WORDS : 0);
  segments[number] = {
    number,
    packageName,
    symbols,
    reserve(name, size, layout, transient = false) {
      const address = Math.ceil(next / CACHE_LINE_WORDS) * CACHE_LINE_WORDS;
      if (address + size > end)
        throw new Error(
          `static data of ${packageName} does not fit: ${name} needs ${size} words, ${end - address} are left`,
        );
      next = address + size;
      symbols.push({ name, address, size, layout, transient });
      return address;
    },
  };
  return segments[number];
}

/** The functions of memory.ts, for one segment. */
export interface StaticMemory {
  /** A static variable of struct type, on cache lines of its own. */
  defineStatic<S>(type: StructOf<S>, name: string): Ptr<S>;
  /** A static variable of one word, on a cache line of its own. */
  defineWord<V = number>(name: string): Ref<V>;
  /** DEFINE_PER_CPU of a struct: one for each possible CPU, none sharing a cache line. */
  definePerCpu<S>(type: StructOf<S>, name: string): (cpu: number) => Ptr<S>;
  /** DEFINE_PER_CPU of one word. `transient`: see {@link StaticSymbol}. */
  definePerCpuWord<V = number>(name: string, transient?: boolean): (cpu: number) => Ref<V>;
}

export function staticMemory(segment: Segment): StaticMemory {
  function perCpu(name: string, stride: number, layout: Layout | null, transient = false): number {
    const base = segment.reserve(name, stride, layout, transient);
    for (let cpu = 1; cpu < NR_CPUS; cpu++) segment.reserve(`${name}[${cpu}]`, stride, layout, transient);
    return base;
  }
  return {
    defineStatic: <S>(type: StructOf<S>, name: string) => segment.reserve(name, type.$size, type) as Ptr<S>,
    defineWord: <V>(name: string) => segment.reserve(name, 1, null) as Ref<V>,
    definePerCpu: <S>(type: StructOf<S>, name: string) => {
      const stride = Math.ceil(type.$size / CACHE_LINE_WORDS) * CACHE_LINE_WORDS;
      const base = perCpu(name, stride, type);
      return (cpu: number) => (base + cpu * stride) as Ptr<S>;
    },
    definePerCpuWord: <V>(name: string, transient = false) => {
      const base = perCpu(name, CACHE_LINE_WORDS, null, transient);
      return (cpu: number) => (base + cpu * CACHE_LINE_WORDS) as Ref<V>;
    },
  };
}

/** The segment of cpu itself. */
export const cpuSegment: Segment = claimSegment(0, '@lockless/cpu');
const own = staticMemory(cpuSegment);
export const defineStatic: StaticMemory['defineStatic'] = own.defineStatic;
export const defineWord: StaticMemory['defineWord'] = own.defineWord;
export const definePerCpu: StaticMemory['definePerCpu'] = own.definePerCpu;
export const definePerCpuWord: StaticMemory['definePerCpuWord'] = own.definePerCpuWord;

/** All static symbols of the packages that this thread has loaded, by ascending address. */
export const staticSymbols = (): readonly StaticSymbol[] => loadedSegments().flatMap(({ symbols }) => symbols);

/** The static symbol that an address lies in, or null. */
export function staticSymbolAt(address: number): StaticSymbol | null {
  const symbols = segments[Math.floor(address / SEGMENT_WORDS)]?.symbols ?? [];
  return symbols.find((symbol) => address >= symbol.address && address < symbol.address + symbol.size) ?? null;
}

/** Reads a word that does not change any more, or from outside: a plain load. */
export const peek = <V extends number>(ref: Ref<V>): V => attached.words[ref] as V;

/** Writes a word at boot, or in a test: a plain store. */
export const poke = <V extends number>(ref: Ref<V>, value: V): void => {
  attached.words[ref] = value;
};

/** alloc_bootmem(): zeroed words that are never freed, for an array whose size is known at boot only. */
export const bootReserve = (size: number, _element?: Layout): number => attached.engine.reserve(size);
