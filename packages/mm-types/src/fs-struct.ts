// SPDX-License-Identifier: GPL-2.0-only
import type { Embed, FunctionPointer, Null, Op, Ptr, SpinLock, StructOf } from '@lockless/cpu';
import { ListHead, Mutex, struct } from '@lockless/cpu';
import type { Page } from './page-struct.js';
import { RadixTreeRoot } from './radix-tree-struct.js';

/** struct address_space: the pages of one file, and who maps them. */
export interface AddressSpace {
  host: Ptr<Inode> | Null;
  pageTree: Embed<RadixTreeRoot>;
  /** Protects pageTree and nrpages; taken with interrupts off. An rwlock word in the generation before 2.6.27. */
  treeLock: SpinLock;
  nrpages: number;
  /** Where periodic writeback goes on, a page index. */
  writebackIndex: number;
  aOps: FunctionPointer<AddressSpaceOperations>;
  /** AS_* bits, above the gfp mask bits. */
  flags: number;
  /** Protects iMmap, iMmapNonlinear and truncateCount. */
  iMmapLock: SpinLock;
  /** All vmas that map this file, linked by VmAreaStruct.shared. (2.6.27 keeps a priority search tree over the same.) */
  iMmap: Embed<ListHead>;
  iMmapNonlinear: Embed<ListHead>;
  truncateCount: number;
  /** Number of shared mappings that may write: i_mmap_writable. */
  iMmapWritable: number;
  /* Ours, for reports: lookups that found a page and that did not, pages added and removed since the inode was set up. */
  hits: number;
  misses: number;
  added: number;
  removed: number;
}
export const AddressSpace: StructOf<AddressSpace> = struct<AddressSpace>(
  'address_space',
  {
    host: 1,
    pageTree: RadixTreeRoot,
    treeLock: 1,
    nrpages: 1,
    writebackIndex: 1,
    aOps: 1,
    flags: 1,
    iMmapLock: 1,
    iMmap: ListHead,
    iMmapNonlinear: ListHead,
    truncateCount: 1,
    iMmapWritable: 1,
    hits: 1,
    misses: 1,
    added: 1,
    removed: 1,
  },
  16,
);

/** Tags in AddressSpace.pageTree. */
export const PAGECACHE_TAG_DIRTY = 0;
export const PAGECACHE_TAG_WRITEBACK = 1;

/* Bits of AddressSpace.flags; the low GFP_BITS_SHIFT (21) bits are the allocation mask. */
export const AS_EIO = 21;
export const AS_ENOSPC = 22;
export const AS_MM_ALL_LOCKS = 23;

/** What a file system supplies. Pages are handed over locked where the kernel does so. */
export interface AddressSpaceOperations {
  readonly name: string;
  /** Starts reading a locked page; it is unlocked when done. 0 or -errno. */
  readonly readpage: (file: Ptr<File> | Null, page: Ptr<Page>) => Op<number>;
  /** Starts writing a locked page whose dirty flag is cleared; unlocks it. 0, -errno or AOP_WRITEPAGE_ACTIVATE. */
  readonly writepage: (page: Ptr<Page>, forReclaim: boolean) => Op<number>;
  /** Whether pages are read before anybody asks for them, if the program says that it will. Absent: yes. */
  readonly readsAhead?: boolean;
  /** Marks dirty; true when it was clean. Absent: the generic one. */
  readonly setPageDirty?: (page: Ptr<Page>) => Op<boolean>;
  /** Frees private data of a locked page; true when done. */
  readonly releasepage?: (page: Ptr<Page>, gfp: number) => Op<boolean>;
  /** Drops private data beyond `offset` bytes. */
  readonly invalidatepage?: (page: Ptr<Page>, offset: number) => Op<void>;
  /** BDI_CAP_NO_ACCT_DIRTY when false: dirty pages have no tag and no part in any account, for nobody writes them to make room. Absent: true. */
  readonly accountsDirty?: boolean;
  /** The page that a write goes to: locked, held, uptodate; or -errno. Absent: the generic one. */
  readonly writeBegin?: (file: Ptr<File>, index: number) => Op<Ptr<Page> | number>;
  /** Frees what the file keeps of pages [first, end) elsewhere than in the cache. Absent: its blocks on the disk. *Context*: no page of them is mapped. */
  readonly truncateRange?: (inode: Ptr<Inode>, first: number, end: number) => Op<void>;
  /** The inode goes: what belongs to it. *Context*: nobody refers to it; its pages and blocks are gone. */
  readonly evictInode?: (inode: Ptr<Inode>) => Op<void>;
}

