// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { peek, readOnce, writeOnce } from '@lockless/cpu';
import {
  EINVAL,
  File,
  FileRaState,
  FMODE_RANDOM,
  FMODE_SEQUENTIAL,
  Inode,
  PAGE_SHIFT,
  PAGE_SIZE,
} from '@lockless/mm-types';
import { lruAddDrain } from '@lockless/page';
import { defaultRaPages, modernReadahead } from './config.js';
import { accountsDirty } from './filemap.js';
import { filemapFlush } from './filemap-sync.js';
import { forcePageCacheReadahead } from './readahead.js';
import { invalidateMappingPages } from './truncate.js';

export const POSIX_FADV_NORMAL = 0;
export const POSIX_FADV_RANDOM = 1;
export const POSIX_FADV_SEQUENTIAL = 2;
export const POSIX_FADV_WILLNEED = 3;
export const POSIX_FADV_DONTNEED = 4;
export const POSIX_FADV_NOREUSE = 5;

function* setHint(file: Ptr<File>, hint: number, raPages: number): Op<void> {
  const mode = (yield* readOnce(File.mode(file))) & ~(FMODE_RANDOM | FMODE_SEQUENTIAL);
  yield* writeOnce(File.mode(file), mode | hint);
  yield* writeOnce(FileRaState.raPages(File.ra(file)), raPages);
}

/** Drops the pages of a range that nobody needs: clean, unmapped, unused. Partial pages at both ends stay, but the file's last one goes. */
function* dontNeed(file: Ptr<File>, start: number, endByte: number): Op<void> {
  const mapping = yield* readOnce(File.mapping(file));
  const size = yield* readOnce(Inode.size(yield* readOnce(File.inode(file))));
  yield* filemapFlush(mapping);
  const first = Math.ceil(start / PAGE_SIZE);
  let last = Math.floor(endByte / PAGE_SIZE);
  if (modernReadahead() && (endByte + 1) % PAGE_SIZE !== 0 && endByte !== size - 1) last--;
  if (last < first) return;
  // Pages on their way to the LRU lists are referred to by their pagevec, and so would stay.
  yield* lruAddDrain();
  yield* invalidateMappingPages(mapping, first, last);
}

/** 6.18 has nothing to do for files that are in memory only; 2.6.27 lets their clean pages go. */
const ignoredAdvice = (advice: number): number =>
  advice >= POSIX_FADV_NORMAL && advice <= POSIX_FADV_NOREUSE ? 0 : -EINVAL;

/**
 * posix_fadvise(): what the program expects of bytes `offset` to `offset + length` (length 0: to the end). *Context*: may sleep.
 * *Returns* 0 or -EINVAL. *Source*: `sys_fadvise64_64`, mm/fadvise.c, 2.6.27; `generic_fadvise`, 6.18, as booted.
 */
export function* fadvise(file: Ptr<File>, offset: number, length: number, advice: number): Op<number> {
  if (length < 0) return -EINVAL;
  if (modernReadahead() && !accountsDirty(peek(File.mapping(file)))) return ignoredAdvice(advice);
  const endByte = length === 0 ? 0x7ffffffe : offset + length - 1;
  switch (advice) {
    case POSIX_FADV_NORMAL:
      yield* setHint(file, 0, defaultRaPages());
      return 0;
    case POSIX_FADV_RANDOM:
      // 2.6.27 reads nothing ahead; 6.18 asks the mode.
      yield* setHint(file, FMODE_RANDOM, modernReadahead() ? yield* readOnce(FileRaState.raPages(File.ra(file))) : 0);
      return 0;
    case POSIX_FADV_SEQUENTIAL:
      yield* setHint(file, FMODE_SEQUENTIAL, defaultRaPages() * 2);
      return 0;
    case POSIX_FADV_WILLNEED: {
      const first = offset >> PAGE_SHIFT;
      const mapping = yield* readOnce(File.mapping(file));
      const count = (endByte >> PAGE_SHIFT) - first + 1;
      yield* forcePageCacheReadahead(mapping, File.ra(file), file, first, count);
      return 0;
    }
    case POSIX_FADV_DONTNEED:
      yield* dontNeed(file, offset, endByte);
      return 0;
    case POSIX_FADV_NOREUSE:
      return 0;
    default:
      return -EINVAL;
  }
}
