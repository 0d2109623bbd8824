// SPDX-License-Identifier: GPL-2.0-only
import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { CachedFile, FileCache } from '../src/node.js';
import { FailingStorage } from './failing-storage.js';
import { newCache, patterned, temporary } from './temporary.js';

/** The file beside a plain one, on which everything is done with fs as well. */
interface Real {
  readonly cache: FileCache;
  readonly path: string;
  readonly plain: string;
  readonly descriptor: number;
  readonly storage: FailingStorage;
  file: CachedFile;
  /** The same one, opened again. */
  other: CachedFile;
}
type Model = object;
type Command = fc.AsyncCommand<Model, Real>;

const command = (text: string, run: (real: Real) => Promise<void>): Command => ({
  check: () => true,
  run: (_, real) => run(real),
  toString: () => text,
});

const place = fc.record({ at: fc.nat(60_000), length: fc.nat(20_000), blocking: fc.boolean() });
const far = fc.record({ at: fc.nat(2_500_000), length: fc.nat(9_000), blocking: fc.boolean() });

const read = fc.oneof(place, far).map(({ at, length, blocking }) =>
  command(`read(${length}, ${at}, ${blocking})`, async ({ file, descriptor }) => {
    const expected = new Uint8Array(length);
    const count = readSync(descriptor, expected, 0, length, at);
    const found = new Uint8Array(length);
    const bytes = blocking ? file.readSync(found, 0, length, at) : (await file.read(found, 0, length, at)).bytesRead;
    expect(bytes).toBe(count);
    expect(Buffer.compare(found, expected)).toBe(0);
  }),
);

const write = fc.tuple(fc.oneof(place, place, far), fc.nat(255)).map(([{ at, length, blocking }, seed]) =>
  command(`write(${length}, ${at}, ${seed}, ${blocking})`, async ({ file, descriptor }) => {
    const bytes = patterned(length, seed);
    writeSync(descriptor, bytes, 0, length, at);
    if (blocking) file.writeSync(bytes, 0, length, at);
    else await file.write(bytes, 0, length, at);
    expect(file.size).toBe(fstatSync(descriptor).size);
  }),
);

const view = place.map(({ at, length, blocking }) =>
  command(`view(${at}, ${length}, ${blocking})`, async ({ file, descriptor }) => {
    const expected = new Uint8Array(length);
    const count = readSync(descriptor, expected, 0, length, at);
    using found = blocking ? file.viewSync(at, length) : await file.view(at, length);
    expect(found.length).toBe(count);
    expect(Buffer.compare(found.copy(), expected.subarray(0, count))).toBe(0);
  }),
);

const truncate = fc.tuple(fc.oneof(fc.nat(60_000), fc.nat(2_000_000)), fc.boolean()).map(([size, blocking]) =>
  command(`truncate(${size}, ${blocking})`, async ({ file, descriptor }) => {
    ftruncateSync(descriptor, size);
    if (blocking) file.truncateSync(size);
    else await file.truncate(size);
    expect(file.size).toBe(size);
  }),
);

const fsync = fc.boolean().map((blocking) =>
  command(`fsync(${blocking})`, async ({ file, path, plain, descriptor }) => {
    fsyncSync(descriptor);
    if (blocking) file.fsyncSync();
    else await file.fsync();
    expect(Buffer.compare(readFileSync(path), readFileSync(plain))).toBe(0);
  }),
);

const reopen = fc.boolean().map((blocking) =>
  command(`reopen(${blocking})`, async (real) => {
    await real.other.close();
    await real.file.close();
    expect(Buffer.compare(readFileSync(real.path), readFileSync(real.plain))).toBe(0);
    real.other = await real.cache.open(real.path, 'r+');
    real.file = blocking ? real.cache.openSync(real.path, 'r+') : await real.cache.open(real.path, 'r+');
  }),
);

const reclaim = fc.constant(
  command('reclaim', async ({ cache }) => {
    cache.reclaim(100_000);
  }),
);

/** A write or a truncation, of several that go on at a time. Writes are of different places: of one place, each page is of one of them, and no more is said. */
type Change = { readonly size: number } | { readonly at: number; readonly length: number; readonly seed: number };

const change = fc.oneof(
  fc.record({ size: fc.nat(70_000) }),
  fc.record({ at: fc.nat(9000), length: fc.integer({ min: 1, max: 10_000 }), seed: fc.nat(255) }),
);

/** How a storage is slow: turns of the event loop for each call of it. */
const slowness = fc.array(fc.nat(6), { minLength: 1, maxLength: 7 });

const plainly = (contents: Uint8Array, made: Change): Uint8Array => {
  const end = 'size' in made ? made.size : Math.max(contents.length, made.at + made.length);
  const after = new Uint8Array(end);
  after.set(contents.subarray(0, end));
  if (!('size' in made)) after.set(patterned(made.length, made.seed), made.at);
  return after;
};

const orders = <T>(all: readonly T[]): T[][] =>
  all.length === 0
    ? [[]]
    : all.flatMap((one) => orders(all.filter((each) => each !== one)).map((rest) => [one, ...rest]));

const atOnce = fc.tuple(fc.array(change, { minLength: 2, maxLength: 4 }), slowness).map(([asked, turns]) => {
  const changes = asked.map((each, i) => ('size' in each ? each : { ...each, at: each.at + i * 20_000 }));
  return command(
    `atOnce(${JSON.stringify(changes)}, ${turns})`,
    async ({ file, other, storage, plain, descriptor }) => {
      storage.turns = turns;
      await Promise.all(
        changes.map((each, i) => {
          const by = i % 2 === 0 ? file : other;
          return 'size' in each
            ? by.truncate(each.size)
            : by.write(patterned(each.length, each.seed), 0, each.length, each.at);
        }),
      );
      storage.turns = [];
      const found = new Uint8Array(file.size);
      await file.read(found, 0, found.length, 0);
      const before = new Uint8Array(readFileSync(plain));
      const order = orders(changes).find((each) => Buffer.compare(each.reduce(plainly, before), found) === 0);
      expect(order, 'what one after the other could have made').toBeDefined();
      ftruncateSync(descriptor, 0);
      writeSync(descriptor, found, 0, found.length, 0);
    },
  );
});

const verify = fc.constant(
  command('verify', async ({ cache }) => {
    const { problems, pins } = await cache.verify();
    expect({ problems, pins }).toEqual({ problems: [], pins: 0 });
  }),
);

it('whatever is done to a file, the cache shows what fs shows, and the storage has it after fsync and close', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(100_000),
      fc.commands([read, write, view, truncate, atOnce, fsync, reopen, reclaim, verify], { maxCommands: 40 }),
      async (size, commands) => {
        const storage = new FailingStorage();
        const cache = newCache({ budget: 300_000, storage });
        const contents = patterned(size);
        const [path, plain] = [temporary(contents), temporary(contents)];
        const descriptor = openSync(plain, 'r+');
        const [file, other] = [await cache.open(path, 'r+'), await cache.open(path, 'r+')];
        const real: Real = { cache, path, plain, descriptor, storage, file, other };
        try {
          await fc.asyncModelRun(() => ({ model: {}, real }), commands);
          await real.other.close();
          await real.file.close();
          expect(Buffer.compare(readFileSync(path), readFileSync(plain))).toBe(0);
          expect(await cache.verify()).toMatchObject({ problems: [], pins: 0, dirty: 0 });
        } finally {
          closeSync(descriptor);
          await cache.close();
        }
      },
    ),
    { numRuns: Number(process.env.LOCKLESS_RUNS ?? 30) },
  );
});
