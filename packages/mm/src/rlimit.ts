// SPDX-License-Identifier: GPL-2.0-only
import { current, type Op, store, TaskStruct } from '@lockless/cpu';
import { EFBIG } from '@lockless/mm-types';
import { mmOption } from './mm-options.js';

export const SIGXFSZ = 25;

/**
 * The part of generic_write_checks() and of vmtruncate() that knows RLIMIT_FSIZE.
 *
 * *Context*: process context; inode->mutex. *Returns* how many of `count` bytes at byte `pos` may be written; -EFBIG for none, and SIGXFSZ
 * is pending then.
 * *Source*: `generic_write_checks`, mm/filemap.c, 2.6.27. *Differs*: all processes have the same limit.
 */
export function* withinFileSizeLimit(pos: number, count: number): Op<number> {
  const limit = mmOption('fileSizeLimit');
  if (limit === 0 || pos + count <= limit) return count;
  if (pos < limit) return limit - pos;
  yield* store(TaskStruct.signalPending(current()), SIGXFSZ);
  return -EFBIG;
}
