// SPDX-License-Identifier: GPL-2.0-only
import { NULL, type Op, type Ptr, smpMb } from '@lockless/cpu';
import {
  doTruncate,
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  fileFsync,
  openInode,
  type Seen,
  sysFallocate,
  sysPread,
  sysPwrite,
  sysSendfile,
  type UserBuffer,
  unlinkInode,
} from '@lockless/mm';
import { ENOMEM, type File, FMODE_READ, FMODE_WRITE, PAGE_SIZE } from '@lockless/mm-types';
import {
  fadvise,
  filePut,
  inodePut,
  POSIX_FADV_DONTNEED,
  POSIX_FADV_NOREUSE,
  POSIX_FADV_NORMAL,
  POSIX_FADV_RANDOM,
  POSIX_FADV_SEQUENTIAL,
  POSIX_FADV_WILLNEED,
} from '@lockless/pagecache';
import type { FileRecord, UserBuffer as RecordedBuffer } from '@lockless/recording';
import type { Space } from './user-memory.js';
import { inoOf, type World } from './world.js';

const FADVISE: Readonly<Record<string, number>> = {
  normal: POSIX_FADV_NORMAL,
  random: POSIX_FADV_RANDOM,
  sequential: POSIX_FADV_SEQUENTIAL,
  willneed: POSIX_FADV_WILLNEED,
  readahead: POSIX_FADV_WILLNEED,
  dontneed: POSIX_FADV_DONTNEED,
  noreuse: POSIX_FADV_NOREUSE,
};

/** Replays a call on a file, one that succeeded when it was recorded. Returns 0 or -errno. */
export function* replayFileCall(world: World, space: Space | null, rec: FileRecord): Op<number> {
  if ('result' in rec && rec.result < 0) return 0;
  switch (rec.kind) {
    case 'open':
      return yield* replayOpen(world, rec);
    case 'close':
      return yield* replayClose(world, rec.ofd);
    case 'read':
      return yield* replayRead(world, space, rec);
    case 'write':
      return yield* replayWrite(world, rec);
    case 'copy':
      return yield* replayCopy(world, rec);
    case 'truncate':
      return yield* replayTruncate(world, rec.file, rec.length);
    case 'fallocate':
      return yield* replayFallocate(world, rec);
    case 'fsync':
      return rec.file === null ? 0 : orNoMemory(yield* world.withFile(null, rec.file, fileFsync));
    case 'fadvise': {
      const advice = FADVISE[rec.advice];
      return advice === undefined
        ? 0
        : orNoMemory(yield* world.withFile(null, rec.file, (file) => fadvise(file, rec.offset, rec.length, advice)));
    }
    case 'unlink':
      return rec.last ? yield* replayUnlink(world, rec.file) : 0;
    case 'rename':
      return rec.replaced === null ? 0 : yield* replayUnlink(world, rec.replaced);
  }
}

const orNoMemory = (result: number | null): number => (result === null ? -ENOMEM : Math.min(0, result));

function* replayOpen(world: World, rec: FileRecord & { kind: 'open' }): Op<number> {
  const truncate = rec.flags.includes('truncate');
  if (truncate) world.contents.fileTruncated(inoOf(rec.file), 0);
  // What may be done with the descriptor was decided when the program ran; only calls that succeeded are replayed.
  const file = yield* openInode(world.inode(rec.file), { mode: FMODE_READ | FMODE_WRITE, truncate });
  if (truncate) world.contents.fileTruncated(inoOf(rec.file), 0);
  if (file < 0) return file;
  world.open.set(rec.ofd, file as Ptr<File>);
  return 0;
}

function* replayClose(world: World, ofd: number): Op<number> {
  const file = world.open.get(ofd);
  if (file === undefined) return 0; // its open failed
  world.open.delete(ofd);
  yield* filePut(file);
  return 0;
}

