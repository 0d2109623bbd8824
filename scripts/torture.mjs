// SPDX-License-Identifier: MIT
// @ts-check
// Threads that read, write, truncate, reclaim and fsync files of one file cache, and a killer that ends them at random. What every block holds is verified by
// checksum and version; what was fsynced must be on the disk; every frame and reference is counted, with all threads stopped, again and again; in the end
// all memory is free. Needs a build.
//   npm run torture -- --seconds 600 --seed 1
// With --without GUARD a step of the protocol is left out; whether that is noticed depends on how threads meet.
// The operations of each thread and the times of the killer follow from the seed; how threads meet does not. Exit code 1 when something is wrong.
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { Command, Option } from 'commander';
import { BLOCK, CutJournal, fillBlock, Journal, randomFrom, versionOf, versionOfRest } from './torture-blocks.mjs';

/** @typedef {import('./torture-explain.mjs').Died} Died */

const options = new Command('torture')
  .option('--seconds <n>', 'how long', Number, 600)
  .option('--seed <n>', 'of the operations and of the killer', Number, 1)
  .option('--threads <n>', 'threads beside this one', Number, 3)
  .option('--files <n>', 'files; the last one is truncated', Number, 3)
  .option('--blocks <n>', 'blocks of 4,096 bytes in each file', Number, 300)
  .option('--budget <n>', 'blocks that the cache may hold', Number, 256)
  .option('--pause <ms>', 'between two deaths, at most', Number, 400)
  .addOption(new Option('--rcu <flavour>', 'of the machine').choices(['mb', 'qsbr']).default('mb'))
  .option('--without <guards...>', 'guards of kernel code to leave out: is it noticed?', [])
  .option('--noise', 'threads stop at random before their accesses')
  .option('--hot', 'only lookups and reclaim, of few blocks, without waiting: as many meetings as can be')
  .option('--hangs <s>', 'a thread that has done nothing for so long hangs', Number, 60)
  .option('--asked', 'list the guards that threads came to')
  .parse()
  .opts();
// Before the modules are loaded that define them.
const surroundings = /** @type {any} */ (globalThis);
surroundings.locklessWithout = options.without;
/** @type {Set<string>} */
const asked = new Set();
if (options.asked) surroundings.locklessOnGuard = (/** @type {string} */ guard) => asked.add(guard);
const { FileCache } = await import('@lockless/file-cache');
const { explain } = await import('./torture-explain.mjs');
const HANGS = options.hangs * 1000;

const { seconds, seed, threads: slots, blocks } = options;
const folder = mkdtempSync(join(tmpdir(), 'lockless-torture-'));
const paths = Array.from({ length: options.files }, (_, file) => join(folder, `file-${file}`));
const journal = Journal.create(options.files, blocks, slots);
const cuts = CutJournal.create(blocks, slots);
const random = randomFrom(seed);
const words = new Int32Array(BLOCK / 4);
const bytes = new Uint8Array(words.buffer);

for (const [file, path] of paths.entries()) {
  const descriptor = openSync(path, 'w');
  for (let block = 0; block < blocks; block++) {
    fillBlock(words, file, block, 1);
    writeSync(descriptor, bytes);
    for (const note of ['attempt', 'finish', 'sync']) journal[/** @type {'attempt'} */ (note)](file, block, 1);
  }
  closeSync(descriptor);
}

const cache = FileCache.create({
  budget: options.budget * BLOCK,
  threads: 2 * slots + 2,
  mayBlock: false,
  readAhead: 8 * BLOCK,
  rcu: options.rcu,
});

/** @type {string[]} What is wrong. */
const problems = [];
/** What helps to understand it. @type {string[]} */
let explanation = [];
/** @type {Died[]} */
const deaths = [];
/** @type {Record<string, number>} */
const counts = { deaths: 0, verifications: 0 };
let interrupted = false;

/** @typedef {{ worker: Worker, slot: number, life: number, started: Promise<void>, ended: Promise<void>, dying: boolean, beats: number, since: number }} Thread */

/** @type {Thread[]} */
const threads = [];
let lives = 0;

/** @param {number} slot @returns {Thread} */
function start(slot) {
  const worker = new Worker(new URL('./torture-worker.mjs', import.meta.url), {
    workerData: {
      shared: cache.share(),
      paths,
      blocks,
      slot,
      slots,
      life: lives++,
      seed,
      journalWords: journal.words,
      cutWords: cuts.words,
      without: options.without,
      noise: options.noise,
      hot: options.hot,
      asked: options.asked,
    },
  });
  /** @type {Thread} */
  const thread = {
    ...{ worker, slot, life: lives - 1, dying: false, beats: -1, since: performance.now() },
    started: new Promise((resolve) => worker.once('message', () => resolve())),
    ended: new Promise((resolve) => worker.once('exit', () => resolve())),
  };
  worker.on('message', (message) => {
    if (message.kind !== 'ended') return;
    for (const [name, n] of Object.entries(message.counts)) counts[name] = (counts[name] ?? 0) + n;
    for (const guard of message.guards) asked.add(guard);
  });
  worker.on('error', (error) => {
    if (!thread.dying) problems.push(`slot ${slot}: ${error.stack}`);
  });
  return thread;
}

