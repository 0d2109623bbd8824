// SPDX-License-Identifier: GPL-2.0-only
import { defineStatic, type Op, type Ptr, peek, type Ref, type StructOf, store, struct } from '@lockless/cpu';
import { useLazyfree } from '@lockless/page';
import { useTruncateCount } from '@lockless/rmap';
import { shmemSwaplistInit } from './shmem-info.js';

/**
 * What newer kernels do otherwise than 2.6.27. Written by boot before a second CPU runs and constant from then on
 * (`__read_mostly` sysctls), so it is read without an access.
 */
export interface MmOptions {
  /** fault_around_bytes in pages, a power of two; 1: map the faulting page alone (before 3.15). */
  faultAroundPages: number;
  /** 1: a read fault on anonymous memory maps the zero page (2.6.32 and later; 2.6.24 to 2.6.31 gave a page). */
  zeroPageReads: number;
  /** 1: fork copies the entries of file mappings too, which the child could fault in again (before 2.6.15). */
  copyFilePtes: number;
  /** 1: mprotect that adds write access makes pages writable at once that are exclusively ours (6.0 and later). */
  mprotectUpgrades: number;
  /** 1: private memory that was never written is not accounted any more when mprotect takes write access away (seen on 6.18). */
  mprotectUnaccounts: number;
  /** 1: mprotect brings the pages of locked private memory in that it makes writable (seen on 6.18). */
  mprotectPopulates: number;
  /** 1: msync writes the part of a file that is mapped in its range (3.16 and later); 0: the whole file. */
  msyncRange: number;
  /** 1: MADV_REMOVE takes shared mappings that could be made writable, and leaves private copies (6.18); 0: only writable ones, and takes copies away. */
  removeAsPunch: number;
  /** 1: mremap refuses what it cannot move before it unmaps anything (6.17 and later, seen on 6.18). */
  mremapChecksFirst: number;
  /** 1: mremap with an old length of 0 maps private memory anew too (before 4.14). */
  mremapDuplicatesPrivate: number;
  /** 1: there is MREMAP_DONTUNMAP, of any mapping (5.13 and later). */
  mremapDontunmap: number;
  /** 1: remap_file_pages() makes areas, never entries in an area that is not linear (4.0 and later). */
  remapEmulated: number;
  /** 1: get_user_pages_fast() counts on no interrupt of a TLB flush for pages (powerpc; everywhere since 4.14); 0: it does (x86, 2.6.27). */
  gupSpeculative: number;
  /** 1: truncation is kept out of faults on files by mapping->truncate_count (before 2.6.23), not by the page lock. */
  truncateCountFaults: number;
  /** RLIMIT_FSIZE, in bytes; 0: none. */
  fileSizeLimit: number;
  /** RLIMIT_STACK, in pages. */
  stackLimit: number;
  /** stack_guard_gap in pages (4.12 and later); 0: none. */
  stackGuardGap: number;
  /** 1: MADV_FREE lets reclaim drop pages (4.12 and later); 0: it does nothing. */
  madvFree: number;
  /** 1: when madvise splits a huge page, its pages of zeros are given back (6.12 and later). */
  splitDropsZeros: number;
  /** 1: a page that comes back to locked memory gives its place in swap back (2.6.28 and later). */
  swapFreedOfLocked: number;
  /** 1: swapoff looks through an area with its page table lock held (before 2.6.14). */
  unuseUnderLock: number;
}
const MmOptions: StructOf<MmOptions> = struct<MmOptions>('mm_options', {
  faultAroundPages: 1,
  zeroPageReads: 1,
  copyFilePtes: 1,
  mprotectUpgrades: 1,
  mprotectUnaccounts: 1,
  mprotectPopulates: 1,
  msyncRange: 1,
  removeAsPunch: 1,
  mremapChecksFirst: 1,
  mremapDuplicatesPrivate: 1,
  mremapDontunmap: 1,
  remapEmulated: 1,
  gupSpeculative: 1,
  truncateCountFaults: 1,
  fileSizeLimit: 1,
  stackLimit: 1,
  stackGuardGap: 1,
  madvFree: 1,
  splitDropsZeros: 1,
  swapFreedOfLocked: 1,
  unuseUnderLock: 1,
});

const options: Ptr<MmOptions> = defineStatic(MmOptions, 'mm_options');

/** The kernel of the recordings: fault-around, the zero page, 8 MiB of stack with a guard gap of 1 MiB. */
export const MODERN_MM: MmOptions = {
  faultAroundPages: 16,
  zeroPageReads: 1,
  copyFilePtes: 0,
  mprotectUpgrades: 1,
  mprotectUnaccounts: 1,
  mprotectPopulates: 1,
  msyncRange: 1,
  removeAsPunch: 1,
  mremapChecksFirst: 1,
  mremapDuplicatesPrivate: 0,
  mremapDontunmap: 1,
  remapEmulated: 1,
  gupSpeculative: 1,
  truncateCountFaults: 0,
  fileSizeLimit: 0,
  stackLimit: 2048,
  stackGuardGap: 256,
  madvFree: 1,
  splitDropsZeros: 1,
  swapFreedOfLocked: 1,
  unuseUnderLock: 0,
};

/** 2.6.27 as it was. */
export const ERA_MM: MmOptions = {
  faultAroundPages: 1,
  zeroPageReads: 0,
  copyFilePtes: 0,
  mprotectUpgrades: 0,
  mprotectUnaccounts: 0,
  mprotectPopulates: 0,
  msyncRange: 0,
  removeAsPunch: 0,
  mremapChecksFirst: 0,
  mremapDuplicatesPrivate: 1,
  mremapDontunmap: 0,
  remapEmulated: 0,
  gupSpeculative: 0,
  truncateCountFaults: 0,
  fileSizeLimit: 0,
  stackLimit: 2048,
  stackGuardGap: 0,
  madvFree: 0,
  splitDropsZeros: 0,
  swapFreedOfLocked: 0,
  unuseUnderLock: 0,
};

/** One option's value; constant after boot. */
export const mmOption = (name: keyof MmOptions): number => peek(MmOptions[name](options) as Ref<number>);

/** Sets the options. *Context*: boot, one CPU. */
export function* mmOptionsInit(values: MmOptions): Op<void> {
  yield* shmemSwaplistInit();
  if (values.truncateCountFaults !== 0) useTruncateCount();
  if (values.madvFree !== 0) useLazyfree();
  for (const name of Object.keys(values) as (keyof MmOptions)[]) yield* store(MmOptions[name](options), values[name]);
}
