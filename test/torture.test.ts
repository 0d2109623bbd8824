// SPDX-License-Identifier: MIT
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileCache } from '@lockless/file-cache';
import { expect, test } from 'vitest';
import { BLOCK, fillBlock, Journal, randomFrom, versionOf } from '../scripts/torture-blocks.mjs';
import { explain } from '../scripts/torture-explain.mjs';

function block(file: number, number: number, version: number): Int32Array {
  const words = new Int32Array(BLOCK / 4);
  fillBlock(words, file, number, version);
  return words;
}

test('a block says which version it is; zeros are a hole', () => {
  expect(versionOf(block(1, 7, 3), 1, 7, 'here')).toBe(3);
  expect(versionOf(new Int32Array(BLOCK / 4), 1, 7, 'here')).toBe(0);
});

test('every changed word is noticed, and halves of two versions', () => {
  for (let word = 0; word < BLOCK / 4; word++) {
    const words = block(1, 7, 3);
    words[word] ^= 1;
    expect(() => versionOf(words, 1, 7, 'here')).toThrow(/^file 1, block 7, here: /);
  }
  const torn = block(1, 7, 3);
  torn.set(block(1, 7, 4).subarray(0, BLOCK / 8));
  expect(() => versionOf(torn, 1, 7, 'here')).toThrow('the checksum of version 4 is wrong');
});

test('another block is noticed, and of another file', () => {
  expect(() => versionOf(block(1, 8, 3), 1, 7, 'here')).toThrow('file 1, block 7, here: holds block 8 of file 1');
  expect(() => versionOf(block(2, 7, 3), 1, 7, 'here')).toThrow('holds block 7 of file 2');
});

test('the journal keeps blocks and slots apart', () => {
  const journal = Journal.create(2, 5, 3);
  const seen = new Set<number>();
  for (let file = 0; file < 2; file++)
    for (let number = 0; number < 5; number++)
      for (const field of [0, 1, 2] as const) seen.add(journal.at(file, number, field));
  for (let slot = 0; slot < 3; slot++) seen.add(slot);
  expect(seen.size).toBe(journal.words.length);
  journal.attempt(1, 4, 9);
  journal.finish(1, 4, 8);
  journal.sync(1, 4, 7);
  journal.beat(2);
  expect([journal.attempted(1, 4), journal.done(1, 4), journal.synced(1, 4), journal.beats(2)]).toEqual([9, 8, 7, 1]);
});

test('what a thread does follows from its seed', () => {
  const draw = (seed: number) => {
    const random = randomFrom(seed);
    return Array.from({ length: 20 }, () => random(1000));
  };
  expect(draw(1)).toEqual(draw(1));
  expect(draw(1)).not.toEqual(draw(2));
});

test('of a block that is wrong it is told where which version is, and who died', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'lockless-torture-test-'));
  const path = join(folder, 'file');
  writeFileSync(path, new Uint8Array(block(0, 0, 1).buffer));
  const cache = FileCache.create({ budget: 1 << 18 });
  const file = await cache.open(path, 'r+');
  await file.write(new Uint8Array(block(0, 0, 2).buffer), 0, BLOCK, 0);
  const journal = Journal.create(1, 1, 1);
  journal.attempt(0, 0, 3);
  const lines = await explain({ cache, paths: [path], journal, deaths: [{ slot: 2, life: 7, at: 100 }], now: 130 }, [
    'slot 0: Error: file 0, block 0: version 1, of 2 or 3',
  ]);
  expect(lines).toEqual([
    'died last: life 7 in slot 2 30 ms ago',
    expect.stringMatching(
      /^file 0, block 0: begun 3, ended 0, synced 0; in the cache: version 2; flags uptodate dirty.*; tags dirty; count \d+; number of the bytes \d+; on disk: version 1$/,
    ),
  ]);
  await file.close();
  await cache.close();
  rmSync(folder, { recursive: true });
});
