// SPDX-License-Identifier: GPL-2.0-only
import type { Script } from './script.js';

/** Sums of an area, in kB, as /proc/PID/smaps has them. */
export interface Smaps {
  readonly rss: number;
  readonly pss: number;
  readonly pssDirty: number;
  readonly sharedClean: number;
  readonly sharedDirty: number;
  readonly privateClean: number;
  readonly privateDirty: number;
  readonly anonymous: number;
  readonly locked: number;
  readonly swap: number;
  readonly swapPss: number;
  readonly lazyFree: number;
  readonly anonHugePages: number;
}

/** In the order in which the C program prints them. */
export const SMAPS_FIELDS: readonly (keyof Smaps)[] = [
  'rss',
  'pss',
  'pssDirty',
  'sharedClean',
  'sharedDirty',
  'privateClean',
  'privateDirty',
  'anonymous',
  'locked',
  'swap',
  'swapPss',
  'lazyFree',
  'anonHugePages',
];

/** Of VmFlags in smaps what both sides have, in the order in which the kernel prints them. */
export const VM_FLAGS = [
  'rd',
  'wr',
  'ex',
  'sh',
  'mr',
  'mw',
  'me',
  'ms',
  'gd',
  'lo',
  'sr',
  'rr',
  'dc',
  'ac',
  'hg',
  'nh',
] as const;
export type VmFlag = (typeof VM_FLAGS)[number];

/** Of kpageflags what both sides have and what does not depend on the moment. */
export const PAGE_FLAGS = ['uptodate', 'mmap', 'anon', 'swapbacked', 'head', 'tail', 'thp'] as const;
export type PageFlag = (typeof PAGE_FLAGS)[number];

/* Bits of pagemap, from 55 up. */
export const PM_EXCLUSIVE: number = 1 << 1;
export const PM_FILE: number = 1 << 6;
export const PM_SWAP: number = 1 << 7;
export const PM_PRESENT: number = 1 << 8;

export interface AreaSeen {
  readonly start: number;
  readonly end: number;
  /** `rw-p`, as /proc/PID/maps writes it. */
  readonly rights: string;
  /** A file's number, or what it is without one. */
  readonly of: string;
  /** First page of the file; 0 for anonymous memory. */
  readonly index: number;
  readonly vmFlags: readonly VmFlag[];
  readonly smaps: Smaps;
}

/** A page of an area. */
export interface PageSeen {
  readonly page: number;
  /** What is present; `swap`: nothing, but the entry names a place in a swap area; `none`: nothing. */
  readonly kind: 'none' | 'swap' | 'zero' | 'anon' | 'file' | 'shmem';
  /** PM_* bits. */
  readonly pagemap: number;
  readonly flags: readonly PageFlag[];
  /** Any number that tells this frame, or this place, from others at this moment; meaningless when there is none. */
  readonly frame: number;
  /** How often it is mapped, by whomever. */
  readonly mapcount: number;
  /** The frame itself is marked dirty. Of files only: that anonymous memory was written is known to its entries. */
  readonly dirty: boolean;
  readonly mincore: boolean;
}

/** A page where nothing is present. */
export const nothing = (page: number, pagemap: number, mincore: boolean): PageSeen => ({
  page,
  kind: 'none',
  pagemap,
  flags: [],
  frame: 0,
  mapcount: 0,
  dirty: false,
  mincore,
});

/** A page whose entry names a place in a swap area. */
export const swapped = (page: number, place: number, mincore: boolean): PageSeen => ({
  ...nothing(page, PM_SWAP, mincore),
  kind: 'swap',
  frame: place,
});

export interface ProcessSeen {
  readonly process: number;
  readonly areas: readonly AreaSeen[];
  readonly pages: readonly PageSeen[];
}

/** What is to be seen after a step. */
export interface Observation {
  /** 0, -errno, or the signal that a touch ended in. */
  readonly result: number;
  /** What a read saw: the value of the step that wrote it, or 0. */
  readonly value: number;
  /** What `contents` saw: of each page what a read of it saw, or -1 and down: the signal that it ended in. */
  readonly contents: readonly number[];
  /** The living, in order. */
  readonly processes: readonly ProcessSeen[];
}

/** Something that performs scripts: the kernel, or a simulated one. */
export interface Side {
  readonly name: string;
  /** One observation for each step; fewer and `broken` when it could not go on. */
  readonly run: (script: Script) => SideRun;
}

export interface SideRun {
  readonly observations: readonly Observation[];
  /** What went wrong on this side: a violated invariant, a BUG. */
  readonly broken: string | null;
}