/** A vector's buffer is the array of its parts, which are not recorded: then only the file's side is replayed. */
function simulatedBuffer(world: World, buffers: readonly RecordedBuffer[], length: number): UserBuffer | null {
  const [buffer] = buffers;
  if (buffer === undefined || buffer.length < length) return null;
  return { page: world.addresses.toSimulated(buffer.page), offset: buffer.offset };
}

function* replayRead(world: World, space: Space | null, rec: FileRecord & { kind: 'read' }): Op<number> {
  const buffer = simulatedBuffer(world, rec.buffers, rec.length);
  const begun = world.contents.moment();
  if (buffer !== null && space !== null && rec.result > 0) {
    const [{ page, offset }] = rec.buffers;
    world.contents.buffer(space.id, page, page + Math.ceil((offset + rec.result) / PAGE_SIZE));
  }
  const check = (seen: Seen): void => world.contents.fileRead(seen.ino, seen.index, seen, begun);
  return orNoMemory(
    yield* world.withFile(rec.ofd, rec.file, (file) => sysPread(file, rec.offset, rec.length, buffer, check)),
  );
}

/** Collects the versions that a write makes, and makes them count when it is over. */
function* recordingVersions(world: World, write: (observe: (seen: Seen) => void) => Op<number | null>): Op<number> {
  const made: Seen[] = [];
  const result = yield* write((seen) => made.push(seen));
  yield* smpMb(); // until here the last of them may be in a store buffer
  for (const { ino, index, version } of made) world.contents.fileWritten(ino, index, version);
  return orNoMemory(result);
}

function* replayWrite(world: World, rec: FileRecord & { kind: 'write' }): Op<number> {
  const buffer = simulatedBuffer(world, rec.buffers, rec.result);
  return yield* recordingVersions(world, (observe) =>
    world.withFile(rec.ofd, rec.file, (file) => sysPwrite(file, rec.offset, rec.result, buffer, observe)),
  );
}

function* replayCopy(world: World, rec: FileRecord & { kind: 'copy' }): Op<number> {
  const from = rec.from === null ? NULL : yield* world.openFile(rec.from);
  const to = rec.to === null ? NULL : yield* world.openFile(rec.to);
  const target = rec.to === null ? 0 : inoOf(rec.to);
  const error = yield* recordingVersions(world, (observe) =>
    sysSendfile(from, rec.fromOffset, to, rec.toOffset, rec.result, (seen) => {
      if (seen.ino === target) observe(seen);
    }),
  );
  if (from !== NULL) yield* filePut(from);
  if (to !== NULL) yield* filePut(to);
  return error;
}

function* replayTruncate(world: World, file: number, length: number): Op<number> {
  const firstGone = Math.floor(length / PAGE_SIZE);
  world.contents.fileTruncated(inoOf(file), firstGone);
  const error = yield* doTruncate(world.inode(file), length);
  world.contents.fileTruncated(inoOf(file), firstGone);
  return error;
}

/** Modes that the model has: allocation, and holes. Of a page in a hole nobody knows any more what it was. */
function* replayFallocate(world: World, rec: FileRecord & { kind: 'fallocate' }): Op<number> {
  if ((rec.mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE)) !== 0) return 0;
  const hole = (rec.mode & FALLOC_FL_PUNCH_HOLE) !== 0;
  const first = Math.floor(rec.offset / PAGE_SIZE);
  if (hole) world.contents.fileTruncated(inoOf(rec.file), first);
  const error = yield* world.withFile(null, rec.file, (file) => sysFallocate(file, rec.mode, rec.offset, rec.length));
  if (hole) world.contents.fileTruncated(inoOf(rec.file), first);
  return orNoMemory(error);
}

function* replayUnlink(world: World, file: number): Op<number> {
  const inode = world.inode(file);
  const error = yield* unlinkInode(inode);
  // Nobody can find it any more: our reference goes as the directory entry's inode reference does, and the last close deletes it.
  if (error === 0 && world.forgetInode(file)) yield* inodePut(inode);
  return error;
}
