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
];

export interface AreaSeen {
  readonly start: number;
  readonly end: number;
  /** `rw-p`, as /proc/PID/maps writes it. */
  readonly rights: string;
  /** A file's number, or what it is without one. */
  readonly of: string;
  /** First page of the file; 0 for anonymous memory. */
  readonly index: number;
  readonly smaps: Smaps;
}

/** A page of an area. */
export interface PageSeen {
  readonly page: number;
  /** What is present; `none`: nothing. */
  readonly kind: 'none' | 'zero' | 'anon' | 'file' | 'shmem';
  /** Any number that tells this frame from others at this moment; meaningless when nothing is present. */
  readonly frame: number;
  /** How often it is mapped, by whomever. */
  readonly mapcount: number;
  /** The frame itself is marked dirty. Of files only: that anonymous memory was written is known to its entries. */
  readonly dirty: boolean;
  readonly mincore: boolean;
}

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
