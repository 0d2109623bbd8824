// SPDX-License-Identifier: GPL-2.0-only
import { parentPort, workerData } from 'node:worker_threads';

/** Writes beyond the end of a file, and stops for ever where the page is filled and dirty, and the file is to become longer: the lock of its sizes is taken. */
const { shared, path, at } = workerData;
let record = 0;
globalThis.locklessOnPrimitive = (name, address) => {
  if (record === 0 || name !== 'spin_lock' || address < record || address >= record + 16) return;
  parentPort.postMessage('dirty');
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
};
const { FileCache } = await import('@lockless/file-cache');
const cache = FileCache.attach(shared);
const file = await cache.open(path, 'r+');
record = file.record;
await file.write(new Uint8Array(50).fill(77), 0, 50, at);
