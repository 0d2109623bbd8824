// SPDX-License-Identifier: MIT
// @ts-check
// What the files of the torture run hold: blocks that say what they are, with a checksum; and the words in which threads note what they did to them.

export const BLOCK = 4096;
const WORDS = BLOCK / 4;
const MAGIC = 0x7ab1e5;

/** Numbers from a seed (mulberry32). @param {number} seed @returns {(below: number) => number} */
export function randomFrom(seed) {
  let state = seed | 0;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** @param {Int32Array} words @returns {number} */
function checksum(words) {
  let sum = 0x811c9dc5;
  for (let k = 0; k < WORDS - 1; k++) sum = Math.imul(sum ^ words[k], 0x01000193);
  return sum;
}

/** Writes what a block holds in its `version`th version. @param {Int32Array} words @param {number} file @param {number} block @param {number} version */
export function fillBlock(words, file, block, version) {
  const random = randomFrom(Math.imul(file * 65_537 + block, 31) + version);
  words[0] = MAGIC;
  words[1] = file;
  words[2] = block;
  words[3] = version;
  for (let k = 4; k < WORDS - 1; k++) words[k] = random(2 ** 31);
  words[WORDS - 1] = checksum(words);
}

/**
 * The version of a block, 0 for one that holds nothing (a hole). Throws when it is anything else.
 * @param {Int32Array} words @param {number} file @param {number} block @param {string} where @returns {number}
 */
export function versionOf(words, file, block, where) {
  if (words[0] === 0 && words.every((word) => word === 0)) return 0;
  const what = `file ${file}, block ${block}, ${where}`;
  if (words[0] !== MAGIC) throw new Error(`${what}: begins with ${words[0]}: lost, or never written`);
  if (words[1] !== file || words[2] !== block) throw new Error(`${what}: holds block ${words[2]} of file ${words[1]}`);
  if (words[WORDS - 1] !== checksum(words)) throw new Error(`${what}: the checksum of version ${words[3]} is wrong`);
  return words[3];
}

/** Bytes that a truncation in the middle of a block leaves of it. */
export const REST = 100;

/**
 * {@link versionOf} of a block that may have been cut off in its middle, after REST bytes: then zeros follow, and it is not whole.
 * @param {Int32Array} words @param {number} file @param {number} block @param {string} where @returns {{ version: number, whole: boolean }}
 */
export function versionOfRest(words, file, block, where) {
  const bytes = new Uint8Array(words.buffer);
  if (words[0] !== MAGIC || bytes.subarray(REST).some((byte) => byte !== 0))
    return { version: versionOf(words, file, block, where), whole: true };
  const whole = new Int32Array(WORDS);
  fillBlock(whole, file, block, words[3]);
  const expected = new Uint8Array(whole.buffer);
  if (bytes.subarray(0, REST).some((byte, k) => byte !== expected[k]))
    throw new Error(`file ${file}, block ${block}, ${where}: what is left of version ${words[3]} is wrong`);
  return { version: words[3], whole: false };
}

/** Notes about every block, shared by all threads: only the slot that owns the block writes them. */
export class Journal {
  /** @param {Int32Array<SharedArrayBuffer>} words @param {number} blocks in a file */
  constructor(words, blocks) {
    this.words = words;
    this.blocks = blocks;
  }

  /** @param {number} files @param {number} blocks @param {number} slots */
  static create(files, blocks, slots) {
    return new Journal(new Int32Array(new SharedArrayBuffer(4 * (slots + files * blocks * 3))), blocks);
  }

  /** @param {number} file @param {number} block @param {0 | 1 | 2} field */
  at(file, block, field) {
    return this.words.length - 1 - ((file * this.blocks + block) * 3 + field);
  }

  /** Version of the last write that began, @param {number} file @param {number} block */
  attempted(file, block) {
    return Atomics.load(this.words, this.at(file, block, 0));
  }

  /** that ended, @param {number} file @param {number} block */
  done(file, block) {
    return Atomics.load(this.words, this.at(file, block, 1));
  }

  /** and that an fsync which succeeded had before it. @param {number} file @param {number} block */
  synced(file, block) {
    return Atomics.load(this.words, this.at(file, block, 2));
  }

  /** @param {number} file @param {number} block @param {number} version */
  attempt(file, block, version) {
    Atomics.store(this.words, this.at(file, block, 0), version);
  }

  /** @param {number} file @param {number} block @param {number} version */
  finish(file, block, version) {
    Atomics.store(this.words, this.at(file, block, 1), version);
  }

  /** @param {number} file @param {number} block @param {number} version */
  sync(file, block, version) {
    Atomics.store(this.words, this.at(file, block, 2), version);
  }

  /** A sign of life of a slot. @param {number} slot */
  beat(slot) {
    Atomics.add(this.words, slot, 1);
  }

  /** @param {number} slot */
  beats(slot) {
    return Atomics.load(this.words, slot);
  }
}

/**
 * What is known of the file that everybody truncates. A block has one writer still, so the version that it holds is one of a few:
 *
 * - nothing that was written before a truncation below began, once that has ended (`cut`), nor more than a rest if it was in the middle (`cutToRest`);
 * - no less than the last version written, if no truncation below has begun since before that write did (`generation`), nor was going on then.
 *
 * A truncation says first that it is going on, then counts in all blocks that it is about to cut; a writer looks at the count, and then whether any is going on.
 */
export class CutJournal {
  /** @param {Int32Array<SharedArrayBuffer>} words @param {number} blocks @param {number} slots */
  constructor(words, blocks, slots) {
    this.words = words;
    this.blocks = blocks;
    this.slots = slots;
  }

  /** @param {number} blocks @param {number} slots */
  static create(blocks, slots) {
    const journal = new CutJournal(new Int32Array(new SharedArrayBuffer(4 * (slots + 5 * blocks))), blocks, slots);
    for (let block = 0; block < blocks; block++) journal.finish(block, 0);
    return journal;
  }

  /** @param {number} block @param {0 | 1 | 2 | 3 | 4} field */
  at(block, field) {
    return this.slots + 5 * block + field;
  }

  /** Truncations below a block that have begun. @param {number} block */
  begun(block) {
    return Atomics.load(this.words, this.at(block, 0));
  }

  /** The last version that is known to be cut off. @param {number} block */
  cut(block) {
    return Atomics.load(this.words, this.at(block, 1));
  }

  /** The last version of which at most a rest is left. @param {number} block */
  cutToRest(block) {
    return Atomics.load(this.words, this.at(block, 4));
  }

  /** {@link begun} as it was before the last write, which has ended; -1: nothing is known. @param {number} block */
  generation(block) {
    return Atomics.load(this.words, this.at(block, 2));
  }

  /** The same, of the version that was synced. @param {number} block */
  syncedGeneration(block) {
    return Atomics.load(this.words, this.at(block, 3));
  }

  /** A write is about to begin. *Returns* what to give {@link finish}. @param {number} block */
  attempt(block) {
    const begun = this.begun(block);
    Atomics.store(this.words, this.at(block, 2), -1);
    for (let slot = 0; slot < this.slots; slot++) {
      const size = Atomics.load(this.words, slot) - 1;
      if (size >= 0 && size < (block + 1) * BLOCK) return -1;
    }
    return begun;
  }

  /** @param {number} block @param {number} generation */
  finish(block, generation) {
    Atomics.store(this.words, this.at(block, 2), generation);
  }

  /** @param {number} block @param {number} generation */
  sync(block, generation) {
    Atomics.store(this.words, this.at(block, 3), generation);
  }

  /** Whether a truncation of a slot goes on, or did when its thread died. @param {number} slot */
  isTruncating(slot) {
    return Atomics.load(this.words, slot) !== 0;
  }

  /** A truncation is about to begin. *Returns* what to give {@link endTruncation}. @param {number} slot @param {number} size @param {(block: number) => number} done the version written last */
  beginTruncation(slot, size, done) {
    Atomics.store(this.words, slot, size + 1);
    /** @type {number[]} */
    const versions = [];
    for (let block = Math.floor(size / BLOCK); block < this.blocks; block++)
      Atomics.add(this.words, this.at(block, 0), 1);
    for (let block = Math.floor(size / BLOCK); block < this.blocks; block++) versions[block] = done(block);
    return versions;
  }

  /** It has ended. @param {number} slot @param {number} size @param {readonly number[]} versions */
  endTruncation(slot, size, versions) {
    versions.forEach((version, block) => {
      const word = this.at(block, block * BLOCK < size ? 4 : 1);
      for (let cut = Atomics.load(this.words, word); cut < version; cut = Atomics.load(this.words, word))
        Atomics.compareExchange(this.words, word, cut, version);
    });
    Atomics.store(this.words, slot, 0);
  }

  /** What the thread had begun that had the slot before is over: somebody wrote to the file since. @param {number} slot */
  truncationIsOver(slot) {
    Atomics.store(this.words, slot, 0);
  }

  /**
   * Throws when what was found cannot be. `before`: what {@link expected} gave before the block was read.
   * @param {{ version: number, whole: boolean }} found @param {number} block @param {Expected} before @param {string} where
   */
  check({ version, whole }, block, before, where) {
    if (version !== 0 && version <= (whole ? Math.max(before.cut, before.cutToRest) : before.cut))
      throw new Error(`block ${block}, ${where}: version ${version} was cut off, and came back`);
    if (version < before.done && before.generation >= 0 && this.begun(block) === before.generation)
      throw new Error(
        `block ${block}, ${where}: version ${version}, but ${before.done} was written and not cut off since`,
      );
  }

  /** What is known of a block now. @param {number} block @param {(block: number) => number} done @returns {Expected} */
  expected(block, done) {
    const generation = this.generation(block);
    return { cut: this.cut(block), cutToRest: this.cutToRest(block), done: done(block), generation };
  }
}

/** @typedef {{ cut: number, cutToRest: number, done: number, generation: number }} Expected */
