// SPDX-License-Identifier: GPL-2.0-only
import {
  atomicIncReturn,
  defineWord,
  type FunctionPointer,
  functionPointer,
  GFP_HIGHUSER_MOVABLE,
  load,
  NULL,
  type Null,
  type Op,
  type Ptr,
  type Ref,
  store,
  testAndClearBit,
  testAndSetBit,
} from '@lockless/cpu';
import {
  AddressSpace,
  type AddressSpaceOperations,
  AOP_WRITEPAGE_ACTIVATE,
  type File,
  FMODE_READ,
  FMODE_WRITE,
  Inode,
  PAGE_SIZE,
  Page,
  PG_PRIVATE,
} from '@lockless/mm-types';
import { getPage, pageUptodate, putPage, setPageUptodate, unlockPage } from '@lockless/page';
import {
  fileOpen,
  findOrCreatePage,
  inodeAlloc,
  inodePut,
  VM_FAULT_LOCKED,
  VM_FAULT_OOM,
  VM_FAULT_SIGBUS,
  zeroPageContent,
} from '@lockless/pagecache';

/*
 * Files that live in memory alone: shared anonymous memory, memfd, tmpfs. There is no swap yet, so a page once written stays: it is
 * held through PG_private and a reference of its own, as buffers hold a page, until truncation drops it. (Linux keeps it by PG_dirty and a
 * writepage that refuses, ramfs; but dirty pages count against the limits of writeback here, and these can never be written.)
 * A page that was only read is zeros, and may be reclaimed.
 */

/** Zeros. *Source*: `simple_readpage`, fs/libfs.c, 2.6.27. */
function* readpage(_file: Ptr<File> | Null, page: Ptr<Page>): Op<number> {
  yield* zeroPageContent(page);
  yield* setPageUptodate(page);
  yield* unlockPage(page);
  return 0;
}

function* writepage(_page: Ptr<Page>, _forReclaim: boolean): Op<number> {
  return AOP_WRITEPAGE_ACTIVATE;
}

/** The first write pins the page. *Context*: reference held. *Returns* true when it was not pinned before. */
function* setPageDirty(page: Ptr<Page>): Op<boolean> {
  yield* getPage(page);
  if (!(yield* testAndSetBit(PG_PRIVATE, Page.flags(page)))) return true;
  yield* putPage(page);
  return false;
}

/** Truncation: the page may go. *Context*: page locked. */
function* invalidatepage(page: Ptr<Page>, offset: number): Op<void> {
  if (offset === 0 && (yield* testAndClearBit(PG_PRIVATE, Page.flags(page)))) yield* putPage(page);
}

export const shmemAops: FunctionPointer<AddressSpaceOperations> = functionPointer('shmem_aops', {
  name: 'shmem',
  readpage,
  writepage,
  setPageDirty,
  invalidatepage,
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
  if (inode !== NULL) yield* store(AddressSpace.aOps(Inode.data(inode)), shmemAops);
  return inode;
}

/** Whether a mapping's pages live in memory alone. */
export function* shmemMapping(mapping: Ptr<AddressSpace>): Op<boolean> {
  return (yield* load(AddressSpace.aOps(mapping))) === shmemAops;
}

/**
 * shmem_fault(): the page, made now if the file has a hole there.
 *
 * *Context*: sleeps. *Returns* the page locked with a reference, or VM_FAULT_SIGBUS beyond the end, or VM_FAULT_OOM. Never a major fault.
 * *Source*: `shmem_fault`, mm/shmem.c, 2.6.27.
 */
export function* shmemFault(mapping: Ptr<AddressSpace>, pgoff: number): Op<{ page: Ptr<Page> | Null; fault: number }> {
  const inode = (yield* load(AddressSpace.host(mapping))) as Ptr<Inode>;
  const page = yield* findOrCreatePage(mapping, pgoff, GFP_HIGHUSER_MOVABLE);
  if (page === NULL) return { page: NULL, fault: VM_FAULT_OOM };
  // Under the page lock: truncation has either not come to this page, or its size is visible.
  if (pgoff * PAGE_SIZE >= (yield* load(Inode.size(inode)))) {
    yield* unlockPage(page);
    yield* putPage(page);
    return { page: NULL, fault: VM_FAULT_SIGBUS };
  }
  if (!(yield* pageUptodate(page))) {
    yield* zeroPageContent(page);
    yield* setPageUptodate(page);
  }
  return { page, fault: VM_FAULT_LOCKED };
}
