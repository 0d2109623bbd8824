// SPDX-License-Identifier: MIT
// @ts-check
// One thread of the torture run: reads, writes, truncates, reclaims at random, until it is told to end, or dies. What it finds wrong is an error.
import { parentPort, workerData } from 'node:worker_threads';
import { drawNoise, makeNoise, seedNoise } from '@lockless/outcomes/noise';
import {
  BLOCK,
  CutJournal,
  fillBlock,
  Journal,
  REST,
  randomFrom,
  versionOf,
  versionOfRest,
} from './torture-blocks.mjs';

const { shared, paths, blocks, slot, slots, life, seed, journalWords, cutWords, without, noise, asked, hot } =
  workerData;
// Before the modules are loaded that define them.
const surroundings = /** @type {any} */ (globalThis);
surroundings.locklessWithout = without;
if (noise) surroundings.locklessOnPrimitive = makeNoise;
/** Guards that were asked for. @type {Set<string>} */
const guards = new Set();
if (asked) surroundings.locklessOnGuard = (/** @type {string} */ guard) => guards.add(guard);
seedNoise(seed * 104_729 + slot * 7919 + life);
const { FileCache } = await import('@lockless/file-cache');
const journal = new Journal(journalWords, blocks);
const cuts = new CutJournal(cutWords, blocks, slots);
const random = randomFrom(seed * 7919 + slot * 104_729 + life);
const cache = FileCache.attach(shared, { name: `slot ${slot}, life ${life}` });
const files = await Promise.all(paths.map((/** @type {string} */ path) => cache.open(path, 'r+')));
/** The last file is truncated by everybody: what is known of it, the journal of truncations says. */
const shrinking = files.length - 1;
/** There two blocks side by side have one writer, and are written at once. */
const pair = new Uint8Array(2 * BLOCK);
const words = new Int32Array(BLOCK / 4);
const bytes = new Uint8Array(words.buffer);
/** @type {Record<string, number>} */
const counts = {};

const anyBlock = () => (hot || random(3) === 0 ? random(8) : random(blocks));
const ownBlock = () => Math.floor(anyBlock() / slots) * slots + slot;

/** @param {number} file @param {number} block @returns {Promise<number>} bytes */
async function readBlock(file, block) {
  const form = hot ? 1 + random(2) : random(3);
  if (form === 0) return (await files[file].read(bytes, 0, BLOCK, block * BLOCK)).bytesRead;
  if (form === 1) return files[file].readSync(bytes, 0, BLOCK, block * BLOCK);
  const copied = files[file].tryRead(bytes, 0, BLOCK, block * BLOCK);
  return copied >= 0 ? copied : (await files[file].read(bytes, 0, BLOCK, block * BLOCK)).bytesRead;
}

/** A block of somebody else's, or of nobody's. */
async function lookUp() {
  const file = random(files.length);
  const block = anyBlock();
  if (file === shrinking) return void (await lookUpCut(block));
  const before = journal.done(file, block);
  const length = await readBlock(file, block);
  if (length !== BLOCK) throw new Error(`file ${file}, block ${block}: ${length} bytes were read`);
  const version = versionOf(words, file, block, 'read');
  const after = journal.attempted(file, block);
  // Who died in the middle of a write may have left either version.
  if (version > after || version < before)
    throw new Error(`file ${file}, block ${block}: version ${version} was read, of ${before} to ${after}`);
}

const doneInCut = (/** @type {number} */ block) => journal.done(shrinking, block);

/** A block of the file that is truncated. *Returns* its version. @param {number} block @returns {Promise<number>} */
async function lookUpCut(block) {
  const before = cuts.expected(block, doneInCut);
  words.fill(0);
  const length = await readBlock(shrinking, block);
  if (length !== 0 && length !== REST && length !== BLOCK) throw new Error(`block ${block}: ${length} bytes were read`);
  const found = versionOfRest(words, shrinking, block, 'read');
  cuts.check(found, block, before, 'read');
  const after = journal.attempted(shrinking, block);
  if (found.version > after) throw new Error(`block ${block}: version ${found.version} was read, of ${after}`);
  return found.version;
}

const ownPair = () =>
  2 * (Math.floor(random(random(3) === 0 ? blocks >> 1 : Math.min(32, blocks >> 1)) / slots) * slots + slot);

/** A pair that this thread has written, and nobody else: what is cut off of it is cut off from behind. */
async function lookPair(block = ownPair()) {
  if (block + 1 >= blocks || journal.attempted(shrinking, block) !== doneInCut(block)) return;
  const first = await lookUpCut(block);
  const second = await lookUpCut(block + 1);
  if (second !== 0 && second !== first)
    throw new Error(`block ${block} has version ${first}, the next ${second}: a write was cut in two`);
}

/** A pinned view: of a block that only this thread writes, so it stays as it is. */
async function look() {
  const file = random(shrinking);
  const block = ownBlock();
  const view =
    !hot && random(2) === 0 ? await files[file].view(block * BLOCK, BLOCK) : files[file].viewSync(block * BLOCK, BLOCK);
  bytes.set(view.chunks[0]);
  view.release();
  settle(file, block, versionOf(words, file, block, 'view'));
}

