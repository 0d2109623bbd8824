// SPDX-License-Identifier: GPL-2.0-only
import { load, type Op, type Ptr } from '@lockless/cpu';
import { File } from '@lockless/mm-types';
import { filemapWriteAndWait } from '@lockless/pagecache';
import { shmemMapping } from './shmem.js';

const LAST_INDEX = 0x7fffffff;

/**
 * fsync(2), fdatasync(2): what was written to the file, or to its pages `start` to `end`, is on the disk.
 *
 * *Context*: sleeps; no page locked. *Returns* 0, or -EIO or -ENOSPC of any writeback since the last call.
 * *Source*: `do_fsync`, fs/sync.c, 2.6.27. *Differs*: there is no metadata, so both are the same.
 */
export function* fileFsync(file: Ptr<File>, start: number = 0, end: number = LAST_INDEX): Op<number> {
  const mapping = yield* load(File.mapping(file));
  return (yield* shmemMapping(mapping)) ? 0 : yield* filemapWriteAndWait(mapping, start, end);
}
