// SPDX-License-Identifier: GPL-2.0-only
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import type { FileCache } from '../src/node.js';
import { newCache, temporary } from './temporary.js';

const BLOCK = 4096;
const rounds = process.env.LOCKLESS_LONG === undefined ? 3 : 10;

/** A file whose block `i` holds the number i, 1024 times. */
const numbered = (blocks: number): Uint8Array =>
  new Uint8Array(Int32Array.from({ length: (blocks * BLOCK) / 4 }, (_, i) => Math.floor((i * 4) / BLOCK)).buffer);

interface Busy {
  readonly worker: Worker;
  readonly failed: Promise<unknown>;
}

async function startBusy(
  cache: FileCache,
  path: string,
  options: { seed: number; write: boolean; blocking: boolean },
): Promise<Busy> {
  const worker = new Worker(new URL('./modules/busy.mjs', import.meta.url), {
    execArgv: [], // the tests' own ones lead to sources
    workerData: { shared: cache.share(), path, ...options },
  });
  const failed = new Promise((resolve) => worker.once('error', resolve));
  const started = await Promise.race([once(worker, 'message'), failed]);
  if (started instanceof Error) throw started;
  return { worker, failed };
}

async function end({ worker, failed }: Busy): Promise<number> {
  worker.postMessage('end');
  const ended = await Promise.race([once(worker, 'message').then(([done]) => done), failed]);
  if (typeof ended !== 'number') throw ended;
  return ended;
}

const sleep = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Every block holds one number, and one that is its own. */
function checkBlocks(path: string, blocks: number): void {
  const words = new Int32Array(Uint8Array.from(readFileSync(path)).buffer);
  expect(words.length).toBe((blocks * BLOCK) / 4);
  for (let block = 0; block < blocks; block++) {
    const found = words.subarray((block * BLOCK) / 4, ((block + 1) * BLOCK) / 4);
    expect(found[0] % blocks).toBe(block);
    expect(found.every((word) => word === found[0])).toBe(true);
  }
}

it.each([false, true])(
  'three threads read and write one file that is larger than the budget, blocking: %s',
  async (blocking) => {
    const blocks = 400;
    const path = temporary(numbered(blocks));
    const cache = newCache({ budget: 800_000, mayBlock: false });
    const busy = await Promise.all(
      [1, 2, 3].map((seed) => startBusy(cache, path, { seed, write: seed !== 3, blocking })),
    );
    await sleep(400);
    const done = await Promise.all(busy.map(end));
    for (const count of done) expect(count).toBeGreaterThan(10);
    expect(await cache.verify()).toMatchObject({ problems: [], pins: 0, dirty: 0 });
    checkBlocks(path, blocks);
  },
);

it('copies without a reference are of one write, however hot the page', async () => {
  const path = temporary(new Uint8Array(8192));
  const cache = newCache({ mayBlock: false });
  const run = async (write: boolean): Promise<{ done: number; torn: number; missed: number }> => {
    const worker = new Worker(new URL('./modules/hot.mjs', import.meta.url), {
      execArgv: [],
      workerData: { shared: cache.share(), path, write, milliseconds: 400 },
    });
    await once(worker, 'message');
    return (await once(worker, 'message'))[0];
  };
  const [written, ...readers] = await Promise.all([run(true), run(false), run(false)]);
  expect(written.done).toBeGreaterThan(50);
  for (const { done, torn, missed } of readers) {
    expect(torn).toBe(0);
    expect(done).toBeGreaterThan(2 * missed);
  }
});

it('workers that are killed at any point leave nothing behind, and spoil nothing', async () => {
  const blocks = 300;
  const path = temporary(numbered(blocks));
  const cache = newCache({ budget: 600_000, mayBlock: false });
  const survivor = await startBusy(cache, path, { seed: 1, write: true, blocking: false });
  for (let round = 0; round < rounds; round++) {
    const victim = await startBusy(cache, path, {
      seed: 100 + round,
      write: round % 3 !== 0,
      blocking: round % 2 === 0,
    });
    await sleep(Math.random() * 40);
    await victim.worker.terminate();
  }
  await end(survivor);
  await cache.settled();
  expect(await cache.verify()).toMatchObject({
    problems: [],
    pins: 0,
    dirty: 0,
    objects: { inode: 1, file: 0, bio: 0 },
  });
  expect(cache.statistics().repairs).toBeGreaterThan(0);
  expect(cache.statistics().threads).toBe(1);
  checkBlocks(path, blocks);
});
