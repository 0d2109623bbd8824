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
