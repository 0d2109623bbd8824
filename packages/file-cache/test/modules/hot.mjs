// SPDX-License-Identifier: GPL-2.0-only
import { parentPort, workerData } from 'node:worker_threads';
import { FileCache } from '@lockless/file-cache';

/** Writes the first page of a file over and over, each time with one other byte; or reads it without a reference, and counts copies that are of two writes. */
const { shared, path, write, milliseconds } = workerData;
const cache = FileCache.attach(shared);
const file = await cache.open(path, write ? 'r+' : 'r');
const bytes = new Uint8Array(4096);
const end = Date.now() + milliseconds;
let done = 0;
let torn = 0;
let missed = 0;
parentPort.postMessage('started');
for (; Date.now() < end; done++) {
  if (write) {
    file.writeSync(bytes.fill(done), 0, bytes.length, 0);
    continue;
  }
  if (file.tryRead(bytes, 0, bytes.length, 0) < 0) {
    missed++;
    file.readSync(bytes, 0, 8, 0);
  } else if (bytes[0] !== bytes[4095] || bytes[0] !== bytes[2000]) torn++;
}
await cache.close();
parentPort.postMessage({ done, torn, missed });
parentPort.close();