/** struct inode, the part that memory management reads. */
export interface Inode {
  ino: number;
  /** i_size in bytes, below 2^31. */
  size: number;
  /** References of files, mappings and the replayer. */
  count: number;
  nlink: number;
  /** I_DIRTY_PAGES and the like. */
  state: number;
  /** i_list: on the list of dirty inodes. */
  list: Embed<ListHead>;
  /** Serialises writers and truncation. */
  mutex: Embed<Mutex>;
  /** At an even address: the low bit of page->mapping says something else. */
  data: Embed<AddressSpace>;
  /** i_flags: S_* */
  flags: number;
  /** What the file system keeps of it beside this: of a file in memory its shmem_inode_info. */
  info: number;
}
export const Inode: StructOf<Inode> = struct<Inode>(
  'inode',
  {
    ino: 1,
    size: 1,
    count: 1,
    nlink: 1,
    state: 1,
    list: ListHead,
    mutex: Mutex,
    data: AddressSpace,
    flags: 1,
    info: 1,
  },
  16,
);

/** Inode.flags: memory is swapped out to the file's blocks, so it must keep them. */
export const S_SWAPFILE = 256;

/** struct file_ra_state: read-ahead of one open file, in pages. */
export interface FileRaState {
  /** First page of the current window. */
  start: number;
  size: number;
  /** The last asyncSize pages are ahead of need; touching the first of them starts the next window. */
  asyncSize: number;
  /** Largest window, 32 pages (128 KiB) by default. */
  raPages: number;
  /** Misses of mmap accesses. */
  mmapMiss: number;
  /** Index of the last page read, -1 before the first. */
  prevIndex: number;
  /** Size of the folios of the next window as a power of two; newer kernels only. */
  order: number;
}
export const FileRaState: StructOf<FileRaState> = struct<FileRaState>('file_ra_state', {
  start: 1,
  size: 1,
  asyncSize: 1,
  raPages: 1,
  mmapMiss: 1,
  prevIndex: 1,
  order: 1,
});

/** struct file: one open file description. */
export interface File {
  inode: Ptr<Inode>;
  /** f_mapping: the address space to use and to lock, not always the inode's own. */
  mapping: Ptr<AddressSpace>;
  count: number;
  /** FMODE_* and hints (FMODE_RANDOM, FMODE_SEQUENTIAL). */
  mode: number;
  ra: Embed<FileRaState>;
}
export const File: StructOf<File> = struct<File>(
  'file',
  { inode: 1, mapping: 1, count: 1, mode: 1, ra: FileRaState },
  16,
);

export const FMODE_READ = 1;
export const FMODE_WRITE = 2;
/** posix_fadvise(POSIX_FADV_RANDOM). */
export const FMODE_RANDOM = 4;
/** posix_fadvise(POSIX_FADV_SEQUENTIAL). */
export const FMODE_SEQUENTIAL = 8;

/** struct bio for one page: a request to the disk, and its completion. */
export interface Bio {
  page: Ptr<Page>;
  /** BIO_READ or BIO_WRITE. */
  rw: number;
  /** Place on the disk: inode number and page index. */
  ino: number;
  index: number;
  /** 0 or -EIO, set by the device. */
  error: number;
  /** Called in interrupt context when done. */
  endIo: FunctionPointer<BioEndIo>;
  private: number;
}
export type BioEndIo = (bio: Ptr<Bio>) => Op<void>;
export const Bio: StructOf<Bio> = struct<Bio>('bio', {
  page: 1,
  rw: 1,
  ino: 1,
  index: 1,
  error: 1,
  endIo: 1,
  private: 1,
});
export const BIO_READ = 0;
export const BIO_WRITE = 1;
/** The one disk. */
export const DISK_DEVICE = 1;
