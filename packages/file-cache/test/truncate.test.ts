// SPDX-License-Identifier: GPL-2.0-only
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import type { CachedFile, FileCache } from '../src/node.js';
import { errno, FailingStorage, Gate } from './failing-storage.js';
import { newCache, patterned, temporary } from './temporary.js';

const PAGE = 4096;
const sleep = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));
/** Until the operation has come to where it is held. */
async function untilHeld({ held }: FailingStorage, operation: 'stat' | 'truncate'): Promise<void> {
  while (held[operation] !== undefined) await sleep(1);
}
const deadlock: unknown = expect.objectContaining({ code: 'EDEADLK' });

/** A file of the cache, open twice, and what it holds. */
interface Opened {
  readonly storage: FailingStorage;
  readonly cache: FileCache;
  readonly path: string;
  readonly file: CachedFile;
  readonly other: CachedFile;
  readonly contents: Uint8Array;
}

async function openTwice(bytes: number, readAhead = 0): Promise<Opened> {
  const storage = new FailingStorage();
  const cache = newCache({ storage, readAhead });
  const contents = patterned(bytes);
  const path = temporary(contents);
  return { storage, cache, path, contents, file: await cache.open(path, 'r+'), other: await cache.open(path, 'r+') };
}

/** What the cache says, and the file, once it is synced, and all that the cache has is in order. */
async function expectContents({ cache, path, file }: Opened, expected: Uint8Array): Promise<void> {
  const found = new Uint8Array(expected.length + PAGE);
  const { bytesRead } = await file.read(found, 0, found.length, 0);
  expect(bytesRead).toBe(expected.length);
  expect(Buffer.compare(found.subarray(0, bytesRead), expected)).toBe(0);
  await file.fsync();
  expect(Buffer.compare(readFileSync(path), expected)).toBe(0);
  expect(await cache.verify()).toMatchObject({ problems: [], pins: 0 });
}

/** Contents that are cut off, zeros, and what was written beyond. */
function cutAndWritten(contents: Uint8Array, size: number, at: number, written: Uint8Array): Uint8Array {
  const expected = new Uint8Array(at + written.length);
  expected.set(contents.subarray(0, size));
  expected.set(written, at);
  return expected;
}

it('what is written, and even synced, while a file is truncated is not cut off; what is read meanwhile does not come back', async () => {
  const opened = await openTwice(8 * PAGE);
  const { storage, file, other, contents } = opened;
  const gate = new Gate();
  storage.held.truncate = gate.passed;
  const truncated = file.truncate(PAGE + 100);
  const written = other.write(patterned(PAGE, 7), 0, PAGE, 5 * PAGE).then(() => other.fsync());
  await untilHeld(storage, 'truncate');
  // Nobody who reads waits. The storage has old bytes behind these.
  expect((await other.read(new Uint8Array(PAGE), 0, PAGE, PAGE)).bytesRead).toBe(100);
  await sleep(20);
  gate.open();
  await Promise.all([truncated, written]);
  await expectContents(opened, cutAndWritten(contents, PAGE + 100, 5 * PAGE, patterned(PAGE, 7)));
});

it('what is appended while a file is truncated comes behind the new end', async () => {
  const opened = await openTwice(4 * PAGE);
  const { storage, cache, path, file, contents } = opened;
  const appending = await cache.open(path, 'a');
  const gate = new Gate();
  storage.held.truncate = gate.passed;
  const truncated = file.truncate(50);
  const written = [1, 2].map((seed) => appending.write(patterned(PAGE, seed)));
  await untilHeld(storage, 'truncate');
  gate.open();
  await Promise.all([truncated, ...written]);
  const expected = cutAndWritten(contents, 50, 50 + PAGE, patterned(PAGE, 2));
  expected.set(patterned(PAGE, 1), 50);
  await expectContents(opened, expected);
  await appending.close();
});

it('a write that has begun is cut off as a whole; a blocking one of the same thread comes before the truncation too', async () => {
  const opened = await openTwice(4 * PAGE);
  const { storage, file, other } = opened;
  const gate = new Gate();
  storage.slow = gate.passed;
  const written = file.write(patterned(3 * PAGE, 9), 0, 3 * PAGE, 2 * PAGE + 100);
  const truncated = other.truncate(PAGE);
  await sleep(5);
  other.writeSync(patterned(PAGE), 0, PAGE, PAGE);
  expect(() => other.truncateSync(0)).toThrow(deadlock);
  gate.open();
  await Promise.all([written, truncated]);
  await expectContents(opened, opened.contents.subarray(0, PAGE));
});

it('blocking writes and truncations are refused while the same thread truncates the file', async () => {
  const opened = await openTwice(2 * PAGE);
  const { storage, cache, path, file, other, contents } = opened;
  const gate = new Gate();
  storage.held.truncate = gate.passed;
  const truncated = file.truncate(PAGE);
  await untilHeld(storage, 'truncate');
  expect(() => other.writeSync(new Uint8Array(1), 0, 1, 0)).toThrow(deadlock);
  expect(() => other.truncateSync(0)).toThrow(deadlock);
  expect(() => cache.openSync(path, 'w')).toThrow(deadlock);
  expect(other.readSync(new Uint8Array(10), 0, 10, 0)).toBe(10);
  gate.open();
  await truncated;
  other.writeSync(patterned(10, 3), 0, 10, PAGE);
  await expectContents(opened, cutAndWritten(contents, PAGE, PAGE, patterned(10, 3)));
});

