// SPDX-License-Identifier: GPL-2.0-only
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { SharedMap } from '../src/index.js';
import { controlWords, pause, start, type Thread } from './threads.js';

/*
 * How asynchronous changes wait: woken by who makes way, and not by a clock.
 */

let map: SharedMap;
let control: Int32Array;
beforeEach(() => {
  map = SharedMap.create({ bytes: 1 << 24, threads: 8 });
  control = controlWords();
});
afterEach(() => {
  vi.restoreAllMocks();
  map.detach();
});

/** A thread that holds the map's lock until it is told to go on, by control word 0. */
async function holder(): Promise<Thread> {
  const thread = start(map, 'holdLock', control);
  await thread.message();
  await thread.message();
  return thread;
}

const letGo = (): void => {
  Atomics.store(control, 0, 1);
  Atomics.notify(control, 0);
};

/** Not before it is let go. */
async function staysPending(change: Promise<unknown>): Promise<void> {
  expect(await Promise.race([change, pause(30).then(() => 'pending')])).toBe('pending');
}

it('a writer that another one holds up sleeps, sets no timer, and is woken when the other is done', async () => {
  const thread = await holder();
  const waits = vi.spyOn(Atomics as unknown as { waitAsync(...args: unknown[]): unknown }, 'waitAsync');
  const timers = vi.spyOn(globalThis, 'setTimeout');
  const change = map.setAsync(7, 'seven').then(() => performance.now());
  await new Promise((resolve) => setImmediate(resolve));
  expect(waits).toHaveBeenCalledTimes(1);
  const woken = waits.mock.results[0].value as { value: Promise<string> };
  letGo();
  await change;
  // Whoever looks again too early sleeps once more, and is woken once more; nobody looks by the clock.
  expect(await woken.value).toBe('ok');
  expect(waits.mock.calls.length).toBeLessThanOrEqual(3);
  expect(timers).not.toHaveBeenCalled();
  expect(map.get(7)).toBe('seven');
  await thread.ended;
});

it('several wait at a time, in several ways; the death of who held them up wakes them, too', async () => {
  const thread = await holder();
  const changes = [map.setAsync(1, 1), map.updateAsync(2, () => 2), map.deleteAsync(3), map.setAsync(4, 4)];
  await staysPending(Promise.race(changes));
  await thread.worker.terminate();
  const begin = performance.now();
  await Promise.all(changes);
  expect(performance.now() - begin).toBeLessThan(400);
  expect([...map]).toEqual([
    [1, 1],
    [2, 2],
    [4, 4],
  ]);
});

it('without Atomics.waitAsync, too', async () => {
  const atomics = Atomics as unknown as { waitAsync?: unknown };
  const { waitAsync } = atomics;
  atomics.waitAsync = undefined;
  try {
    const thread = await holder();
    const change = map.setAsync(7, 'seven');
    await staysPending(change);
    letGo();
    await change;
    expect(map.get(7)).toBe('seven');
    await thread.ended;
  } finally {
    atomics.waitAsync = waitAsync;
  }
});

it('who waits for memory is woken by another thread that deletes', async () => {
  const big = new Uint8Array(100_000);
  let stored = 0;
  expect(() => {
    for (; stored < 1000; stored++) map.set(stored, big);
  }).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_MEMORY' }));
  const thread = start(map, 'deleteAndStay', control);
  await thread.message();
  const change = map.setAsync(stored, big);
  letGo();
  await change;
  expect(map.get(stored)).toEqual(big);
  Atomics.store(control, 0, 2);
  Atomics.notify(control, 0);
  await thread.ended;
});

it('a program ends when its changes are done, and waits for those that are not', async () => {
  const program = `
    import { Worker } from 'node:worker_threads';
    import { SharedMap } from '@lockless/shared-map';
    const map = SharedMap.create({ bytes: 1 << 24 });
    const control = new Int32Array(new SharedArrayBuffer(256));
    const worker = new Worker(new URL('threads/worker.mjs', ${JSON.stringify(import.meta.url)}), {
      workerData: { handle: map.share(), job: 'holdLock', control, self: 0 },
      execArgv: [],
    });
    let messages = 0;
    worker.on('message', async () => {
      if (++messages !== 2) return;
      worker.unref();
      const change = map.setAsync(1, 'one');
      Atomics.store(control, 1, 1); // lets go a little later
      Atomics.notify(control, 1);
      await change;
      console.log(map.get(1), process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length);
    });
  `;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program], {
    cwd: import.meta.dirname,
    timeout: 30_000,
  });
  expect(stdout).toBe('one 0\n');
});
