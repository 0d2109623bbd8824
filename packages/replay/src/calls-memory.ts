// SPDX-License-Identifier: GPL-2.0-only
import { NULL, type Op } from '@lockless/cpu';
import {
  MADV_DONTFORK,
  MADV_DONTNEED,
  MADV_NORMAL,
  MADV_RANDOM,
  MADV_SEQUENTIAL,
  MADV_WILLNEED,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  MS_ASYNC,
  MS_INVALIDATE,
  MS_SYNC,
  sysBrk,
  sysMadvise,
  sysMlock,
  sysMmap,
  sysMprotect,
  sysMremap,
  sysMsync,
  sysMunlock,
  sysMunmap,
} from '@lockless/mm';
import { ENOMEM, PAGE_SIZE } from '@lockless/mm-types';
import type { MemoryRecord } from '@lockless/recording';
import { mapBits, protBits } from './prot.js';
import type { Space } from './user-memory.js';
import type { World } from './world.js';

export const pagesOf = (bytes: number): number => Math.ceil(bytes / PAGE_SIZE);

const MADVISE: Readonly<Record<string, number>> = {
  normal: MADV_NORMAL,
  random: MADV_RANDOM,
  sequential: MADV_SEQUENTIAL,
  willneed: MADV_WILLNEED,
  dontneed: MADV_DONTNEED,
  dontfork: MADV_DONTFORK,
};

/**
 * Replays a call that changes or advises the address space, and follows it on the host's side when it succeeded. Calls that failed when they
 * were recorded are left out: what they depended on (limits, rights) is not in the recording. Returns 0 or -errno.
 */
export function* replayMemoryCall(world: World, space: Space, rec: MemoryRecord): Op<number> {
  if (rec.result < 0) return 0;
  const error = yield* perform(world, rec);
  if (error === 0) follow(world, space, rec);
  return error;
}

function* perform(world: World, rec: MemoryRecord): Op<number> {
  const at = (page: number): number => world.addresses.toSimulated(page);
  switch (rec.kind) {
    case 'mmap':
      return yield* replayMmap(world, rec);
    case 'munmap':
      return yield* sysMunmap(at(rec.page), pagesOf(rec.length));
    case 'mprotect':
      return rec.length === 0 ? 0 : yield* sysMprotect(at(rec.page), pagesOf(rec.length), protBits(rec.prot));
    case 'mremap':
      return yield* replayMremap(world, rec);
    case 'brk': {
      const wanted = at(pagesOf(rec.result));
      return (yield* sysBrk(wanted)) === wanted ? 0 : -ENOMEM;
    }
    case 'madvise': {
      const advice = MADVISE[rec.advice];
      return advice === undefined ? 0 : yield* sysMadvise(at(rec.page), pagesOf(rec.length), advice);
    }
    case 'msync':
      return yield* sysMsync(at(rec.page), pagesOf(rec.length), msyncBits(rec.flags));
    case 'mlock':
      if (rec.call === 'mlockall' || rec.call === 'munlockall') return 0;
      return rec.call === 'munlock'
        ? yield* sysMunlock(at(rec.page), pagesOf(rec.length))
        : yield* sysMlock(at(rec.page), pagesOf(rec.length));
  }
}

const msyncBits = (flags: readonly string[]): number =>
  (flags.includes('sync') ? MS_SYNC : 0) |
  (flags.includes('async') ? MS_ASYNC : 0) |
  (flags.includes('invalidate') ? MS_INVALIDATE : 0);

function* replayMmap(world: World, rec: MemoryRecord & { kind: 'mmap' }): Op<number> {
  const request = {
    address: world.addresses.toSimulated(rec.result),
    pages: pagesOf(rec.length),
    prot: protBits(rec.prot),
    flags: mapBits(rec.flags),
    pgoff: rec.offset / PAGE_SIZE,
  };
  if (rec.file === null) return Math.min(0, yield* sysMmap({ ...request, file: NULL }));
  const result = yield* world.withFile(rec.ofd, rec.file, (file) => sysMmap({ ...request, file }));
  return result === null ? -ENOMEM : Math.min(0, result);
}

function* replayMremap(world: World, rec: MemoryRecord & { kind: 'mremap' }): Op<number> {
  const moved = rec.result !== rec.page;
  const result = yield* sysMremap({
    address: world.addresses.toSimulated(rec.page),
    oldPages: pagesOf(rec.oldLength),
    newPages: pagesOf(rec.newLength),
    flags: moved ? MREMAP_MAYMOVE | MREMAP_FIXED : 0,
    newAddress: moved ? world.addresses.toSimulated(rec.result) : 0,
  });
  return Math.min(0, result);
}

/** Keeps the host's picture of the address space, and what its pages hold, in step. */
function follow(world: World, space: Space, rec: MemoryRecord): void {
  const { contents } = world;
  switch (rec.kind) {
    case 'mmap':
      contents.forget(space.id, rec.result, rec.result + pagesOf(rec.length));
      break;
    case 'munmap':
      contents.forget(space.id, rec.page, rec.page + pagesOf(rec.length));
      break;
    case 'madvise':
      if (rec.advice === 'dontneed') contents.forget(space.id, rec.page, rec.page + pagesOf(rec.length));
      break;
    case 'mremap':
      if (rec.newLength < rec.oldLength)
        contents.forget(space.id, rec.page + pagesOf(rec.newLength), rec.page + pagesOf(rec.oldLength));
      if (rec.result !== rec.page) {
        contents.forget(space.id, rec.result, rec.result + pagesOf(rec.newLength));
        contents.move(space.id, rec.page, rec.result, pagesOf(Math.min(rec.oldLength, rec.newLength)));
      }
      break;
    case 'brk': {
      const heapEnd = space.areas.brk;
      contents.forget(space.id, pagesOf(rec.result), Math.max(heapEnd, pagesOf(rec.result)));
      break;
    }
  }
  space.areas.apply(rec);
}
