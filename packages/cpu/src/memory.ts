// SPDX-License-Identifier: MIT
import { engine, words } from './op.js';
import type { Layout, StructOf } from './struct.js';
import type { Ptr, Ref } from './word.js';
import { CACHE_LINE_WORDS, NR_CPUS, NULL_GUARD_WORDS } from './word.js';

/**
 * The data segment: static variables get their address when their module is loaded, as from a linker, so every engine sees them at the
 * same place. A fresh memory is all zeros; boot code initialises what must not be.
 */
export const STATIC_WORDS: number = 1 << 18;

/** What was allocated: for reports that turn an address into a name, and for engines that must find objects. */
export interface StaticSymbol {
  readonly name: string;
  readonly address: number;
  readonly size: number;
  readonly layout: Layout | null;
  /** Says what its CPU is doing just now: whoever finds the CPU gone writes 0 to it. */
  readonly transient: boolean;
}

const symbols: StaticSymbol[] = [];
let next = NULL_GUARD_WORDS;

function reserve(name: string, size: number, layout: Layout | null, transient = false): number {
  const address = Math.ceil(next / CACHE_LINE_WORDS) * CACHE_LINE_WORDS;
  if (address + size > STATIC_WORDS)
    throw new Error(`static data does not fit: ${name} needs ${size} words at ${address} of ${STATIC_WORDS}`);
  next = address + size;
  symbols.push({ name, address, size, layout, transient });
  return address;
}

/** A static variable of struct type, on cache lines of its own. */
export function defineStatic<S>(type: StructOf<S>, name: string): Ptr<S> {
  return reserve(name, type.$size, type) as Ptr<S>;
}

/** A static variable of one word, on a cache line of its own. */
export function defineWord<V = number>(name: string): Ref<V> {
  return reserve(name, 1, null) as Ref<V>;
}

/** DEFINE_PER_CPU of a struct: one for each possible CPU, none sharing a cache line. */
export function definePerCpu<S>(type: StructOf<S>, name: string): (cpu: number) => Ptr<S> {
  const stride = Math.ceil(type.$size / CACHE_LINE_WORDS) * CACHE_LINE_WORDS;
  const base = reserve(name, stride, type);
  for (let cpu = 1; cpu < NR_CPUS; cpu++) reserve(`${name}[${cpu}]`, stride, type);
  return (cpu) => (base + cpu * stride) as Ptr<S>;
}

/** DEFINE_PER_CPU of one word. `transient`: see {@link StaticSymbol}. */
export function definePerCpuWord<V = number>(name: string, transient = false): (cpu: number) => Ref<V> {
  const base = reserve(name, CACHE_LINE_WORDS, null, transient);
  for (let cpu = 1; cpu < NR_CPUS; cpu++) reserve(`${name}[${cpu}]`, CACHE_LINE_WORDS, null, transient);
  return (cpu) => (base + cpu * CACHE_LINE_WORDS) as Ref<V>;
}

/** All static symbols, by ascending address. */
export const staticSymbols = (): readonly StaticSymbol[] => symbols;

/** The static symbol that an address lies in, or null. */
export function staticSymbolAt(address: number): StaticSymbol | null {
  let low = 0;
  let high = symbols.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (symbols[middle].address + symbols[middle].size <= address) low = middle + 1;
    else high = middle;
  }
  const symbol = symbols[low];
  return symbol !== undefined && address >= symbol.address ? symbol : null;
}

/**
 * Reads a word without an access: for boot code, for constants that boot wrote before a second CPU ran (`__ro_after_init`), and for
 * tools that look at the machine from outside. Kernel-side code that runs on several CPUs must not use it for anything else.
 */
export const peek = <V extends number>(ref: Ref<V>): V => words[ref] as V;

/** Writes a word without an access; boot code and tests only. See {@link peek}. */
export const poke = <V extends number>(ref: Ref<V>, value: V): void => {
  words[ref] = value;
};

/** alloc_bootmem(): `size` zeroed words for an array (of `element`s) whose size is known at boot only; never freed. Boot code only. */
export function bootReserve(size: number, element?: Layout): number {
  if (engine.heap === undefined) throw new Error('this engine has no heap, so boot code cannot reserve memory');
  return engine.heap.reserve(size, element);
}
