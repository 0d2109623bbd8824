// SPDX-License-Identifier: MIT
import { loadedSegments, type StaticSymbol, spinLockWord, spinUnlockWord } from '@lockless/cpu/native';
import { NativeError } from './errors.js';
import { LAYOUT_WORDS, layoutWords, Machine, machineWords } from './layout.js';

/*
 * What static data each package has, written into the machine by the first thread that has loaded the package: for threads that have loaded it too, which
 * must find the same, and for those that have not, which may have to name a lock or clear a word of it.
 */

/** Name, address, size, and 1 if the word is transient. Of per-CPU data only the first. */
type Row = readonly [string, number, number, number];

/** One package's static data. */
export interface PublishedSegment {
  readonly number: number;
  readonly packageName: string;
  readonly rows: readonly Row[];
}

const isFirst = ({ name }: StaticSymbol): boolean => !/\[[1-9]\d*\]$/.test(name);
const rowOf = ({ name, address, size, transient }: StaticSymbol): Row => [name, address, size, transient ? 1 : 0];

export class PublishedLayout {
  private readonly words: Int32Array;
  private read = 0;
  private readonly segments = new Map<number, PublishedSegment>();

  constructor(words: Int32Array) {
    this.words = words;
  }

  /** Publishes what this thread has loaded and nobody has published, and compares the rest. Throws NativeError where they differ. */
  agree(): void {
    const lock = Machine.layoutLock(machineWords);
    spinLockWord(lock);
    try {
      this.catchUp();
      for (const { number, packageName, symbols } of loadedSegments()) {
        const rows = symbols.filter(isFirst).map(rowOf);
        const published = this.segments.get(number);
        if (published === undefined) this.publish({ number, packageName, rows });
        else this.compare(published, packageName, rows);
      }
    } finally {
      spinUnlockWord(lock);
    }
  }

  /** Everything that was published so far. */
  all(): PublishedSegment[] {
    this.catchUp();
    return [...this.segments.values()];
  }

  /** Whether this thread has loaded every package that some thread has. */
  hasAll(): boolean {
    const loaded = new Set([...loadedSegments()].map(({ number }) => number));
    return this.all().every(({ number }) => loaded.has(number));
  }

  private publish(segment: PublishedSegment): void {
    const bytes = new TextEncoder().encode(JSON.stringify(segment));
    const words = new Int32Array(Math.ceil(bytes.length / 4));
    new Uint8Array(words.buffer).set(bytes);
    const at = this.words[Machine.layoutWords(machineWords)];
    if (at + 1 + words.length > LAYOUT_WORDS)
      throw new NativeError('ERR_OUT_OF_MEMORY', `no room for the layout of ${segment.packageName}: too many packages`);
    this.words[layoutWords + at] = bytes.length;
    this.words.set(words, layoutWords + at + 1);
    // Published by this store: who reads without the lock sees whole entries.
    Atomics.store(this.words, Machine.layoutWords(machineWords), at + 1 + words.length);
    this.catchUp();
  }

  private catchUp(): void {
    const end = Atomics.load(this.words, Machine.layoutWords(machineWords));
    while (this.read < end) {
      const length = this.words[layoutWords + this.read];
      const from = layoutWords + this.read + 1;
      const copy = this.words.slice(from, from + Math.ceil(length / 4));
      const text = new TextDecoder().decode(new Uint8Array(copy.buffer, 0, length));
      const segment = JSON.parse(text) as PublishedSegment;
      this.segments.set(segment.number, segment);
      this.read += 1 + copy.length;
    }
  }

  private compare(published: PublishedSegment, packageName: string, rows: readonly Row[]): void {
    const differ = (what: string): never => {
      throw new NativeError(
        'ERR_LAYOUT',
        `this thread does not fit the machine: ${what}; all threads must load the same version`,
      );
    };
    const { number, packageName: other } = published;
    if (other !== packageName) differ(`segment ${number} is ${packageName}'s here, and ${other}'s there`);
    const there = new Map(published.rows.map((row) => [`${row[0]}@${row[1]}`, row]));
    const byName = new Map(published.rows.map((row) => [row[0], row]));
    for (const [name, address, size] of rows) {
      // A name may occur twice, as of two slab caches of one struct.
      const row = there.get(`${name}@${address}`) ?? byName.get(name);
      if (row === undefined) differ(`${packageName} has a static ${name} here, and none there`);
      else if (row[1] !== address || row[2] !== size)
        differ(
          `${name} of ${packageName} has ${size} words at ${address} here, and ${row[2]} words at ${row[1]} there`,
        );
    }
    const missing = published.rows.find(([name]) => !rows.some((row) => row[0] === name));
    if (missing !== undefined) differ(`${packageName} has a static ${missing[0]} there, and none here`);
  }
}