const sleep = (/** @type {number} */ milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Ends a thread wherever it is, and starts another one in its place. */
async function kill() {
  const slot = random(slots);
  const thread = threads[slot];
  await Promise.race([thread.started, thread.ended]);
  const pause = random(options.pause);
  // It shall have something in its hands.
  const before = journal.beats(slot);
  for (let waited = 0; waited < 100 && journal.beats(slot) < before + 20; waited++) await sleep(20);
  await sleep(pause);
  thread.dying = true;
  await thread.worker.terminate();
  deaths.push({ slot, life: thread.life, at: performance.now() });
  counts.deaths++;
  threads[slot] = start(slot);
}

/** Everything in memory, with all threads stopped. @param {string} when */
async function verify(when) {
  const found = await cache.verify();
  counts.verifications++;
  for (const problem of found.problems) problems.push(`${when}: ${problem}`);
  return found;
}

function findHanging() {
  for (const thread of threads) {
    const beats = journal.beats(thread.slot);
    if (beats !== thread.beats) Object.assign(thread, { beats, since: performance.now() });
    else if (performance.now() - thread.since > HANGS)
      problems.push(`slot ${thread.slot}: nothing for ${HANGS / 1000} s`);
  }
}

/** What is on the disk, once everything is written: not through the cache. */
function verifyDisk() {
  for (const [file, path] of paths.entries()) {
    const descriptor = openSync(path, 'r');
    for (let block = 0; block < blocks; block++) {
      words.fill(0);
      readSync(descriptor, bytes, 0, BLOCK, block * BLOCK);
      if (file === options.files - 1) {
        verifyCut(block);
        continue;
      }
      const version = versionOf(words, file, block, 'on disk');
      const [synced, attempted] = [journal.synced(file, block), journal.attempted(file, block)];
      if (version < synced || version > attempted)
        problems.push(`file ${file}, block ${block}: version ${version} is on disk, of ${synced} to ${attempted}`);
    }
    closeSync(descriptor);
  }
}

/** A block of the file that was truncated, as the disk has it. @param {number} block */
function verifyCut(block) {
  const file = options.files - 1;
  const found = versionOfRest(words, file, block, 'on disk');
  const known = cuts.expected(block, (each) => journal.done(file, each));
  cuts.check(found, block, known, 'on disk');
  const synced = { ...known, done: journal.synced(file, block), generation: cuts.syncedGeneration(block) };
  cuts.check(found, block, synced, 'synced, on disk');
}

async function torture() {
  for (let slot = 0; slot < slots; slot++) threads.push(start(slot));
  const until = performance.now() + seconds * 1000;
  for (let round = 1; performance.now() < until && problems.length === 0 && !interrupted; round++) {
    await kill();
    findHanging();
    if (round % 5 === 0) await verify(`after ${counts.deaths} deaths`);
    if (process.stderr.isTTY) process.stderr.write(`\r${counts.deaths} deaths, ${counts.verifications} verifications `);
  }
}

async function end() {
  for (const { worker } of threads) worker.postMessage('end');
  const late = setTimeout(() => {
    problems.push(`threads did not end within ${options.hangs} s`);
    for (const thread of threads) void thread.worker.terminate();
  }, HANGS);
  await Promise.all(threads.map(({ ended }) => ended));
  clearTimeout(late);
  await cache.settled();
  for (const path of paths) {
    const file = await cache.open(path, 'r+');
    await file.fsync();
    await file.close();
  }
  const { pins, dirty } = await verify('in the end');
  if (pins !== 0) problems.push(`in the end: ${pins} pages are pinned`);
  if (dirty !== 0) problems.push(`in the end: ${dirty} pages are dirty`);
  verifyDisk();
  while (cache.reclaim(options.budget * BLOCK) > 0);
  const { cached, free, frames } = await verify('after reclaim');
  if (cached !== 0 || free !== frames)
    problems.push(`after reclaim: ${cached} pages are cached, ${free} of ${frames} frames free`);
}

process.once('SIGINT', () => {
  interrupted = true;
});
try {
  await torture();
  if (problems.length > 0)
    explanation = await explain({ cache, paths, journal, deaths, now: performance.now() }, problems);
  await end();
  await cache.close();
} catch (error) {
  problems.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
} finally {
  rmSync(folder, { recursive: true });
}
// Of who died, only how much it did is known.
counts.operations = threads.reduce((sum, { slot }) => sum + journal.beats(slot), 0);
const done = Object.entries(counts).map(([name, n]) => `${n.toLocaleString('en-US')} ${name}`);
console.log(`${done.join(', ')}; seed ${seed}`);
if (options.asked) console.log(`guards: ${[...asked].join(' ')}`);
for (const problem of problems.slice(0, 20)) console.log(problem);
for (const line of explanation) console.log(line);
console.log(
  problems.length === 0
    ? 'contents, counts and memory are right; what was fsynced is on the disk'
    : `${problems.length} problems; again: npm run torture -- ${[...process.argv.slice(2), ...(process.argv.includes('--seed') ? [] : ['--seed', seed])].join(' ')}`,
);
process.exit(problems.length === 0 ? (interrupted ? 130 : 0) : 1);
