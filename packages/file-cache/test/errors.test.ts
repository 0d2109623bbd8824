// SPDX-License-Identifier: GPL-2.0-only
import { mkdirSync, readFileSync, truncateSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { blobStorage, type CachedFile, FileCache, type PageView } from '../src/node.js';
import { errno, FailingStorage } from './failing-storage.js';
import { newCache, patterned, temporary } from './temporary.js';

const PAGE = 4096;
const code = (expected: string): unknown => expect.objectContaining({ code: expected });

/** Reads a range; what it holds. */
async function bytes(file: CachedFile, position: number, length: number): Promise<Uint8Array> {
  const { bytesRead, buffer } = await file.read(new Uint8Array(length), 0, length, position);
  return buffer.subarray(0, bytesRead);
}

const same = (found: Uint8Array, expected: Uint8Array): void => expect(Buffer.compare(found, expected)).toBe(0);

describe('making and sharing a cache', () => {
  it.each([0, 4096, 262_143, 1.5, Number.NaN, 2 ** 40])('a budget of %s bytes', (budget) => {
    expect(() => FileCache.create({ budget })).toThrow(code('ERR_FILE_CACHE_BUDGET'));
    // Nothing is left of it: a right one can be made.
    newCache();
  });

  it('memory that is not shared', async () => {
    const shared = newCache().share();
    const frames = new ArrayBuffer(8) as unknown as SharedArrayBuffer;
    for (const wrong of [undefined, {}, JSON.parse(JSON.stringify(shared)), { ...shared, frames }])
      expect(() => FileCache.attach(wrong)).toThrow(code('ERR_FILE_CACHE_NOT_SHARED'));
  });

  it('a second cache in the same thread, and use after close', async () => {
    const cache = newCache();
    const file = await cache.open(temporary(patterned(10)));
    expect(() => FileCache.create({ budget: 1 << 20 })).toThrow(code('ERR_ATTACHED'));
    await cache.close();
    expect(() => cache.share()).toThrow(code('ERR_FILE_CACHE_CLOSED'));
    await expect(cache.open('/')).rejects.toThrow(code('ERR_FILE_CACHE_CLOSED'));
    await expect(file.read(new Uint8Array(1))).rejects.toThrow(code('EBADF'));
    await cache.close();
  });
});

describe('errors of the file system are the file system’s', () => {
  it('opening', async () => {
    const cache = newCache();
    await expect(cache.open(temporary())).rejects.toThrow(code('ENOENT'));
    expect(() => cache.openSync(temporary())).toThrow(code('ENOENT'));
    await expect(cache.open(temporary(new Uint8Array(1)), 'wx')).rejects.toThrow(code('EEXIST'));
    await expect(cache.open('x', 'rw')).rejects.toThrow(TypeError);
    const directory = temporary();
    mkdirSync(directory);
    await expect(cache.open(directory, 'r+')).rejects.toThrow(code('EISDIR'));
    expect(cache.statistics().files).toBe(0);
  });

  it('EIO of a read reaches every reader of that page, and nobody else; the next read tries again', async () => {
    const storage = new FailingStorage();
    const cache = newCache({ storage });
    const contents = patterned(64 * PAGE);
    const file = await cache.open(temporary(contents));
    const bad = 8 * PAGE;
    storage.fails = (operation, position, count) =>
      operation === 'read' && position <= bad && bad < position + count ? errno('EIO') : undefined;
    const readers = [1, 2, 3].map(() => bytes(file, bad + 5, 10));
    for (const reader of readers) await expect(reader).rejects.toThrow(code('EIO'));
    await expect(file.page(8)).rejects.toThrow(code('EIO'));
    expect(() => file.readSync(new Uint8Array(10), 0, 10, bad)).toThrow(code('EIO'));
    // A read that has read-ahead come across it.
    same(await bytes(file, 0, 3 * PAGE), contents.subarray(0, 3 * PAGE));
    same(await bytes(file, 20 * PAGE, PAGE), contents.subarray(20 * PAGE, 21 * PAGE));
    storage.fails = () => undefined;
    same(await bytes(file, bad, PAGE), contents.subarray(bad, bad + PAGE));
    expect(await cache.verify()).toMatchObject({ problems: [], pins: 0 });
  });

  it.each([
    ['EIO', false],
    ['ENOSPC', true],
  ])('%s of a write is an error of the next fsync, once', async (error, blocking) => {
    const storage = new FailingStorage();
    const cache = newCache({ storage });
    const path = temporary(patterned(2 * PAGE));
    const file = await cache.open(path, 'r+');
    await file.write(new Uint8Array(PAGE).fill(7), 0, PAGE, 0);
    storage.fails = (operation) => (operation === 'write' ? errno(error) : undefined);
    const fsync = async (): Promise<void> => (blocking ? file.fsyncSync() : await file.fsync());
    await expect(fsync()).rejects.toThrow(code(error));
    storage.fails = () => undefined;
    await fsync();
    await file.write(new Uint8Array(PAGE).fill(8), 0, PAGE, 0);
    await fsync();
    expect(readFileSync(path)[0]).toBe(8);
    storage.fails = (operation) => (operation === 'sync' ? errno('EIO') : undefined);
    await expect(fsync()).rejects.toThrow('on demand');
    storage.fails = () => undefined;
  });

  it('the last close writes, and says so when that fails', async () => {
    const storage = new FailingStorage();
    const cache = newCache({ storage });
    const file = await cache.open(temporary(), 'w');
    await file.write(patterned(100));
    storage.fails = (operation) => (operation === 'write' ? errno('EIO') : undefined);
    await expect(file.close()).rejects.toThrow(code('EIO'));
    expect(await cache.verify()).toMatchObject({ problems: [], dirty: 0 });
  });
});

describe('files that change under the cache', () => {
  it.each([false, true])('one that shrinks: reads end earlier, what is held stays; blocking: %s', async (blocking) => {
    const cache = newCache({ readAhead: 0 });
    const contents = patterned(10 * PAGE);
    const path = temporary(contents);
    const file = await cache.open(path);
    const held = await file.page(9);
    truncateSync(path, 2 * PAGE + 100);
    const read = async (at: number): Promise<Uint8Array> => {
      if (!blocking) return await bytes(file, at, 3 * PAGE);
      const buffer = new Uint8Array(3 * PAGE);
      return buffer.subarray(0, file.readSync(buffer, 0, buffer.length, at));
    };
    same(await read(PAGE), contents.subarray(PAGE, 2 * PAGE + 100));
    same(await read(5 * PAGE), new Uint8Array(0));
    expect(file.size).toBe(2 * PAGE + 100);
    same(held?.bytes ?? new Uint8Array(0), contents.subarray(9 * PAGE));
    held?.release();
    expect(await cache.verify()).toMatchObject({ problems: [], pins: 0 });
  });

  it('one that another program replaced by other contents is read again when it is opened', async () => {
    const cache = newCache();
    const path = temporary(patterned(5000));
    const before = await cache.open(path);
    same(await bytes(before, 0, 6000), patterned(5000));
    await before.close();
    const { writeFileSync, utimesSync } = await import('node:fs');
    writeFileSync(path, patterned(7000, 9));
    utimesSync(path, 1, 1);
    const after = await cache.open(path);
    same(await bytes(after, 0, 8000), patterned(7000, 9));
  });
});

describe('views', () => {
  it('released twice, and used after it', async () => {
    const cache = newCache();
    const file = await cache.open(temporary(patterned(3 * PAGE)));
    const page = (await file.page(1)) as PageView;
    const range = await file.view(100, 2 * PAGE);
    page.release();
    range.release();
    for (const use of [
      () => page.release(),
      () => range.release(),
      () => page.bytes,
      () => range.chunks,
      () => range.copy(),
    ])
      expect(use).toThrow(code('ERR_FILE_CACHE_VIEW_RELEASED'));
    // The end of a block does not mind.
    page[Symbol.dispose]();
    range[Symbol.dispose]();
    expect(await cache.verify()).toMatchObject({ problems: [], pins: 0 });
  });

  it('that are not released keep their file open', async () => {
    const cache = newCache();
    const file = await cache.open(temporary(patterned(10)));
    const page = await file.page(0);
    await expect(file.close()).rejects.toThrow(code('EBUSY'));
    page?.release();
    await file.close();
    expect(() => file.pageIfCached(0)).toThrow(code('EBADF'));
  });

  it('of all frames: ENOMEM in the end, and all is well when they are released', async () => {
    const cache = newCache({ budget: 64 * PAGE });
    const contents = patterned(200 * PAGE);
    const file = await cache.open(temporary(contents));
    const views: PageView[] = [];
    const fill = async (): Promise<void> => {
      for (let index = 0; index < 200; index++) views.push((await file.page(index)) as PageView);
    };
    await expect(fill()).rejects.toThrow(code('ENOMEM'));
    expect(views.length).toBeGreaterThan(40);
    for (const view of views) same(view.bytes, contents.subarray(view.index * PAGE, (view.index + 1) * PAGE));
    for (const view of views) view.release();
    same(await bytes(file, 150 * PAGE, PAGE), contents.subarray(150 * PAGE, 151 * PAGE));
    expect(await cache.verify()).toMatchObject({ problems: [], pins: 0 });
  });

  it('more than a thread may hold', async () => {
    const cache = newCache({ maxViews: 8 });
    const file = await cache.open(temporary(patterned(20 * PAGE)));
    await expect(file.view(0, 20 * PAGE)).rejects.toThrow(code('ERR_FILE_CACHE_TOO_MANY_VIEWS'));
    expect(await cache.verify()).toMatchObject({ problems: [], pins: 0 });
  });
});

describe('wrong use', () => {
  it('of files', async () => {
    const cache = newCache();
    const file = await cache.open(temporary(patterned(100)));
    await expect(file.write(new Uint8Array(1))).rejects.toThrow(code('EBADF'));
    await expect(file.truncate(1)).rejects.toThrow(code('EBADF'));
    await expect(file.read(new Uint8Array(1), 0, 1, -1)).rejects.toThrow(code('EINVAL'));
    await expect(file.read(new Uint8Array(1), 0, 2, 0)).rejects.toThrow(code('EINVAL'));
    await expect(file.read(new Uint8Array(1), 0, 1, 2 ** 50)).rejects.toThrow(code('EINVAL'));
    await expect(file.page(-1)).rejects.toThrow(code('EINVAL'));
  });

  it('of blocking operations', async () => {
    const storage = new FailingStorage();
    const cache = newCache({ mayBlock: false, storage });
    const path = temporary(patterned(10 * PAGE));
    const file = await cache.open(path);
    expect(() => file.readSync(new Uint8Array(1), 0, 1, 0)).toThrow(code('ERR_FILE_CACHE_MAY_NOT_BLOCK'));
    await cache.close();
    const other = newCache({ storage });
    const again = await other.open(path, 'r+');
    let go = (): void => {};
    storage.slow = new Promise((resolve) => {
      go = resolve;
    });
    const reading = bytes(again, 0, 10);
    await new Promise((resolve) => setTimeout(resolve, 5));
    // Pages that this thread is reading asynchronously: all have a way round.
    const found = new Uint8Array(100);
    expect(again.readSync(found, 0, 100, 5)).toBe(100);
    same(found, patterned(105).subarray(5));
    {
      using view = again.viewSync(0, 200);
      same(view.copy(), patterned(200));
    }
    again.writeSync(Uint8Array.of(1, 2, 3), 0, 3, 2);
    again.truncateSync(8);
    again.writeSync(Uint8Array.of(9), 0, 1, 9);
    go();
    same(await reading, Uint8Array.of(...patterned(2), 1, 2, 3, ...patterned(8).subarray(5), 0, 9));
    expect(await other.verify()).toMatchObject({ problems: [], pins: 0 });
  });

  it('of too many files; those that nobody has open make room', async () => {
    const cache = newCache({ maxFiles: 2 });
    const paths = [0, 1, 2, 3].map((seed) => temporary(patterned(PAGE, seed)));
    const files = [await cache.open(paths[0]), await cache.open(paths[1])];
    await expect(cache.open(paths[2])).rejects.toThrow(code('ERR_FILE_CACHE_TOO_MANY_FILES'));
    for (const [seed, file] of files.entries()) same(await bytes(file, 0, PAGE), patterned(PAGE, seed));
    for (const file of files) await file.close();
    for (const seed of [2, 3]) {
      const file = await cache.open(paths[seed]);
      same(await bytes(file, 0, PAGE), patterned(PAGE, seed));
      await file.close();
    }
    expect(await cache.verify()).toMatchObject({ problems: [], pins: 0, cached: 2 });
  });
});

it('a storage of blobs reads, and neither writes nor blocks', async () => {
  const contents = patterned(50_000);
  const cache = newCache({ storage: blobStorage({ tiles: new Blob([contents as Uint8Array<ArrayBuffer>]) }) });
  const file = await cache.open('tiles');
  same(await bytes(file, 100, 49_000), contents.subarray(100, 49_100));
  await expect(cache.open('other')).rejects.toThrow(code('ENOENT'));
  await expect(cache.open('tiles', 'r+')).rejects.toThrow(code('EROFS'));
  expect(() => cache.openSync('tiles')).toThrow(code('ERR_FILE_CACHE_MAY_NOT_BLOCK'));
});
