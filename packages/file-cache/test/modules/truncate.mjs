// SPDX-License-Identifier: GPL-2.0-only
import { parentPort, workerData } from 'node:worker_threads';
import { FileCache, nodeStorage } from '@lockless/file-cache';

/** Truncates a file of a storage that never does it; says so when the size in the cache is the new one. */
const { shared, path, size } = workerData;
const storage = {
  ...nodeStorage,
  open: async (...args) => ({
    ...(await nodeStorage.open(...args)),
    truncate: () => {
      parentPort.postMessage(file.size);
      return new Promise(() => {});
    },
  }),
};
const cache = FileCache.attach(shared, { storage });
const file = await cache.open(path, 'r+');
await file.truncate(size);
