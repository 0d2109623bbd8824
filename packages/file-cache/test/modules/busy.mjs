// SPDX-License-Identifier: GPL-2.0-only
import { parentPort, workerData } from 'node:worker_threads';
import { FileCache } from '@lockless/file-cache';

/** Reads and writes blocks of a file at random until it is told to end, or dies. Every block holds 1024 times one number: another content is an error. */
const { shared, path, seed, write, blocking } = workerData;
const cache = FileCache.attach(shared, { name: `busy ${seed}` });
const file = await cache.open(path, write ? 'r+' : 'r');
const BLOCK = 4096;
const blocks = file.size / BLOCK;
const words = new Int32Array(BLOCK / 4);
const bytes = new Uint8Array(words.buffer);

let state = seed * 7919 + 1;
const random = (n) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * n);
};

let done = 0;
let going = true;
parentPort.on('message', () => {
  going = false;
});

function check(chunk, block) {
  const found = new Int32Array(chunk.buffer, chunk.byteOffset, chunk.length / 4);
  // Another thread may write to a view meanwhile, but never anything but a number that is one block's.
  for (const word of found) if (word % blocks !== block) throw new Error(`block ${block} holds ${word}`);
}

async function step() {
  const block = random(4) === 0 ? random(8) : random(blocks);
  const kind = random(write ? 4 : 3);
  if (kind === 0) {
    const view = blocking ? file.viewSync(block * BLOCK, BLOCK) : await file.view(block * BLOCK, BLOCK);
    check(view.chunks[0], block);
    view.release();
  } else if (kind < 3) {
    if (blocking) file.readSync(bytes, 0, BLOCK, block * BLOCK);
    else await file.read(bytes, 0, BLOCK, block * BLOCK);
    check(bytes, block);
    if (words.some((word) => word !== words[0])) throw new Error(`a copy of block ${block} is torn`);
  } else {
    words.fill(block + blocks * random(1000));
    if (blocking) file.writeSync(bytes, 0, BLOCK, block * BLOCK);
    else await file.write(bytes, 0, BLOCK, block * BLOCK);
    if (random(200) === 0) await file.fsync();
  }
}

parentPort.postMessage('started');
while (going) {
  await step();
  if (++done % 16 === 0) await new Promise((resolve) => setImmediate(resolve));
}
await cache.close();
parentPort.postMessage(done);
parentPort.close();
