// SPDX-License-Identifier: MIT
// @ts-check
// One thread of the torture run: reads, writes, truncates, reclaims at random, until it is told to end, or dies. What it finds wrong is an error.
import { parentPort, workerData } from 'node:worker_threads';
import { drawNoise, makeNoise, seedNoise } from '@lockless/outcomes/noise';
import { BLOCK, fillBlock, Journal, randomFrom, versionOf } from './torture-blocks.mjs';

const { shared, paths, blocks, slot, slots, life, seed, journalWords, without, noise, asked, hot } = workerData;
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
const random = randomFrom(seed * 7919 + slot * 104_729 + life);
const cache = FileCache.attach(shared, { name: `slot ${slot}, life ${life}` });
const files = await Promise.all(paths.map((/** @type {string} */ path) => cache.open(path, 'r+')));
/** The last file is truncated and written by everybody: there nothing is known but that a block is whole, or a hole. */
const shrinking = files.length - 1;
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
  const before = file === shrinking ? 0 : journal.done(file, block);
  const length = await readBlock(file, block);
  if (file === shrinking) {
    if (length === BLOCK) versionOf(words, file, block, 'read');
    return;
  }
  if (length !== BLOCK) throw new Error(`file ${file}, block ${block}: ${length} bytes were read`);
  const version = versionOf(words, file, block, 'read');
  const after = journal.attempted(file, block);
  // Who died in the middle of a write may have left either version.
  if (version > after || version < before)
    throw new Error(`file ${file}, block ${block}: version ${version} was read, of ${before} to ${after}`);
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
  const file = random(shrinking);
  const own = Array.from({ length: Math.ceil(blocks / slots) }, (_, k) => k * slots + slot).filter((b) => b < blocks);
  const before = own.map((block) => journal.done(file, block));
  if (random(2) === 0) await files[file].fsync();
  else files[file].fsyncSync();
  for (const [k, block] of own.entries()) journal.sync(file, block, before[k]);
}

async function shrink() {
  const size = random(blocks + 1) * BLOCK;
  await files[shrinking].truncate(size);
}

async function fill() {
  const block = anyBlock();
  fillBlock(words, shrinking, block, 1 + random(1000));
  await files[shrinking].write(bytes, 0, BLOCK, block * BLOCK);
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
  ['fill', 10, fill],
  ['truncate', 3, shrink],
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
