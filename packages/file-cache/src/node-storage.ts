// SPDX-License-Identifier: GPL-2.0-only
import * as fs from 'node:fs';
import { promisify } from 'node:util';
import { isMainThread } from 'node:worker_threads';
import type { BlockingOperations, OpenFlags, Storage, StorageFile, StorageStat } from './storage.js';

const open = promisify(fs.open);
const fstat = promisify(fs.fstat);
const readv = promisify(fs.readv);
const writev = promisify(fs.writev);
const ftruncate = promisify(fs.ftruncate);
const fsync = promisify(fs.fsync);
const close = promisify(fs.close);

/** A write that needs the rest of a page reads it, so a file that is written to is open for reading, too. Truncation is the cache's. */
function openMode({ write, create, exclusive }: OpenFlags): number {
  const { O_RDONLY, O_RDWR, O_CREAT, O_EXCL } = fs.constants;
  return (write ? O_RDWR : O_RDONLY) | (create ? O_CREAT : 0) | (exclusive ? O_EXCL : 0);
}

const statOf = ({ dev, ino, size, mtimeNs }: fs.BigIntStats): StorageStat => ({
  device: dev,
  inode: ino,
  size: Number(size),
  version: mtimeNs,
});

const bytesOf = (views: readonly Uint8Array[]): number => views.reduce((sum, { length }) => sum + length, 0);

/** What is left of the views after so many bytes. */
function after(views: readonly Uint8Array[], bytes: number): Uint8Array[] {
  const rest: Uint8Array[] = [];
  for (const view of views) {
    if (bytes < view.length) rest.push(bytes > 0 ? view.subarray(bytes) : view);
    bytes = Math.max(0, bytes - view.length);
  }
  return rest;
}

/** preadv(2) and pwritev(2) may do less than they were asked to: this asks again, until all is done or nothing moves. Yields what to do next. */
function* untilDone(
  views: readonly Uint8Array[],
  position: number,
): Generator<{ readonly views: Uint8Array[]; readonly position: number }, number, number> {
  const all = bytesOf(views);
  let done = 0;
  while (done < all) {
    const moved = yield { views: after(views, done), position: position + done };
    if (moved === 0) break;
    done += moved;
  }
  return done;
}

type Transfer<R> = (views: Uint8Array[], position: number) => R;

function transferBlocking(views: readonly Uint8Array[], position: number, once: Transfer<number>): number {
  const steps = untilDone(views, position);
  for (let step = steps.next(); ; ) {
    if (step.done) return step.value;
    step = steps.next(once(step.value.views, step.value.position));
  }
}

async function transfer(
  views: readonly Uint8Array[],
  position: number,
  once: Transfer<Promise<number>>,
): Promise<number> {
  const steps = untilDone(views, position);
  for (let step = steps.next(); ; ) {
    if (step.done) return step.value;
    step = steps.next(await once(step.value.views, step.value.position));
  }
}

const blockingOf = (fd: number): BlockingOperations => ({
  stat: () => statOf(fs.fstatSync(fd, { bigint: true })),
  read: (into, position) => transferBlocking(into, position, (views, at) => fs.readvSync(fd, views, at)),
  write: (from, position) => transferBlocking(from, position, (views, at) => fs.writevSync(fd, views, at)),
  truncate: (size) => fs.ftruncateSync(fd, size),
  sync: () => fs.fsyncSync(fd),
  close: () => fs.closeSync(fd),
});

const fileOf = (fd: number): StorageFile => ({
  stat: async () => statOf(await fstat(fd, { bigint: true })),
  read: (into, position) => transfer(into, position, async (views, at) => (await readv(fd, views, at)).bytesRead),
  write: (from, position) => transfer(from, position, async (views, at) => (await writev(fd, views, at)).bytesWritten),
  truncate: (size) => ftruncate(fd, size),
  sync: () => fsync(fd),
  close: () => close(fd),
  blocking: blockingOf(fd),
});

/** The file system of Node. Errors are Node's own: `ENOENT`, `EACCES`, `EISDIR`, `EIO` and so on. */
export const nodeStorage: Storage = {
  open: async (path, flags) => fileOf(await open(path, openMode(flags))),
  openBlocking: (path, flags) => fileOf(fs.openSync(path, openMode(flags))),
  mayBlock: !isMainThread,
};
