// SPDX-License-Identifier: MIT
import type { Located } from '@lockless/cpu';
import { fieldAt, STATIC_WORDS } from '@lockless/cpu';

/**
 * Names for addresses and values, as short as they are unambiguous: `page7.flags` (frame 7 of mem_map), `radix_tree_node2.slots[0]` (the second
 * such object that is named), `mapping.nrpages` (a static). Objects are numbered as they are first named, so one table serves one report.
 */
export class Names {
  private readonly locate: (address: number) => Located | null;
  /** First word of each heap object that has a name. */
  private readonly given = new Map<number, string>();
  private readonly count = new Map<string, number>();

  constructor(locate: (address: number) => Located | null) {
    this.locate = locate;
  }

  /** `page7._count`, or `word 4711` outside every object. */
  place(address: number): string {
    const at = this.locate(address);
    if (at === null) return `word ${address}`;
    const offset = address - at.base;
    const field = at.layout === null ? '' : fieldAt(at.layout, offset);
    const base = this.object(at);
    if (field !== '') return `${base}.${field}`;
    return offset === 0 ? base : `${base}[${offset}]`;
  }

  /** What a word of that place holds: a pointer by the name of what it points to, flags in hexadecimal, anything else in decimal. */
  value(value: number, place = ''): string {
    if (value >= STATIC_WORDS) {
      const at = this.locate(value);
      if (at !== null) return value === at.base ? this.object(at) : `&${this.place(value)}`;
    }
    return /flags$/i.test(place) && value !== 0 ? `0x${(value >>> 0).toString(16)}` : String(value);
  }

  private object(at: Located): string {
    const short = at.name.replace(/_struct$/, '');
    if (at.index !== null) return `${short}${at.index}`;
    if (at.base < STATIC_WORDS) return at.name;
    let name = this.given.get(at.base);
    if (name === undefined) {
      const ordinal = (this.count.get(short) ?? 0) + 1;
      this.count.set(short, ordinal);
      name = `${short}${ordinal}`;
      this.given.set(at.base, name);
    }
    return name;
  }
}
