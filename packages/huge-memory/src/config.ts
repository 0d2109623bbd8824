// SPDX-License-Identifier: GPL-2.0-only
import { defineWord, peek, poke, type Ref } from '@lockless/cpu';
import { compoundPagesInit, MAX_ORDER } from '@lockless/page';
import { pteTableEntries, setPteTableOrder } from '@lockless/rmap';
import { pinsUnderRcu } from './gp-cookie.js';

/**
 * How pins of tails are counted, and what a split relies on.
 *
 * - `tail-count`: 2.6.38 to 3.1, in the tail's count. Broken (F1).
 * - `grace-period`: the same, and a split waits until a grace period has passed since the allocation: seed 3, never merged.
 * - `tail-mapcount`: in the tail's _mapcount, its count stays 0: 70b50f94f1 (3.2).
 */
export const TAIL_DESIGNS = ['tail-mapcount', 'grace-period', 'tail-count'] as const;
export type TailDesign = (typeof TAIL_DESIGNS)[number];

/** When a fault maps a huge page: never, everywhere, or where MADV_HUGEPAGE was said. */
export type TransparentHugePages = 'never' | 'always' | 'madvise';

export interface HugePageOptions {
  readonly mode: TransparentHugePages;
  /** Pages of a huge page, as a power of two: 9 (2 MiB) by default; less for tests. */
  readonly order?: number;
  readonly tails?: TailDesign | undefined;
  /** A read of untouched memory maps a huge page of zeros that all share (3.8 and later). Default: it gives a huge page. */
  readonly zeroPage?: boolean;
  /** A write to a huge page that others map too copies all of it (default; before 5.8), or splits it and copies the one page. */
  readonly sharedWrites?: 'copy' | 'split';
}

const NEVER = 0;
const ALWAYS = 1;
const MADVISE = 2;

const mode: Ref<number> = defineWord('transparent_hugepage_flags');
const cookies: Ref<number> = defineWord('thp_gp_cookies');
const splitsOnWrite: Ref<number> = defineWord('thp_splits_on_shared_write');

/** HPAGE_PMD_NR: pages of a huge page. Constant after boot. */
export const hpagePmdNr = (): number => pteTableEntries();
/** HPAGE_PMD_ORDER. */
export const hpagePmdOrder = (): number => 31 - Math.clz32(hpagePmdNr());
/** Whether a huge page has a cookie, and a split waits for its grace period. Constant after boot. */
export const splitsWaitForGp = (): boolean => peek(cookies) !== 0;
/** Whether faults may map huge pages at all. Constant after boot. */
export const thpEnabled = (): boolean => peek(mode) !== NEVER;
/** Whether only those areas are meant that asked for it. Constant after boot. */
export const thpOnAdvice = (): boolean => peek(mode) === MADVISE;

/** Whether a write to a huge page that others map too splits it. Constant after boot. */
export const sharedWritesSplit = (): boolean => peek(splitsOnWrite) !== 0;

/** Throws RangeError for what a page table or the allocator has no place for. */
export function configureHugePages(options: HugePageOptions): void {
  const { mode: when, order = 9, tails = TAIL_DESIGNS[0], sharedWrites = 'copy' } = options;
  if (!Number.isInteger(order) || order < 1 || order >= Math.min(MAX_ORDER, 10))
    throw new RangeError(`huge pages of 2^${order} pages: need 2^1 to 2^9`);
  poke(mode, { never: NEVER, always: ALWAYS, madvise: MADVISE }[when]);
  setPteTableOrder(order);
  poke(cookies, tails === 'grace-period' ? 1 : 0);
  poke(splitsOnWrite, sharedWrites === 'split' ? 1 : 0);
  compoundPagesInit(tails === 'grace-period' ? pinsUnderRcu : tails);
}