/** An own block has the version that was written last, or the one that was being written when the slot's last thread died. @param {number} file @param {number} block @param {number} version */
function settle(file, block, version) {
  const done = journal.done(file, block);
  const attempted = journal.attempted(file, block);
  if (version !== done && version !== attempted)
    throw new Error(`file ${file}, block ${block}: version ${version}, of ${done} or ${attempted}`);
}

async function write() {
  const file = random(shrinking);
  const block = ownBlock();
  const version = journal.attempted(file, block) + 1;
  fillBlock(words, file, block, version);
  journal.attempt(file, block, version);
  if (random(2) === 0) await files[file].write(bytes, 0, BLOCK, block * BLOCK);
  else files[file].writeSync(bytes, 0, BLOCK, block * BLOCK);
  journal.finish(file, block, version);
}

async function sync() {
  const file = random(files.length);
  const own = Array.from({ length: blocks }, (_, block) => block).filter(
    (block) => (file === shrinking ? Math.floor(block / 2) : block) % slots === slot,
  );
  const before = own.map((block) => ({ version: journal.done(file, block), generation: cuts.generation(block) }));
  if (random(2) === 0) await files[file].fsync();
  else files[file].fsyncSync();
  for (const [k, block] of own.entries()) {
    journal.sync(file, block, before[k].version);
    if (file === shrinking) cuts.sync(block, before[k].generation);
  }
}

async function shrink() {
  const block = random(2) === 0 ? random(blocks + 1) : random(Math.min(32, blocks));
  const size = Math.min(blocks * BLOCK, block * BLOCK + (random(3) === 0 ? REST : 0));
  const versions = cuts.beginTruncation(slot, size, doneInCut);
  if (random(2) === 0) await files[shrinking].truncate(size);
  else
    await blocking(
      () => files[shrinking].truncateSync(size),
      () => files[shrinking].truncate(size),
    );
  cuts.endTruncation(slot, size, versions);
}

/** What blocks is refused when it would wait for what this thread is at asynchronously. @param {() => void} now @param {() => Promise<unknown>} later */
async function blocking(now, later) {
  try {
    now();
  } catch (error) {
    if (/** @type {any} */ (error).code !== 'EDEADLK') throw error;
    counts.refused = (counts.refused ?? 0) + 1;
    await later();
  }
}

async function fill() {
  let first = ownPair();
  while (first + 1 >= blocks) first = ownPair();
  const version = journal.attempted(shrinking, first) + 1;
  const generations = [first, first + 1].map((block) => cuts.attempt(block));
  for (const block of [first, first + 1]) {
    fillBlock(words, shrinking, block, version);
    pair.set(bytes, (block - first) * BLOCK);
    journal.attempt(shrinking, block, version);
  }
  const write = () => files[shrinking].write(pair, 0, pair.length, first * BLOCK);
  if (random(2) === 0) await write();
  else await blocking(() => files[shrinking].writeSync(pair, 0, pair.length, first * BLOCK), write);
  for (const [k, generation] of generations.entries()) {
    cuts.finish(first + k, generation);
    journal.finish(shrinking, first + k, version);
  }
  if (random(2) === 0) await lookPair(first);
}

async function reclaim() {
  cache.reclaim((1 + random(32)) * BLOCK);
}

async function reopen() {
  const file = random(files.length);
  const fresh = await cache.open(paths[file], 'r+');
  const old = files[file];
  files[file] = fresh;
  await old.close();
}

/** @type {(readonly [string, number, () => Promise<void>])[]} */
const OPERATIONS = [
  ['lookUp', 100, lookUp],
  ['look', 40, look],
  ['write', 40, write],
  ['fill', 20, fill],
  ['lookPair', 20, lookPair],
  ['truncate', 6, shrink],
  ['reclaim', 4, reclaim],
  ['fsync', 1, sync],
  ['reopen', 1, reopen],
];
// What waits for nobody: as many meetings of readers and reclaim as can be.
if (hot) OPERATIONS.splice(0, OPERATIONS.length, ['lookUp', 100, lookUp], ['look', 10, look], ['reclaim', 4, reclaim]);
const TOTAL = OPERATIONS.reduce((sum, [, weight]) => sum + weight, 0);

function choose() {
  let left = random(TOTAL);
  for (const operation of OPERATIONS) {
    left -= operation[1];
    if (left < 0) return operation;
  }
  return OPERATIONS[0];
}

// Who had the slot before may have died in the middle of a truncation: after a write nobody is at it any more.
if (cuts.isTruncating(slot)) {
  await fill();
  cuts.truncationIsOver(slot);
}

let going = true;
parentPort?.on('message', () => {
  going = false;
});
parentPort?.postMessage({ kind: 'started' });
for (let done = 1; going; done++) {
  const [name, , perform] = choose();
  drawNoise();
  await perform();
  counts[name] = (counts[name] ?? 0) + 1;
  journal.beat(slot);
  if (done % 16 === 0) await new Promise((resolve) => setImmediate(resolve));
}
await cache.close();
parentPort?.postMessage({ kind: 'ended', counts, guards });
parentPort?.close();