it('a truncation that the storage refuses leaves the file as it was, and what was not written yet', async () => {
  const opened = await openTwice(5 * PAGE);
  const { storage, cache, file, other, contents } = opened;
  const written = patterned(3 * PAGE, 5);
  await file.write(written, 0, written.length, PAGE);
  const gate = new Gate();
  storage.held.truncate = gate.passed;
  storage.fails = (operation) => (operation === 'truncate' ? errno('EPERM') : undefined);
  const truncated = expect(file.truncate(PAGE + 100)).rejects.toThrow('EPERM');
  await untilHeld(storage, 'truncate');
  // Writes what is left of it.
  await other.fsync();
  gate.open();
  await truncated;
  await expect(file.truncate(100 * PAGE)).rejects.toThrow('EPERM');
  await other.fsync();
  cache.reclaim(10 * PAGE);
  contents.set(written, PAGE);
  await expectContents(opened, contents);
});

it('a size that the storage said before a write is not taken for the file’s after it', async () => {
  const opened = await openTwice(PAGE);
  const { storage, cache, file, other, contents } = opened;
  const gate = new Gate();
  storage.held.stat = gate.passed;
  const reading = file.read(new Uint8Array(10), 0, 10, PAGE);
  await untilHeld(storage, 'stat');
  await other.write(patterned(PAGE, 4), 0, PAGE, PAGE);
  await other.fsync();
  cache.reclaim(10 * PAGE);
  gate.open();
  await reading;
  expect(file.size).toBe(2 * PAGE);
  await other.write(Uint8Array.of(1, 2, 3), 0, 3, PAGE);
  const expected = cutAndWritten(contents, PAGE, PAGE, patterned(PAGE, 4));
  expected.set([1, 2, 3], PAGE);
  await expectContents(opened, expected);
});

it('nor by an fsync', async () => {
  const opened = await openTwice(PAGE);
  const { storage, cache, file, other, contents } = opened;
  const gate = new Gate();
  storage.held.stat = gate.passed;
  const syncing = file.fsync();
  await untilHeld(storage, 'stat');
  await other.write(patterned(PAGE, 4), 0, PAGE, PAGE);
  await other.fsync();
  cache.reclaim(10 * PAGE);
  gate.open();
  await syncing;
  await other.write(Uint8Array.of(1, 2, 3), 0, 3, PAGE + 5);
  const expected = cutAndWritten(contents, PAGE, PAGE, patterned(PAGE, 4));
  expected.set([1, 2, 3], PAGE + 5);
  await expectContents(opened, expected);
});

it('a write up to the end of the file does not zero what another wrote behind it meanwhile', async () => {
  const opened = await openTwice(PAGE + 2000, 8 * PAGE);
  const { storage, file, other, contents } = opened;
  const gate = new Gate();
  storage.slow = gate.passed;
  // Read-ahead is at the second page.
  const reading = file.read(new Uint8Array(10), 0, 10, 0);
  await sleep(5);
  const written = other.write(patterned(2000, 3), 0, 2000, PAGE);
  await sleep(5);
  file.writeSync(patterned(1000, 8), 0, 1000, PAGE + 2000);
  gate.open();
  await Promise.all([reading, written]);
  contents.set(patterned(2000, 3), PAGE);
  await expectContents(opened, cutAndWritten(contents, PAGE + 2000, PAGE + 2000, patterned(1000, 8)));
});

it.each(['writes', 'truncates', 'opens', 'does nothing'])(
  'who dies in the middle of a truncation leaves it to others: a thread that %s',
  async (kind) => {
    const cache = newCache();
    const contents = patterned(8 * PAGE);
    const path = temporary(contents);
    const file = kind === 'opens' ? undefined : await cache.open(path, 'r+');
    // Pages beyond are in the cache.
    await file?.read(new Uint8Array(8 * PAGE));
    const worker = new Worker(new URL('./modules/truncate.mjs', import.meta.url), {
      execArgv: [],
      workerData: { shared: cache.share(), path, size: PAGE + 100 },
    });
    await once(worker, 'message');
    await worker.terminate();
    let expected = contents.subarray(0, PAGE + 100);
    if (kind === 'writes') {
      await file?.write(patterned(10, 3), 0, 10, 6 * PAGE);
      expected = cutAndWritten(contents, PAGE + 100, 6 * PAGE, patterned(10, 3));
    } else if (kind === 'truncates') {
      await file?.truncate(6 * PAGE);
      expected = cutAndWritten(contents, PAGE + 100, 6 * PAGE, new Uint8Array(0));
    }
    const again = file ?? (await cache.open(path, 'r+'));
    if (kind !== 'writes' && kind !== 'truncates') await cache.settled();
    expect(readFileSync(path).length).toBe(kind === 'writes' ? PAGE + 100 : expected.length);
    await expectContents({ storage: new FailingStorage(), cache, path, file: again, other: again, contents }, expected);
    await again.close();
  },
);

it.each([200, PAGE + 50])(
  'what a thread wrote that died before the file was longer is not in the hole later: at %s',
  async (at) => {
    const storage = new FailingStorage();
    const cache = newCache({ storage });
    const contents = patterned(100);
    const path = temporary(contents);
    const file = await cache.open(path, 'r+');
    const worker = new Worker(new URL('./modules/beyond.mjs', import.meta.url), {
      execArgv: [],
      workerData: { shared: cache.share(), path, at },
    });
    await once(worker, 'message');
    await worker.terminate();
    await cache.settled();
    expect(file.size).toBe(100);
    await file.write(patterned(10), 0, 10, 3 * PAGE);
    await expectContents(
      { storage, cache, path, file, other: file, contents },
      cutAndWritten(contents, 100, 3 * PAGE, patterned(10)),
    );
  },
);
