// SPDX-License-Identifier: GPL-2.0-only
import {
  atomicIncReturn,
  bugOn,
  defineWord,
  type FunctionPointer,
  functionPointer,
  load,
  NULL,
  type Null,
  type Op,
  type Ptr,
  type Ref,
  readOnce,
  store,
} from '@lockless/cpu';
import {
  AddressSpace,
  type AddressSpaceOperations,
  EIO,
  ENOMEM,
  File,
  FMODE_READ,
  FMODE_WRITE,
  Inode,
  PAGE_SIZE,
  type Page,
} from '@lockless/mm-types';
import { putPage, unlockPage } from '@lockless/page';
import {
  fileOpen,
  inodeAlloc,
  inodePut,
  setPageDirtyNoWriteback,
  VM_FAULT_LOCKED,
  VM_FAULT_MAJOR,
  VM_FAULT_OOM,
  VM_FAULT_SIGBUS,
} from '@lockless/pagecache';
import { shmemGetpage } from './shmem-getpage.js';
import { shmemInfoAlloc, shmemInfoFree } from './shmem-info.js';
import { shmemTruncateRange } from './shmem-truncate.js';
import { shmemWritepage } from './shmem-writepage.js';

/*
 * Files that live in memory alone: shared anonymous memory, memfd, tmpfs. A page once written stays dirty, for there is no disk to write it to, until it
 * goes to swap (shmem-writepage.ts) or is truncated; one that was only read is zeros, and reclaim may drop it. Where the pages are that are in swap:
 * shmem-info.ts.
 */

/** Nobody reads ahead here: what is not in memory is in swap, or a hole. */
function* readpage(): Op<number> {
  bugOn(true, 'readpage of a file in memory');
  return -EIO;
}

/** write_begin. *Source*: `shmem_write_begin`, mm/shmem.c, 2.6.27. */
function* writeBegin(file: Ptr<File>, index: number): Op<Ptr<Page> | number> {
  const { page, error } = yield* shmemGetpage(yield* readOnce(File.mapping(file)), index, 'write');
  return page === NULL ? error : page;
}

export const shmemAops: FunctionPointer<AddressSpaceOperations> = functionPointer('shmem_aops', {
  name: 'shmem',
  readpage,
  readsAhead: false,
  writepage: shmemWritepage,
  setPageDirty: setPageDirtyNoWriteback,
  accountsDirty: false,
  writeBegin,
  truncateRange: shmemTruncateRange,
  evictInode: shmemInfoFree,
});

/** Inodes of files without a name: numbers that no disk has. */
const FIRST_INO = 0x7000_0000;
const lastIno: Ref<number> = defineWord('shmem_last_ino');

/**
 * shmem_file_setup(): a file in memory without a name, for shared anonymous memory and memfd.
 *
 * *Context*: sleeps. *Returns* the file with one reference; it goes with the last one. NULL: no memory.
 * *Source*: `shmem_file_setup`, mm/shmem.c, 2.6.27.
 */
export function* shmemFileSetup(pages: number): Op<Ptr<File> | Null> {
  const inode = yield* shmemInode(FIRST_INO + (yield* atomicIncReturn(lastIno)), pages * PAGE_SIZE);
  if (inode === NULL) return NULL;
  yield* store(Inode.nlink(inode), 0);
  const file = yield* fileOpen(inode, FMODE_READ | FMODE_WRITE);
  yield* inodePut(inode);
  return file;
}

/** An inode of a file system in memory. *Returns* it with one link and one reference; NULL: no memory. */
export function* shmemInode(ino: number, bytes: number): Op<Ptr<Inode> | Null> {
  const inode = yield* inodeAlloc(ino, bytes);
  if (inode === NULL) return NULL;
  if (yield* shmemInfoAlloc(inode)) {
    yield* store(AddressSpace.aOps(Inode.data(inode)), shmemAops);
    return inode;
  }
  yield* store(Inode.nlink(inode), 0);
  yield* inodePut(inode);
  return NULL;
}

/** Whether a mapping's pages live in memory alone. */
export function* shmemMapping(mapping: Ptr<AddressSpace>): Op<boolean> {
  return (yield* load(AddressSpace.aOps(mapping))) === shmemAops;
}

/**
 * shmem_fault(): the page, from swap, or made now if the file has a hole there.
 *
 * *Context*: sleeps. *Returns* the page locked with a reference, or VM_FAULT_SIGBUS beyond the end or when swap cannot be read, or VM_FAULT_OOM.
 * *Source*: `shmem_fault`, mm/shmem.c, 2.6.27.
 */
export function* shmemFault(mapping: Ptr<AddressSpace>, pgoff: number): Op<{ page: Ptr<Page> | Null; fault: number }> {
  const inode = (yield* load(AddressSpace.host(mapping))) as Ptr<Inode>;
  const { page, error, major } = yield* shmemGetpage(mapping, pgoff, 'cache');
  if (page === NULL) return { page, fault: error === -ENOMEM ? VM_FAULT_OOM : VM_FAULT_SIGBUS };
  // Under the page lock: truncation has either not come to this page, or its size is visible.
  if (pgoff * PAGE_SIZE >= (yield* load(Inode.size(inode)))) {
    yield* unlockPage(page);
    yield* putPage(page);
    return { page: NULL, fault: VM_FAULT_SIGBUS };
  }
  return { page, fault: VM_FAULT_LOCKED | (major ? VM_FAULT_MAJOR : 0) };
}
