// SPDX-License-Identifier: GPL-2.0-only
import { NULL, type Op, type Ptr } from '@lockless/cpu';
import { FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, fileFsync, shmemInode, sysFallocate, sysPread } from '@lockless/mm';
import { type File, FMODE_READ, FMODE_WRITE, type Inode, PAGE_SIZE } from '@lockless/mm-types';
import { fadvise, fileOpen, inodeAlloc, POSIX_FADV_DONTNEED, POSIX_FADV_RANDOM } from '@lockless/pagecache';
import type { Punch, ScriptFile } from './script.js';

export interface OpenFile {
  readonly ino: number;
  readonly inode: Ptr<Inode>;
  readonly file: Ptr<File>;
}

export function enough<T>(what: T | typeof NULL): Exclude<T, typeof NULL> {
  if (what === NULL) throw new Error('the simulated machine has too little memory for the script');
  return what as Exclude<T, typeof NULL>;
}

/** *Context*: boot, or a task without an mm. */
export function* openFile(ino: number, { kind, pages }: ScriptFile): Op<OpenFile> {
  const bytes = pages * PAGE_SIZE;
  const inode = enough(yield* kind === 'disk' ? inodeAlloc(ino, bytes) : shmemInode(ino, bytes));
  const file = enough(yield* fileOpen(inode, FMODE_READ | FMODE_WRITE));
  if (kind === 'disk') {
    yield* sysPread(file, 0, bytes, null);
    yield* fadvise(file, 0, 0, POSIX_FADV_RANDOM);
  }
  return { ino, inode, file };
}

export function* punchFile({ file }: OpenFile, { index, pages }: Punch): Op<number> {
  const mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
  return yield* sysFallocate(file, mode, index * PAGE_SIZE, pages * PAGE_SIZE);
}

export function* dropFile({ file }: OpenFile): Op<number> {
  const error = yield* fileFsync(file);
  return error === 0 ? yield* fadvise(file, 0, 0, POSIX_FADV_DONTNEED) : error;
}
