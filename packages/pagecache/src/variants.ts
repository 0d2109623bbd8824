// SPDX-License-Identifier: GPL-2.0-only
import type { Ref } from '@lockless/cpu';
import { defineWord, peek, poke } from '@lockless/cpu';

/**
 * Planted bugs, for tests of the tools alone: each takes away one guard of the protocol, so that a simulator, a checker and their
 * invariants can prove that they find what they are there to find. A machine boots with none of them unless it asks for one by name.
 */
const DESCRIPTIONS = {
  /** Remover, step A: reads the count and believes it, instead of freezing it (kernel-facts A12, A16; I2 and I4 break). */
  'plain-check-in-remove-mapping':
    'page_count(page) == 2 instead of page_freeze_refs(page, 2) before a page is removed',
  /** Lookup, step 3 left out (A7; I1 and I5 break). */
  'no-slot-recheck': 'find_get_page does not look at the slot again after it got its reference',
  /** The disk's interrupt takes tree_lock too: a holder that it interrupts waits for itself. */
  'tree-lock-irqs-on': 'tree_lock taken with spin_lock instead of spin_lock_irq',
  /** Lookup, step 3 failed: goes back to 1 and keeps the reference (I3 breaks). */
  'missing-put-on-retry': 'find_get_page keeps the reference when the page has moved',
  /** Insertion in the order of 2006 without that version's flag (A13; I5 breaks). */
  'mapping-after-publish': 'add_to_page_cache stores page->mapping and index after the slot',
} as const;

export type Variant = keyof typeof DESCRIPTIONS;

/** All planted bugs, in the order of their bits. */
export const VARIANTS: readonly Variant[] = Object.keys(DESCRIPTIONS) as Variant[];

/** What the planted bug does, in one line. */
export const describeVariant = (variant: Variant): string => DESCRIPTIONS[variant];

/** One bit for each planted bug; written at boot, constant after it. */
const plantedBugs: Ref<number> = defineWord('page_cache_planted_bugs');

/** Plants bugs. Boot only. Throws RangeError on an unknown name. */
export function plantVariants(variants: readonly string[]): void {
  let bits = 0;
  for (const name of variants) {
    const bit = VARIANTS.indexOf(name as Variant);
    if (bit < 0) throw new RangeError(`unknown variant '${name}': one of ${VARIANTS.join(', ')}`);
    bits |= 1 << bit;
  }
  poke(plantedBugs, bits);
}

const bitOf = (variant: Variant): number => 1 << VARIANTS.indexOf(variant);
const PLAIN_CHECK = bitOf('plain-check-in-remove-mapping');
const NO_RECHECK = bitOf('no-slot-recheck');
const IRQS_ON = bitOf('tree-lock-irqs-on');
const MISSING_PUT = bitOf('missing-put-on-retry');
const LATE_MAPPING = bitOf('mapping-after-publish');

const planted = (bit: number): boolean => (peek(plantedBugs) & bit) !== 0;
export const plainCheckInRemoveMapping = (): boolean => planted(PLAIN_CHECK);
export const noSlotRecheck = (): boolean => planted(NO_RECHECK);
export const treeLockIrqsOn = (): boolean => planted(IRQS_ON);
export const missingPutOnRetry = (): boolean => planted(MISSING_PUT);
export const mappingAfterPublish = (): boolean => planted(LATE_MAPPING);
