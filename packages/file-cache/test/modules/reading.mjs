// SPDX-License-Identifier: GPL-2.0-only
import { parentPort, workerData } from 'node:worker_threads';
import { FileCache, nodeStorage } from '@lockless/file-cache';

/** Reads the first page of a file; the storage has read it, and says so only when the word is set. Then, what the page holds. */
const { shared, path, word } = workerData;
const storage = {
  ...nodeStorage,
  open: async (...args) => {
    const file = await nodeStorage.open(...args);
    return {
      ...file,
      read: async (...range) => {
        const count = await file.read(...range);
        if (Atomics.load(word, 0) === 0) parentPort.postMessage('reading');
        while (Atomics.load(word, 0) === 0) await new Promise((resolve) => setTimeout(resolve, 1));
        return count;
      },
    };
  },
};
const cache = FileCache.attach(shared, { storage });
const file = await cache.open(path, 'r+');
const { buffer } = await file.read(new Uint8Array(4096));
await cache.close();
parentPort.postMessage(buffer);
parentPort.close();
