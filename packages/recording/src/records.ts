// SPDX-License-Identifier: MIT

import type { At, Spans, TruthRecord } from './truth.js';

export type * from './truth.js';

/** The records of a recording: what the program did, and, interleaved in truth.ts, what the real kernel did. Units: format.ts. */

/** A stretch of user memory that a system call reads or writes. */
export interface UserBuffer {
  page: number;
  /** Byte offset in `page`. */
  offset: number;
  length: number;
}

export type Prot = string; // "rwx" with "-" for what is missing, as in /proc/PID/maps

/** fork, vfork, clone, clone3. `end` is when the parent returned. The child's records begin after `start`. */
export interface Fork extends Spans {
  kind: 'fork';
  child: number;
  /** Process id of the child; equal to the parent's for a thread. */
  childPid: number;
  /** The child's address space: the parent's own when `shares` has `vm`. */
  space: number;
  shares: ForkShare[];
}
export type ForkShare = 'vm' | 'files' | 'thread' | 'vfork';

/**
 * A successful execve. `start` is when the new image replaced the old one, so records of this thread before it belong to the
 * old address space and records after it to the new one.
 */
export interface Exec extends Spans {
  kind: 'exec';
  /** The program file. */
  file: number;
  space: number;
  /** Bytes: the initial program break. */
  brk: number;
  /** The memory map before the first instruction of the new image. */
  maps: Vma[];
}

export type VmaKind = 'file' | 'heap' | 'stack' | 'vdso' | 'vvar' | 'anon';
export interface Vma {
  /** First page, and the page after the last. */
  from: number;
  to: number;
  prot: Prot;
  shared: boolean;
  kind: VmaKind;
  /** null unless file-backed. */
  file: number | null;
  /** Page index in `file` of page `from`. */
  index: number;
}

/** A thread ends. `code` as in waitpid: exit status 0–255, or 0 with `signal`. */
export interface Exit extends At {
  kind: 'exit';
  code: number;
  signal: number;
  /** True for the last thread of its process: the address space goes (unless shared). */
  last: boolean;
}

export type OpenFlag =
  | 'read'
  | 'write'
  | 'append'
  | 'create'
  | 'exclusive'
  | 'truncate'
  | 'direct'
  | 'sync'
  | 'dsync'
  | 'tmpfile';

/** A successful open of a file. `ofd` is the open file description: what dup and fork share. */
export interface Open extends Spans {
  kind: 'open';
  ofd: number;
  file: number;
  flags: OpenFlag[];
  /** The file's size in bytes after the call. */
  size: number;
  /** The path string. */
  buffers: UserBuffer[];
}

/** The last descriptor of an open file description went away (close, exec, exit, dup2). */
export interface Close extends At {
  kind: 'close';
  ofd: number;
}

/** What a read and a write say. */
export interface Transfer extends Spans {
  ofd: number;
  file: number;
  offset: number;
  length: number;
  result: number;
  buffers: UserBuffer[];
}

/** read, pread64, readv, preadv(2) on a file. For vectors, `buffers` is the iovec array itself. */
export interface Read extends Transfer {
  kind: 'read';
}
/** write, pwrite64, writev, pwritev(2) on a file. An appending write has the offset it landed at. */
export interface Write extends Transfer {
  kind: 'write';
}
/** sendfile, copy_file_range, splice, where at least one side is a file; the other may be null (pipe, socket). */
export interface Copy extends Spans {
  kind: 'copy';
  call: string;
  from: number | null;
  fromOffset: number;
  to: number | null;
  toOffset: number;
  length: number;
  result: number;
}
export interface Truncate extends Spans {
  kind: 'truncate';
  file: number;
  length: number;
  result: number;
}
export interface Fallocate extends Spans {
  kind: 'fallocate';
  file: number;
  mode: number;
  offset: number;
  length: number;
  result: number;
}
/** fsync, fdatasync, syncfs, sync_file_range on a file; sync (file null). */
export interface Fsync extends Spans {
  kind: 'fsync';
  call: string;
  file: number | null;
  result: number;
}
export interface Fadvise extends Spans {
  kind: 'fadvise';
  file: number;
  offset: number;
  length: number;
  /** posix_fadvise's name in lower case (`willneed`), or `readahead` for readahead(2). */
  advice: string;
  result: number;
}
/** A name of the file goes away. */
export interface Unlink extends Spans {
  kind: 'unlink';
  file: number;
  /** True when it was the last name, as far as the recording knows. */
  last: boolean;
  result: number;
}
export interface Rename extends Spans {
  kind: 'rename';
  file: number;
  /** The file whose name was taken over, or null. */
  replaced: number | null;
  result: number;
}

export interface Mmap extends Spans {
  kind: 'mmap';
  /** Hint or fixed address; 0 when none. */
  page: number;
  length: number;
  prot: Prot;
  flags: string[];
  file: number | null;
  ofd: number | null;
  /** Byte offset in the file. */
  offset: number;
  /** Page number, or negative errno. */
  result: number;
}
export interface Munmap extends Spans {
  kind: 'munmap';
  page: number;
  length: number;
  result: number;
}
export interface Mprotect extends Spans {
  kind: 'mprotect';
  page: number;
  length: number;
  prot: Prot;
  result: number;
}
export interface Mremap extends Spans {
  kind: 'mremap';
  page: number;
  oldLength: number;
  newLength: number;
  flags: string[];
  /** The requested new page with `fixed`, else 0. */
  to: number;
  /** Page number, or negative errno. */
  result: number;
}
/** `address` and `result` are byte addresses; `address` 0 only asks. */
export interface Brk extends Spans {
  kind: 'brk';
  address: number;
  result: number;
}
export interface Madvise extends Spans {
  kind: 'madvise';
  page: number;
  length: number;
  /** Name in lower case (`dontneed`), or the number when it has none here. */
  advice: string;
  result: number;
}
export interface Msync extends Spans {
  kind: 'msync';
  page: number;
  length: number;
  flags: string[];
  result: number;
}
export interface Mlock extends Spans {
  kind: 'mlock';
  call: 'mlock' | 'mlock2' | 'munlock' | 'mlockall' | 'munlockall';
  page: number;
  length: number;
  flags: number;
  result: number;
}

/**
 * A call that may block and so orders threads: wait4, futex, poll, read or write of a pipe or socket, sleep.
 * `object` names what it waits on: `futex:HEXADDRESS`, `pipe:N`, `child:TID`, `fd` or `-`.
 */
export interface Sync extends Spans {
  kind: 'sync';
  call: string;
  object: string;
  result: number;
  buffers: UserBuffer[];
}
/** Any other system call that is known to touch user memory, or during which the kernel faulted on user memory. */
export interface Call extends Spans {
  kind: 'call';
  call: string;
  result: number;
  buffers: UserBuffer[];
}

/** A page fault: the real kernel was entered because of an access to `page`. */
export interface Touch extends At {
  kind: 'touch';
  page: number;
  access: 'read' | 'write' | 'exec';
  /** True when the kernel itself touched user memory (inside a system call). */
  kernel: boolean;
  /** True for a protection fault: the page was present (copy-on-write, mkwrite). */
  present: boolean;
}

export type ProcessRecord = Fork | Exec | Exit;
export type FileRecord = Open | Close | Read | Write | Copy | Truncate | Fallocate | Fsync | Fadvise | Unlink | Rename;
export type MemoryRecord = Mmap | Munmap | Mprotect | Mremap | Brk | Madvise | Msync | Mlock;
export type Rec = ProcessRecord | FileRecord | MemoryRecord | Sync | Call | Touch | TruthRecord;
export type RecKind = Rec['kind'];
