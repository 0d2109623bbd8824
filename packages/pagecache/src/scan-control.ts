// SPDX-License-Identifier: GPL-2.0-only
import type { Ptr } from '@lockless/cpu';
import { GFP_FS, GFP_IO } from '@lockless/cpu';
import type { AddressSpace, Page } from '@lockless/mm-types';

/** Pages that reclaim takes off a list at a time. *Source*: include/linux/swap.h, 2.6.27. */
export const SWAP_CLUSTER_MAX = 32;

/** struct scan_control: one round of reclaim. Lives in the task that reclaims. */
export interface ScanControl {
  /** Why and with what rights: without __GFP_FS reclaim neither writes pages nor waits for their writeback. */
  readonly gfpMask: number;
  readonly order: number;
  readonly kswapd: boolean;
  /** Pages looked at; a mapped one counts twice, because it costs more. */
  nrScanned: number;
  /** Reclaim gets nowhere: wait for pages under writeback instead of passing them by. Set by the priority loops. */
  waitForWriteback: boolean;
  /** The pages were chosen by somebody who knows: used or not, out with them. */
  readonly ignoreReferences: boolean;
  /** Writes that failed at once. Their pages' locks are waited for when nothing is isolated any more. */
  readonly failedWrites: FailedWrite[];
}

/** A page, with a reference, that could not be written. */
export interface FailedWrite {
  readonly page: Ptr<Page>;
  readonly mapping: Ptr<AddressSpace>;
  readonly error: number;
}

export const scanControl = (
  gfpMask: number,
  order: number,
  kswapd: boolean,
  ignoreReferences = false,
): ScanControl => ({
  gfpMask,
  order,
  kswapd,
  nrScanned: 0,
  waitForWriteback: false,
  ignoreReferences,
  failedWrites: [],
});

/** Whether reclaim may call into the file system: the caller may hold its locks otherwise. */
export const mayEnterFs = (sc: ScanControl): boolean => (sc.gfpMask & GFP_FS) !== 0 && (sc.gfpMask & GFP_IO) !== 0;
