// SPDX-License-Identifier: MIT
import { STATIC_WORDS, staticSymbols } from '@lockless/cpu';

/** What cpu's Heap.describe() says of an address in a heap object: type, first word, the rest. */
const IN_OBJECT = /^(\w+)@(\d+)(.*)$/;
/** Of an element of an array in boot memory: type, index, the rest. */
const IN_ARRAY = /^(\w+)\[(\d+)\](.*)$/;

const COUNTS = /(flags|count|state|index|nr\w*)$/i;

/**
 * Names for addresses and values, as short as they are unambiguous: `page7.flags` (frame 7 of mem_map), `radix_tree_node2.slots[0]` (the second
 * such object that is named), `mapping.nrpages` (a static). Objects are numbered as they are first named, so one table serves one report.
 */
export class Names {
  private readonly describe: (address: number) => string;
  /** By first word of a heap object. */
  private readonly given = new Map<string, string>();
  private readonly count = new Map<string, number>();
  /** Static structs by address. A number that happens to be such an address is taken for a pointer, unless its place says that it counts. */
  private readonly statics = new Map(
    staticSymbols().flatMap(({ name, address, layout }) => (layout === null ? [] : [[address, `&${name}`] as const])),
  );

  constructor(describe: (address: number) => string) {
    this.describe = describe;
  }

  /** `page7._count`, or `word 4711` outside every object. */
  place(address: number): string {
    const described = this.describe(address);
    if (address < STATIC_WORDS) return described;
    const inArray = IN_ARRAY.exec(described);
    if (inArray !== null) return `${short(inArray[1])}${inArray[2]}${inArray[3]}`;
    const inObject = IN_OBJECT.exec(described);
    return inObject === null ? described : this.object(inObject[1], inObject[2]) + inObject[3];
  }

  /** The object that begins at an address, whose first field the address is too: `page7` where {@link place} says `page7.flags`. */
  object(type: string, base: string): string {
    let name = this.given.get(base);
    if (name === undefined) {
      const ordinal = (this.count.get(type) ?? 0) + 1;
      this.count.set(type, ordinal);
      name = `${short(type)}${ordinal}`;
      this.given.set(base, name);
    }
    return name;
  }

  /** What a word of that place holds: a pointer by the name of what it points to, flags in hexadecimal, anything else in decimal. */
  value(value: number, place = ''): string {
    const name = COUNTS.test(place) ? null : this.pointer(value);
    if (name !== null) return name;
    return /flags$/i.test(place) && value !== 0 ? `0x${(value >>> 0).toString(16)}` : String(value);
  }

  /** A text with the names in place of what Heap.describe() said. */
  text(message: string): string {
    return message
      .replace(/\b(\w+)@(\d+)/g, (_, type: string, base: string) => this.object(type, base))
      .replace(/\bpage\[(\d+)\]/g, 'page$1')
      .replace(/(kmem_cache_free\(\w+)\.\w+/, '$1');
  }

  /** Whether the word is a pointer to an object, as far as one can see. */
  isPointer(value: number): boolean {
    return this.pointer(value) !== null;
  }

  private pointer(value: number): string | null {
    if (value < STATIC_WORDS) return value === 0 ? null : (this.statics.get(value) ?? null);
    const described = this.describe(value);
    const task = /^(.+\.task)\.state$/.exec(described);
    if (task !== null) return task[1];
    if (described.startsWith('word ')) return null;
    const inObject = IN_OBJECT.exec(described);
    if (inObject !== null && Number(inObject[2]) === value) return this.object(inObject[1], inObject[2]);
    const before = this.describe(value - 1);
    const inArray = IN_ARRAY.exec(described);
    // The first word of an element is the element; the word before it belongs to another one, or to none.
    if (inArray !== null && IN_ARRAY.exec(before)?.[2] !== inArray[2]) return `${short(inArray[1])}${inArray[2]}`;
    return `&${this.place(value)}`;
  }
}

const short = (type: string): string => type.replace(/_struct$/, '');
