// SPDX-License-Identifier: MIT

import type { Rec, RssPages } from './records.js';

export type * from './records.js';

/**
 * The types of a recording. docs/recording-format.md describes the same records as text.
 *
 * Units: times are microseconds since the first exec; addresses are page numbers (byte
 * address / 4096) unless a field says bytes; lengths and file offsets are bytes; file positions in the page cache are page
 * indexes. A `result` is what the system call returned: zero or positive, or a negative errno.
 */

export const FORMAT_NAME = 'lockless-recording';
export const FORMAT_VERSION = 1;

/** Everything about one recorded run. Records are in the order of their `start`. */
export interface Recording {
  header: Header;
  /** Indexed by file id: `files[id].id === id`. */
  files: FileInfo[];
  records: Rec[];
}

export interface Header {
  format: typeof FORMAT_NAME;
  version: typeof FORMAT_VERSION;
  command: string[];
  machine: Machine;
  /** True when the page cache was dropped before the run, so that files start (almost) uncached. */
  droppedCaches: boolean;
  /** Microseconds from the first record to the last. */
  duration: number;
  /** Every thread, in order of birth; the first is the program's first thread. */
  threads: ThreadInfo[];
  /** Every address space, in order of birth. `spaces[id].id === id`. */
  spaces: SpaceInfo[];
  /** What the recorder could not express (system calls it does not follow, for example). Empty is good. */
  warnings: string[];
}

/** Facts of the real machine that the outcome depends on. */
export interface Machine {
  kernel: string;
  arch: string;
  pageSize: number;
  cpus: number;
  /** Bytes of memory. */
  memory: number;
  /** Bytes of swap. */
  swap: number;
  /** Read-ahead window in KiB, per device "major:minor" that holds one of the files. */
  readAheadKb: Record<string, number>;
  /** Bytes mapped around a read fault on a file. */
  faultAroundBytes: number;
  /** /sys/kernel/mm/transparent_hugepage/enabled, and shmem_enabled: the word in brackets. */
  transparentHugepage: string;
  transparentHugepageShmem: string;
  /** /proc/sys/vm/overcommit_memory. */
  overcommit: number;
}

export interface ThreadInfo {
  tid: number;
  pid: number;
  /** The thread's name when it ended. */
  comm: string;
  start: number;
  end: number;
}

/** One address space (`mm_struct`): made by exec, or by fork without sharing. */
export interface SpaceInfo {
  id: number;
  pid: number;
  born: 'exec' | 'fork';
  start: number;
  end: number;
  /** Resident pages by kind just before the space was torn down: the real kernel's last word, or null if never seen. */
  rssAtEnd: RssPages | null;
}

/**
 * `regular`: a file of a disk filesystem. `shmem`: tmpfs or memfd. `metadata`: an inode that the program did not open but
 * whose pages entered the cache on its behalf: directories, block devices, and so on.
 */
export type FileKind = 'regular' | 'shmem' | 'metadata';

export interface FileInfo {
  id: number;
  kind: FileKind;
  /** "major:minor" as the kernel prints it, or "0:0" when unknown. */
  device: string;
  /** 0 when the file came and went without the recorder learning it. */
  inode: number;
  /** Bytes when first seen; 0 for a file that the program created. */
  size: number;
  /** Where it was first seen; empty when it never had a name that was seen. */
  path: string;
  /** True when it existed before the program started. */
  existed: boolean;
  /** Page indexes in the page cache before the program started, as ascending, disjoint [first, last] pairs. */
  cached: [first: number, last: number][];
}
