// SPDX-License-Identifier: MIT
// @ts-check
// A thread that takes part in a file cache, and stops at the n-th store of a sequence of operations: for ever, and whoever started it ends it; or until it is told to go on.
import { parentPort, workerData } from 'node:worker_threads';
import { Disk } from './deaths-disk.mjs';
import { Notes } from './deaths-pieces.mjs';
import { SEQUENCES } from './deaths-sequences.mjs';

let passed = 0;
let stopAt = Number.POSITIVE_INFINITY;
/** Stores from one stop to the next; 0: the first is the last. */
let every = 0;
/** Where this thread stands, and how often it was told to go on. */
const control = new Int32Array(/** @type {SharedArrayBuffer} */ (workerData.control));
let turns = 0;

/** A store, or what else may be the last thing that a thread does. @template T @param {T} value @returns {T} */
function point(value) {
  if (++passed !== stopAt) return value;
  if (every === 0) {
    const stack = (new Error().stack ?? '').split('\n').slice(2, 10);
    parentPort?.postMessage({ kind: 'stopped', stack, passed });
  }
  stopAt += every;
  Atomics.store(control, 0, passed);
  Atomics.notify(control, 0);
  Atomics.wait(control, 1, turns++);
  return value;
}
Object.assign(globalThis, { locklessPoint: point, locklessWithout: workerData.without });
const { FileCache } = await import(workerData.module);

parentPort?.once('message', async ({ name, shared, files, disk: parts, notes: words, first, stride }) => {
  const sequence = SEQUENCES[name];
  const disk = new Disk(parts.buffer, parts.files, parts.bytes);
  const storage = disk.storage(() => point(undefined), true);
  const cache = FileCache.attach(shared, { name: 'victim', storage });
  const file = sequence.opens ? undefined : cache.openSync('0', 'r+');
  const hands = { cache, file, files, notes: new Notes(words), point: () => point(undefined) };
  await sequence.before?.(hands);
  passed = 0;
  stopAt = first;
  every = stride;
  await sequence.act(hands);
  stopAt = Number.POSITIVE_INFINITY;
  parentPort?.postMessage({ kind: 'ended', passed, stack: [] });
  Atomics.store(control, 0, -1);
  Atomics.notify(control, 0);
  // A stop that is not at a store: the sequence is over, and the thread has done nothing since.
  Atomics.wait(control, 1, turns++);
});
parentPort?.postMessage({ kind: 'ready' });
