// SPDX-License-Identifier: GPL-2.0-only
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { FailingStorage, Gate } from './failing-storage.js';
import { newCache, patterned, temporary } from './temporary.js';

const PAGE = 4096;

/*
 * Two threads, each of which is reading a page asynchronously and then blocks until it has the other's: neither read could end.
 */
it.each(['read', 'write', 'truncate'])(
  'a blocking %s does not wait for a read of a thread that may wait for this one',
  async (kind) => {
    const storage = new FailingStorage();
    const cache = newCache({ storage, readAhead: 0 });
    const contents = patterned(8 * PAGE);
    const path = temporary(contents);
    const file = await cache.open(path, 'r+');
    const word = new Int32Array(new SharedArrayBuffer(4));
    const worker = new Worker(new URL('./modules/reading.mjs', import.meta.url), {
      execArgv: [],
      workerData: { shared: cache.share(), path, word },
    });
    const exited = once(worker, 'exit');
    await once(worker, 'message');
    const gate = new Gate();
    storage.slow = gate.passed;
    const reading = file.read(new Uint8Array(10), 0, 10, 4 * PAGE);
    const expected = contents.slice();
    if (kind === 'read') {
      const found = new Uint8Array(PAGE);
      expect(file.readSync(found, 0, PAGE, 0)).toBe(PAGE);
      expect(Buffer.compare(found, contents.subarray(0, PAGE))).toBe(0);
    } else if (kind === 'write') {
      file.writeSync(Uint8Array.of(1, 2, 3), 0, 3, 7);
      expected.set([1, 2, 3], 7);
    } else {
      file.truncateSync(0);
      file.writeSync(Uint8Array.of(1, 2, 3), 0, 3, 5000);
      expected.fill(0, 0, PAGE);
    }
    Atomics.store(word, 0, 1);
    const [found] = await once(worker, 'message');
    expect(Buffer.compare(found, expected.subarray(0, PAGE))).toBe(0);
    gate.open();
    await reading;
    expect(file.size).toBe(kind === 'truncate' ? 5003 : 8 * PAGE);
    await exited;
    expect(await cache.verify()).toMatchObject({ problems: [], pins: 0 });
  },
);
