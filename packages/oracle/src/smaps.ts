// SPDX-License-Identifier: GPL-2.0-only
import type { Smaps } from './observation.js';

/** A page that counts in an area's sums. */
export interface Resident {
  readonly mapcount: number;
  /** The entry or the frame is dirty. */
  readonly dirty: boolean;
  readonly anonymous: boolean;
  /** MADV_FREE gave it up, and nobody has written to it since. */
  readonly lazyFree: boolean;
  /** One entry maps it with the rest of a huge page. */
  readonly huge: boolean;
}

const PAGE_KB = 4;
/** Proportional shares are fixed-point numbers: bytes with 12 bits behind the point. */
const SHARE = 4096 * 4096;
const SHARE_PER_KB = 1024 * 4096;

/**
 * The sums of an area as the kernel makes them: a share is divided once per page, cut off, and the sum is cut off to kB.
 *
 * *Source*: `smaps_account`, `smaps_page_accumulate`, fs/proc/task_mmu.c, 6.18.
 */
export function sumsOf(pages: readonly Resident[], locked: boolean): Omit<Smaps, 'swap' | 'swapPss'> {
  const kilobytes = (chosen: readonly Resident[]): number => chosen.length * PAGE_KB;
  const share = (chosen: readonly Resident[]): number =>
    Math.floor(chosen.reduce((sum, { mapcount }) => sum + Math.floor(SHARE / mapcount), 0) / SHARE_PER_KB);
  const shared = pages.filter(({ mapcount }) => mapcount >= 2);
  const own = pages.filter(({ mapcount }) => mapcount < 2);
  return {
    rss: kilobytes(pages),
    pss: share(pages),
    pssDirty: share(pages.filter(({ dirty }) => dirty)),
    sharedClean: kilobytes(shared.filter(({ dirty }) => !dirty)),
    sharedDirty: kilobytes(shared.filter(({ dirty }) => dirty)),
    privateClean: kilobytes(own.filter(({ dirty }) => !dirty)),
    privateDirty: kilobytes(own.filter(({ dirty }) => dirty)),
    anonymous: kilobytes(pages.filter(({ anonymous }) => anonymous)),
    locked: locked ? share(pages) : 0,
    lazyFree: kilobytes(pages.filter(({ lazyFree }) => lazyFree)),
    anonHugePages: kilobytes(pages.filter(({ huge }) => huge)),
  };
}

/**
 * The sums of an area's places in swap. @param users of each place, how many entries name it
 *
 * *Source*: `smaps_pte_entry`, fs/proc/task_mmu.c, 6.18.
 */
export function swapSumsOf(users: readonly number[], ofFiles: number): Pick<Smaps, 'swap' | 'swapPss'> {
  const shares = users.reduce((sum, count) => sum + Math.floor(SHARE / Math.max(1, count)), 0);
  return { swap: (users.length + ofFiles) * PAGE_KB, swapPss: Math.floor(shares / SHARE_PER_KB) };
}
