// SPDX-License-Identifier: GPL-2.0-only
import { ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { NativeMachine } from '@lockless/native';
import { describe, expect, it } from 'vitest';
import { createReadStream, FileCache, wordsOfCache } from '../src/node.js';
import { newCache, patterned, temporary } from './temporary.js';

const PAGE = 4096;
const same = (found: Uint8Array, expected: Uint8Array): void => expect(Buffer.compare(found, expected)).toBe(0);

it('files beyond 4 GiB: sizes and places are no 32-bit numbers', async () => {
  const path = temporary();
  const descriptor = openSync(path, 'w+');
  const far = 5 * 2 ** 30 + 123;
  const contents = patterned(100_000);
  writeSync(descriptor, contents, 0, contents.length, far);
  ftruncateSync(descriptor, far + 200_000);
  const cache = newCache();
  const file = await cache.open(path, 'r+');
  expect(file.size).toBe(far + 200_000);
  for (const blocking of [false, true]) {
    const found = new Uint8Array(150_000);
    const at = far - 10_000;
    const bytes = blocking
      ? file.readSync(found, 0, found.length, at)
      : (await file.read(found, 0, found.length, at)).bytesRead;
    expect(bytes).toBe(found.length);
    same(found.subarray(0, 10_000), new Uint8Array(10_000));
    same(found.subarray(10_000, 110_000), contents);
    same(found.subarray(110_000), new Uint8Array(40_000));
  }
  await file.write(patterned(9000, 3), 0, 9000, 6 * 2 ** 30);
  expect(file.size).toBe(6 * 2 ** 30 + 9000);
  await file.truncate(far + 50_000);
  const { bytesRead, buffer: rest } = await file.read(new Uint8Array(60_000), 0, 60_000, far);
  expect(bytesRead).toBe(50_000);
  same(rest.subarray(0, bytesRead), contents.subarray(0, 50_000));
  expect(await cache.verify()).toMatchObject({ problems: [], pins: 0 });
});

describe('streams', () => {
  const contents = patterned(300_000);

  it('of Node, of the web, and of chunks', async () => {
    const cache = newCache();
    const file = await cache.open(temporary(contents));
    same(await buffer(createReadStream(file)), contents);
    same(
      await buffer(createReadStream(file, { start: 100, end: 100_100, chunkSize: 777 })),
      contents.subarray(100, 100_100),
    );
    const parts: Uint8Array[] = [];
    for await (const part of file.readable({ start: 299_000 })) parts.push(part as Uint8Array);
    same(Buffer.concat(parts), contents.subarray(299_000));
    const reader = file.readable().getReader();
    await reader.read();
    await reader.cancel();
  });
});

describe('one file, opened several times', () => {
  it('has one copy of each page, and shows what each wrote', async () => {
    const cache = newCache();
    const path = temporary(patterned(10 * PAGE));
    const [one, two] = [await cache.open(path, 'r+'), await cache.open(path)];
    await one.read(new Uint8Array(10 * PAGE), 0, 10 * PAGE, 0);
    await two.read(new Uint8Array(10 * PAGE), 0, 10 * PAGE, 0);
    expect((await cache.verify()).cached).toBe(10);
    await one.write(Uint8Array.of(1, 2, 3), 0, 3, 5);
    const { buffer: seen } = await two.read(new Uint8Array(3), 0, 3, 5);
    expect([...seen]).toEqual([1, 2, 3]);
    await one.close();
    expect(await cache.verify()).toMatchObject({ cached: 10, dirty: 0 });
    await two.close();
    await cache.close();
  });

  it('positions go on where the last read of that open file ended', async () => {
    const cache = newCache();
    const file = await cache.open(temporary(patterned(100)), 'r+');
    const read = async (n: number): Promise<number[]> => {
      const { bytesRead, buffer: found } = await file.read(new Uint8Array(n));
      return [...found.subarray(0, bytesRead)];
    };
    expect(await read(60)).toEqual([...patterned(100).subarray(0, 60)]);
    expect(await read(60)).toEqual([...patterned(100).subarray(60)]);
    expect(await read(60)).toEqual([]);
  });

  it('appends go to the end, in turn', async () => {
    const cache = newCache();
    const path = temporary(patterned(10));
    const [one, two] = [await cache.open(path, 'a'), await cache.open(path, 'a')];
    await Promise.all(
      [one, two].map(async (file, i) => {
        for (let k = 0; k < 20; k++) await file.write(new Uint8Array(500).fill(10 * i + 5));
      }),
    );
    await one.close();
    await two.close();
    const found = readFileSync(path);
    expect(found.length).toBe(10 + 40 * 500);
    for (let k = 0; k < 40; k++) expect(new Set(found.subarray(10 + 500 * k, 510 + 500 * k)).size).toBe(1);
    expect(found.filter((byte) => byte === 5).length).toBeGreaterThanOrEqual(20 * 500);
  });
});

it('a cache on a machine that is there already, which goes on after it', async () => {
  const options = { budget: 1 << 20 };
  const machine = NativeMachine.create({ words: wordsOfCache(options), threads: 4, mayBlock: true });
  const cache = FileCache.create({ ...options, machine });
  const file = await cache.open(temporary(patterned(1000)));
  same((await file.read(new Uint8Array(1000))).buffer, patterned(1000));
  await cache.close();
  expect(() => FileCache.create({ ...options, machine })).toThrow('has a cache already');
  machine.detach();
});

it('a hot page is read without a reference', async () => {
  const cache = newCache();
  const file = await cache.open(temporary(patterned(PAGE)));
  const found = new Uint8Array(64);
  expect(file.tryRead(found, 0, 64, 0)).toBe(-1);
  for (let k = 0; k < 4; k++) await file.read(found, 0, 64, 0);
  const before = cache.statistics();
  expect(file.tryRead(found, 0, 64, 128)).toBe(64);
  same(found, patterned(PAGE).subarray(128, 192));
  const after = cache.statistics();
  expect(after.peek_hits - before.peek_hits).toBe(1);
  expect(after.find_get_page_lookups).toBe(before.find_get_page_lookups);
});
