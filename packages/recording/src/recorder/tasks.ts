// SPDX-License-Identifier: MIT
import type { Rec, RssPages } from '../format.js';
import type { Description, DescriptorTable } from './descriptors.js';
import type { FileTable, TrackedFile } from './files.js';
import type { StraceCall } from './strace-log.js';
import type { SyscallArgs } from './trace-events.js';

/** An address space while it is followed. */
export interface Space {
  id: number;
  pid: number;
  born: 'exec' | 'fork';
  start: number;
  end: number;
  /** The kernel's name for it in rss_stat events, once known. */
  mm: number | null;
  /** Threads (and vfork children) that live in it. */
  users: number;
  rss: RssPages;
  rssAtEnd: RssPages | null;
  /** Where files whose inode is not known yet are mapped, as page ranges. */
  unknownMaps: { from: number; to: number; file: TrackedFile }[];
}

/** A system call between its enter and its leave. */
export interface OpenCall {
  name: string;
  nr: number;
  args: SyscallArgs;
  start: number;
  key: number;
  /** The kernel faulted on user memory meanwhile. */
  touched: boolean;
  /** The address space that this fork or exec is making. */
  making: Space | null;
  /** exec: the order key and time of the moment when the new image replaced the old. */
  replaced: { key: number; time: number } | null;
  /** fork: the record, whose end the leave supplies. */
  fork: { end: number } | null;
}

export interface Thread {
  tid: number;
  pid: number;
  comm: string;
  start: number;
  end: number;
  space: Space;
  descriptors: DescriptorTable;
  /** Shared with CLONE_FS. */
  cwd: { path: string };
  call: OpenCall | null;
  lastFault: number;
  /** Order key after which nothing but the kernel's clearing up belongs to this thread. */
  exit: { key: number; time: number; last: boolean } | null;
  /** How many of its strace calls have been used. */
  straced: number;
}

/** A record with its place in the order. */
export interface Draft {
  key: number;
  record: Rec;
}

/** What a system call's translation works with. */
export interface CallContext {
  name: string;
  args: SyscallArgs;
  result: number;
  /** Present for the calls in STRACED. */
  strace: StraceCall | null;
  thread: Thread;
  files: FileTable;
  /** The fields that every record of this call begins with. */
  span: { tid: number; start: number; end: number };
  /** A description for `file`, with a new id. */
  describe(file: TrackedFile | null, options?: { append?: boolean; pipe?: number }): Description;
  nextPipe(): number;
  /** Notes that these descriptions are gone. */
  release(...descriptions: (Description | null)[]): void;
}

/** Gives the records of one call, or null to have it treated as any other call. */
export type Translate = (call: CallContext) => Rec[] | null;
