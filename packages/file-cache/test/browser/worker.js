// SPDX-License-Identifier: GPL-2.0-only
import { blobStorage, FileCache, opfsStorage } from '@lockless/file-cache';
import { SharedMap } from '@lockless/shared-map';
import { firstWrong, patterned } from './pattern.js';

/*
 * A worker of the page: does what it is told, and says what came of it.
 */

let cache;
let map;
const files = new Map();
const held = [];

let bytesRead = 0;
let released;
let release;
const { slice, arrayBuffer } = Blob.prototype;
Blob.prototype.slice = function (start, end) {
  const part = slice.call(this, start, end);
  bytesRead += part.size;
  return part;
};
Blob.prototype.arrayBuffer = async function () {
  await released;
  return await arrayBuffer.call(this);
};

const jobs = {
  attach({ shared, blobs, name, without = [] }) {
    forget(without);
    cache = FileCache.attach(shared, { storage: blobs ? blobStorage(blobs) : opfsStorage(), name });
    return { isolated: globalThis.crossOriginIsolated, threads: cache.statistics().threads };
  },
  async open(path, flags) {
    files.set(path, await cache.open(path, flags));
    return files.get(path).size;
  },
  openSync(path) {
    files.set(path, cache.openSync(path));
    return files.get(path).size;
  },
  /** Reads a range, in pieces; where it is wrong. */
  async read(path, from, to, { seed, piece = 10_000, sync = false } = {}) {
    const buffer = new Uint8Array(piece);
    for (let at = from; at < to; at += piece) {
      const length = Math.min(piece, to - at);
      const file = files.get(path);
      const count = sync ? file.readSync(buffer, 0, length, at) : (await file.read(buffer, 0, length, at)).bytesRead;
      const wrong = firstWrong(buffer.subarray(0, count), at, seed);
      if (count < length) return `${count} bytes at ${at}`;
      if (wrong >= 0) return `wrong at ${at + wrong}`;
    }
    return 'right';
  },
  async bytes(path, from, length) {
    const { bytesRead, buffer } = await files.get(path).read(new Uint8Array(length), 0, length, from);
    return [...buffer.subarray(0, bytesRead)];
  },
  /** In place, and in shared memory. */
  async view(path, from, length, seed) {
    using view = await files.get(path).view(from, length);
    return [view.length, firstWrong(view.copy(), from, seed), view.chunks[0].buffer instanceof SharedArrayBuffer];
  },
  async write(path, from, length, { seed, sync = false } = {}) {
    const bytes = patterned(length, seed, from);
    if (sync) return files.get(path).writeSync(bytes, 0, length, from);
    return (await files.get(path).write(bytes, 0, length, from)).bytesWritten;
  },
  fsync: (path, sync) => (sync ? files.get(path).fsyncSync() : files.get(path).fsync()),
  truncate: (path, size) => files.get(path).truncate(size),
  size: (path) => files.get(path).size,
  async close(path) {
    await files.get(path).close();
    files.delete(path);
  },
  /** Bytes that this worker has read of blobs. */
  bytesRead: () => bytesRead,
  /** From here on, what is read of blobs comes when it is released: the first read says that it has begun. */
  holdReads: () => void (released = new Promise((resolve) => (release = resolve))),
  begins: (path, at) => void files.get(path).read(new Uint8Array(1), 0, 1, at),
  releaseReads: () => release(),
  closeCache: () => cache.close(),
  async holdPage(path, index) {
    held.push(await files.get(path).page(index));
    return cache.held;
  },
  /** What the file system has, past the cache. */
  async stored(path) {
    const root = await navigator.storage.getDirectory();
    const bytes = new Uint8Array(await (await (await root.getFileHandle(path)).getFile()).arrayBuffer());
    return [bytes.length, firstWrong(bytes, 0)];
  },
  attachMap(handle) {
    map = SharedMap.attach(handle);
    return map.get(1);
  },
  addToMap(count) {
    for (let i = 0; i < count; i++) map.add(100, 1);
    return map.get(100);
  },
  /** Never comes back: reads, or writes a map, for ever, without an event loop. */
  busy(path, from, to) {
    postMessage({ busy: true });
    const buffer = new Uint8Array(4096);
    for (let at = from; ; at = at + 4096 >= to ? from : at + 4096) files.get(path).readSync(buffer, 0, 4096, at);
  },
};

/** As browsers are that lack something. */
function forget(what) {
  if (what.includes('waitAsync')) delete Atomics.waitAsync;
  if (what.includes('locks')) delete WorkerNavigator.prototype.locks;
  if (!what.includes('mode')) return;
  // Access handles are exclusive there.
  delete FileSystemSyncAccessHandle.prototype.mode;
  const create = FileSystemFileHandle.prototype.createSyncAccessHandle;
  FileSystemFileHandle.prototype.createSyncAccessHandle = function () {
    return create.call(this);
  };
}

addEventListener('message', async ({ data: { job, args } }) => {
  try {
    postMessage({ result: await jobs[job](...args) });
  } catch (error) {
    postMessage({ error: { name: error.name, code: error.code, message: error.message } });
  }
});
