// SPDX-License-Identifier: MIT
import {
  CACHE_LINE_WORDS,
  fieldAt,
  HELD_ADDRESS,
  HELD_MUTEX,
  HELD_READ,
  HELD_RWSEM,
  type Layout,
  NR_CPUS,
  STATIC_WORDS,
  staticSymbolAt,
} from '@lockless/cpu/native';
import type { PublishedLayout } from './published-layout.js';
import type { Slab } from './slab.js';

/** The innermost struct around a word. */
export interface Place {
  /** Where that struct begins. */
  readonly base: number;
  readonly layout: Layout;
  readonly field: string;
}

/** Turns addresses into names: `zone.lock`, `address_space@1310720.treeLock`. */
export class Names {
  private readonly slab: Slab;
  private readonly published: PublishedLayout;

  constructor(slab: Slab, published: PublishedLayout) {
    this.slab = slab;
    this.published = published;
  }

  /** The name of a word. */
  describe(address: number): string {
    if (address < STATIC_WORDS) return this.describeStatic(address);
    const object = this.slab.objectAt(address);
    if (object === null) return `word ${address}`;
    return this.withField(`${object.cache.type.$name}@${object.base}`, object.cache.type, address - object.base);
  }

  /** What kind of lock an entry of held-entry.ts is, with its name. */
  describeLock(entry: number): string {
    const name = this.describeBare(entry);
    const reading = (entry & HELD_READ) !== 0;
    if ((entry & HELD_MUTEX) !== 0) return `mutex ${name}`;
    if ((entry & HELD_RWSEM) !== 0) return `rwsem ${name} (${reading ? 'reading' : 'writing'})`;
    return reading ? `rwlock ${name} (reading)` : `spin lock ${name}`;
  }

  /** The same without its kind. A mutex or rwsem is named as a struct, a spin lock as the word that it is. */
  describeBare(entry: number): string {
    const address = entry & HELD_ADDRESS;
    return (entry & (HELD_MUTEX | HELD_RWSEM)) !== 0 ? this.describeStruct(address) : this.describe(address);
  }

  /** The name of the innermost struct that begins at an address. */
  describeStruct(address: number): string {
    return this.describe(address).replace(/\.[^.]*$/, '');
  }

  /** The innermost struct that a word is a field of, if its type is known in this thread. */
  placeOf(address: number): Place | null {
    const symbol = address < STATIC_WORDS ? staticSymbolAt(address) : null;
    const object = address < STATIC_WORDS ? null : this.slab.objectAt(address);
    const layout = symbol?.layout ?? object?.cache.type ?? null;
    if (layout === null) return null;
    return innermost(layout, symbol?.address ?? object?.base ?? 0, address);
  }

  private describeStatic(address: number): string {
    const symbol = staticSymbolAt(address);
    if (symbol !== null) return this.withField(symbol.name, symbol.layout, address - symbol.address);
    for (const { rows } of this.published.all())
      for (const [name, start, size] of rows) {
        if (address >= start && address < start + size) return address === start ? name : `${name}+${address - start}`;
        const stride = Math.ceil(size / CACHE_LINE_WORDS) * CACHE_LINE_WORDS;
        const cpu = Math.floor((address - start) / stride);
        if (cpu > 0 && cpu < NR_CPUS && !rows.some((row) => row[1] > start && row[1] <= address))
          return `${name}[${cpu}]`;
      }
    return `word ${address}`;
  }

  private withField(name: string, layout: Layout | null, offset: number): string {
    const field = layout === null ? '' : fieldAt(layout, offset);
    if (field !== '') return `${name}.${field}`;
    return offset === 0 ? name : `${name}+${offset}`;
  }
}

function innermost(layout: Layout, base: number, address: number): Place | null {
  for (const [field, offset] of Object.entries(layout.$offset)) {
    const inner = layout.$embedded[field];
    const at = base + offset;
    if (inner !== undefined && address >= at && address < at + inner.$size) return innermost(inner, at, address);
    if (at === address) return { base, layout, field };
  }
  return null;
}
