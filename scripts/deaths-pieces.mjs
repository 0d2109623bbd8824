// SPDX-License-Identifier: MIT
// @ts-check
// What the files of the run of deaths hold: pieces of an eighth of a page that say what they are, with a checksum; and the words in which threads note what they wrote.
import { randomFrom } from './torture-blocks.mjs';

export const PAGE = 4096;
export const PIECE = 512;
const WORDS = PIECE / 4;
const MAGIC = 0x50_1ece;

/** @param {Int32Array} words @param {number} from @returns {number} */
function checksum(words, from) {
  let sum = 0x811c9dc5;
  for (let k = from; k < from + WORDS - 1; k++) sum = Math.imul(sum ^ words[k], 0x01000193);
  return sum;
}

/** Bytes of `pieces` pieces from `first` on, all of one version. @param {number} first @param {number} pieces @param {number} version */
export function piecesOf(first, pieces, version) {
  const words = new Int32Array(pieces * WORDS);
  for (let piece = 0; piece < pieces; piece++) {
    const at = piece * WORDS;
    const random = randomFrom(Math.imul(first + piece, 31) + version);
    words.set([MAGIC, first + piece, version], at);
    for (let k = 3; k < WORDS - 1; k++) words[at + k] = random(2 ** 31);
    words[at + WORDS - 1] = checksum(words, at);
  }
  return new Uint8Array(words.buffer);
}

/** The versions of the pieces in these bytes, the first of which is `first`; 0: a hole; -1: it is none, or torn. @param {Uint8Array} bytes @param {number} first @returns {number[]} */
export function versionsIn(bytes, first) {
  const words = new Int32Array(Uint8Array.from(bytes.subarray(0, Math.floor(bytes.length / PIECE) * PIECE)).buffer);
  return Array.from({ length: words.length / WORDS }, (_, piece) => {
    const at = piece * WORDS;
    if (words.subarray(at, at + WORDS).every((word) => word === 0)) return 0;
    const whole =
      words[at] === MAGIC && words[at + 1] === first + piece && words[at + WORDS - 1] === checksum(words, at);
    return whole ? words[at + 2] : -1;
  });
}

/** Notes of each piece of the file: the version of the last write that began, and of the last that ended. */
export class Notes {
  /** @param {Int32Array} words */
  constructor(words) {
    this.words = words;
  }

  /** @param {number} pieces */
  static create(pieces) {
    return new Notes(new Int32Array(new SharedArrayBuffer(8 * pieces)));
  }

  get pieces() {
    return this.words.length / 2;
  }

  /** @param {number} piece */
  begun(piece) {
    return Atomics.load(this.words, 2 * piece);
  }

  /** @param {number} piece */
  ended(piece) {
    return Atomics.load(this.words, 2 * piece + 1);
  }

  /** A write of these pieces begins. Returns the bytes. @param {number} first @param {number} pieces */
  begin(first, pieces) {
    let version = 0;
    for (let piece = first; piece < first + pieces; piece++) version = Math.max(version, this.begun(piece) + 1);
    for (let piece = first; piece < first + pieces; piece++) Atomics.store(this.words, 2 * piece, version);
    return piecesOf(first, pieces, version);
  }

  /** @param {number} first @param {number} pieces */
  end(first, pieces) {
    for (let piece = first; piece < first + pieces; piece++) this.settle(piece, this.begun(piece));
  }

  /** What a piece has, and is not to lose any more. @param {number} piece @param {number} version */
  settle(piece, version) {
    Atomics.store(this.words, 2 * piece, version);
    Atomics.store(this.words, 2 * piece + 1, version);
  }
}
