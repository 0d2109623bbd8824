// SPDX-License-Identifier: MIT
// @ts-check
// What the threads do that die: each a short sequence of operations, what the cache holds before, and what of it may differ after a death.
import { FAR } from './deaths-disk.mjs';
import { PAGE, PIECE } from './deaths-pieces.mjs';

/** @typedef {import('@lockless/file-cache').CachedFile} CachedFile */
/** @typedef {import('@lockless/file-cache').FileCache} FileCache */
/** @typedef {import('./deaths-pieces.mjs').Notes} Notes */
/** @typedef {{ cache: FileCache, file: CachedFile, files: number, notes: Notes, point: () => void }} Hands */

/**
 * @typedef {object} Sequence
 * @property {(hands: Hands) => unknown} act what is done, from its first store to its last
 * @property {readonly (readonly [first: number, pages: number])[]} [cached] pages that are in the cache before; all others are not
 * @property {(hands: Hands) => unknown} [before] what the same thread does before, and does not die in
 * @property {boolean} [opens] the thread has no file open before
 * @property {boolean} [peeks] others may look at hot pages while it stands still: the size of the file does not change
 * @property {number} [cuts] pieces from this one on may be gone
 * @property {readonly number[]} [farSizes] that the file may have that ends about 4 GiB
 */

/** Pages of the file. More than a node of the tree has slots, so that it has two levels. */
export const PAGES = 72;
export const PIECES_A_PAGE = PAGE / PIECE;
/** What of it is looked at: sequences write to none but these, from the first to before the end. */
export const LOOKED_AT = [
  [0, 24],
  [40, 41],
  [60, PAGES],
];
/** Pages that may be dirty. The counter is off by up to 4 for each of two threads, so a writer of 20 is not yet held to it for sure, and one of 21 is. */
export const MAX_DIRTY = 12;

/** Sizes that the far file may have, before, between and after: of different words, both the lower and the upper, and a page ends at 4 GiB. The first it has before. */
export const FAR_SIZES = [2 ** 32 - PIECE, 2 ** 32, 2 ** 32 + PIECE];

/** Writes pieces, blocking, and notes it. @param {Hands} hands @param {number} first @param {number} pieces */
function write({ file, notes }, first, pieces) {
  const bytes = notes.begin(first, pieces);
  file.writeSync(bytes, 0, bytes.length, first * PIECE);
  notes.end(first, pieces);
}

/** @param {Hands} hands @param {number} first @param {number} pieces */
async function writeAsync({ file, notes }, first, pieces) {
  const bytes = notes.begin(first, pieces);
  await file.write(bytes, 0, bytes.length, first * PIECE);
  notes.end(first, pieces);
}

/** @param {Hands} hands @param {number} page @param {number} pages */
const read = ({ file }, page, pages) => file.readSync(new Uint8Array(pages * PAGE), 0, pages * PAGE, page * PAGE);

/** @param {Hands} hands */
function writeThree(hands) {
  write(hands, 0, 8);
  write(hands, 20, 3);
  write(hands, 65 * 8, 8);
}

/** @type {Readonly<Record<string, Sequence>>} */
export const SEQUENCES = {
  'read a page': { act: (hands) => read(hands, 0, 1) },
  'read pages, asynchronously': {
    act: ({ file }) => file.read(new Uint8Array(2 * PAGE), 0, 2 * PAGE, 63 * PAGE),
  },
  'read hot pages': {
    cached: [[0, 4]],
    before: (hands) => [1, 2, 3].map(() => read(hands, 0, 2)),
    act: (hands) => read(hands, 0, 2),
  },
  'write to a cached page': { cached: [[0, 2]], peeks: true, act: (hands) => write(hands, 6, 4) },
  'write a page that is not in the cache': {
    act: (hands) => {
      write(hands, 64 * 8, 8);
      write(hands, 8, 1);
    },
  },
  'write, asynchronously': {
    act: async (hands) => {
      await writeAsync(hands, 8, 8);
      await writeAsync(hands, 3, 2);
    },
  },
  'write to a dirty page': {
    cached: [[0, 1]],
    peeks: true,
    before: (hands) => write(hands, 0, 8),
    act: (hands) => {
      write(hands, 2, 3);
      write(hands, 0, 8);
    },
  },
  'write over the limit': {
    before: (hands) => write(hands, 0, (MAX_DIRTY + 2) * 8),
    act: (hands) => {
      for (let page = MAX_DIRTY + 2; page < MAX_DIRTY + 10; page++) write(hands, page * 8 + 1, 3);
    },
  },
  fsync: { before: writeThree, act: ({ file }) => file.fsyncSync() },
  'fsync, asynchronously': { before: writeThree, act: ({ file }) => file.fsync() },
  'reclaim clean pages': {
    cached: [
      [0, 3],
      [64, 3],
    ],
    act: ({ cache }) => cache.reclaim(PAGES * PAGE),
  },
  'read with a full budget': { cached: [[0, 60]], act: (hands) => read(hands, 61, 2) },
  truncate: { cached: [[60, 8]], cuts: 61 * 8 + 4, act: ({ file }) => file.truncateSync(61 * PAGE + PAGE / 2) },
  'a size that crosses 4 GiB': {
    opens: true,
    farSizes: FAR_SIZES,
    act: async ({ cache, point }) => {
      const far = cache.openSync(FAR, 'r+');
      point();
      far.writeSync(new Uint8Array(2 * PIECE).fill(1), 0, 2 * PIECE, FAR_SIZES[0]);
      far.truncateSync(FAR_SIZES[0]);
      await far.close();
    },
  },
  'open and close': {
    opens: true,
    act: async ({ cache, point }) => {
      const file = cache.openSync('0', 'r+');
      point();
      await file.close();
    },
  },
  'close with dirty pages': {
    before: (hands) => write(hands, 0, 24),
    act: ({ file }) => file.close(),
  },
  'open a file for which another is forgotten': {
    opens: true,
    act: async ({ cache, files, point }) => {
      for (let number = 1; number < files; number++) {
        const file = cache.openSync(`${number}`, 'r');
        point();
        file.readSync(new Uint8Array(PAGE), 0, PAGE, 0);
        await file.close();
      }
    },
  },
  'view and release': {
    cached: [[0, 1]],
    act: ({ file, point }) => {
      const view = file.viewSync(0, 2 * PAGE);
      point();
      view.release();
    },
  },
};

/** What is wrong with the size of the far file after a sequence; it is what it was before the sequence, afterwards. @param {FileCache} cache @param {string} name */
export async function farProblem(cache, name) {
  const { farSizes } = SEQUENCES[name];
  if (farSizes === undefined) return undefined;
  const far = await cache.open(FAR, 'r+');
  const { size } = far;
  await far.truncate(FAR_SIZES[0]);
  await far.close();
  return farSizes.includes(size) ? undefined : `the far file has ${size} bytes, of ${farSizes.join(' or ')}`;
}
