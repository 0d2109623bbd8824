// SPDX-License-Identifier: GPL-2.0-only
import { blobStorage, FileCache, opfsStorage } from '@lockless/file-cache';
import { NativeMachine } from '@lockless/native';
import { SharedMap } from '@lockless/shared-map';
import { firstWrong, patterned } from './pattern.js';

/*
 * What the page does that the tests drive, by `page.evaluate('lab. ...')`: a cache, and workers that are told what to do.
 */

let bytesRead = 0;
const { slice } = Blob.prototype;
Blob.prototype.slice = function (start, end) {
  const part = slice.call(this, start, end);
  bytesRead += part.size;
  return part;
};

/** The result, or what went wrong, of a call. */
const outcome = async (call) => {
  try {
    return { result: await call() };
  } catch (error) {
    return { error: { name: error.name, code: error.code, message: error.message } };
  }
};

class Hand {
  constructor(script) {
    this.worker = new Worker(script, { type: 'module' });
    this.answers = [];
    this.worker.onmessage = ({ data }) => this.answers.shift()?.(data);
    this.worker.onerror = (event) => this.answers.shift()?.({ error: { message: `worker: ${event.message}` } });
  }
  tell(job, ...args) {
    return new Promise((resolve) => {
      this.answers.push(resolve);
      this.worker.postMessage({ job, args });
    });
  }
}

globalThis.lab = {
  cache: undefined,
  map: undefined,
  hands: [],
  files: new Map(),

  /** A cache in this window, and workers that take part. */
  async begin({ workers, opfs = false, blobs, without = [], ...options }) {
    if (without.includes('waitAsync')) delete Atomics.waitAsync;
    if (without.includes('locks')) delete Navigator.prototype.locks;
    const files = blobs && Object.fromEntries(blobs.map((length, i) => [`blob ${i}`, new Blob([patterned(length)])]));
    this.cache = FileCache.create({ budget: 1 << 20, storage: opfs ? opfsStorage() : blobStorage(files), ...options });
    this.hands = Array.from({ length: workers }, () => new Hand('worker.js'));
    const shared = this.cache.share();
    const attach = (hand, i) => hand.tell('attach', { shared, blobs: files, without, name: `worker ${i}` });
    return await Promise.all(this.hands.map(attach));
  },
  /** All workers do it at the same time. */
  all(job, ...args) {
    return Promise.all(this.hands.map((hand) => hand.tell(job, ...args)));
  },
  tell(worker, job, ...args) {
    return this.hands[worker].tell(job, ...args);
  },
  threadDied(name) {
    this.cache.threadDied(this.cache.threads().find((thread) => thread.name === name).cpu);
  },
  terminate(worker) {
    this.hands[worker].worker.terminate();
  },
  /** This window's own file. */
  async open(path, flags) {
    return await outcome(async () => {
      this.files.set(path, await this.cache.open(path, flags));
      return this.files.get(path).size;
    });
  },
  async read(path, from, length, seed) {
    return await outcome(async () => {
      const { bytesRead, buffer } = await this.files.get(path).read(new Uint8Array(length), 0, length, from);
      return [bytesRead, firstWrong(buffer.subarray(0, bytesRead), from, seed)];
    });
  },
  /** What blocks. */
  async blocking(path) {
    const file = this.files.get(path);
    return [
      await outcome(() => this.cache.openSync(path)),
      await outcome(() => file.readSync(new Uint8Array(10), 0, 10, 500_000)),
      await outcome(() => file.fsyncSync()),
    ];
  },
  /** A map in this window, and workers that count in it while this window does. */
  async count(workers, times) {
    this.map = SharedMap.create({ bytes: 1 << 24 }).set(1, 'one');
    this.hands = Array.from({ length: workers }, () => new Hand('worker.js'));
    const seen = await this.all('attachMap', this.map.share());
    const counting = this.all('addToMap', times);
    for (let i = 0; i < times; i++) await this.map.updateAsync(100, (old = 0) => old + 1);
    await counting;
    return [seen, this.map.get(100)];
  },
  machine: () => outcome(() => NativeMachine.create()),
  createCache: () => outcome(() => FileCache.create({ budget: 1 << 20, storage: opfsStorage() })),
  createMap: () => outcome(() => SharedMap.create()),
  attachCache: (shared = { type: 'lockless-file-cache', frames: new ArrayBuffer(8), machine: {} }) =>
    outcome(() => FileCache.attach(shared, { storage: opfsStorage() })),
  /** Bytes that this window has read of blobs. */
  bytesRead: () => bytesRead,
  /** Until so many threads are left, by the cache's own count. */
  async untilThreads(count) {
    while (this.cache.statistics().threads !== count) await new Promise((resolve) => setTimeout(resolve, 5));
    await this.cache.settled();
  },
  /** The longest time between two turns of this window's event loop while something goes on, in milliseconds. */
  async longestTurn(work) {
    let longest = 0;
    let last = performance.now();
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
      port2.postMessage(0);
    };
    port2.postMessage(0);
    const result = await work();
    port1.close();
    return { result, longest };
  },
};
