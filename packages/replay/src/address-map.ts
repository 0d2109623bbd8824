// SPDX-License-Identifier: GPL-2.0-only
import type { Rec, Recording } from '@lockless/recording';

/** Pages in a TiB: x86-64 places code, heap, libraries and stacks in few different ones. */
const REGION_SHIFT = 28;
const REGION_PAGES = 2 ** REGION_SHIFT;
const MAX_REGIONS = 8;

/**
 * Maps the 2^36 pages of a real address space onto the 2^31 of the simulated one, keeping order and, within a TiB, distance. All address
 * spaces of a recording share one map.
 */
export class AddressMap {
  private readonly regions: readonly number[];
  private readonly slot = new Map<number, number>();

  /** `pages` are all the page numbers that will be asked about. Throws RangeError when they lie in more than eight TiB. */
  constructor(pages: Iterable<number>) {
    const seen = new Set<number>();
    for (const page of pages) seen.add(Math.floor(page / REGION_PAGES));
    this.regions = [...seen].sort((a, b) => a - b);
    if (this.regions.length > MAX_REGIONS) {
      throw new RangeError(
        `the program's addresses lie in ${this.regions.length} different TiB; at most ${MAX_REGIONS} fit (record without address randomisation)`,
      );
    }
    this.regions.forEach((region, i) => {
      this.slot.set(region, i);
    });
  }

  /** Simulated page number of a real one. */
  toSimulated(page: number): number {
    const region = Math.floor(page / REGION_PAGES);
    const slot = this.slot.get(region);
    if (slot === undefined) throw new RangeError(`page 0x${page.toString(16)} is in no region of this recording`);
    return slot * REGION_PAGES + (page - region * REGION_PAGES);
  }

  /** Real page number of a simulated one. */
  toReal(page: number): number {
    return this.regions[Math.floor(page / REGION_PAGES)] * REGION_PAGES + (page % REGION_PAGES);
  }
}

/** The map for a recording. */
export function addressMapOf(recording: Recording): AddressMap {
  return new AddressMap(addressesOf(recording.records));
}

function* addressesOf(records: readonly Rec[]): Iterable<number> {
  for (const rec of records) {
    if ('buffers' in rec) for (const buffer of rec.buffers) yield buffer.page;
    switch (rec.kind) {
      case 'exec':
        yield Math.floor(rec.brk / 4096);
        for (const vma of rec.maps) {
          yield vma.from;
          yield vma.to - 1;
        }
        break;
      case 'mmap':
      case 'mremap':
        if (rec.result >= 0) yield rec.result;
        yield rec.page;
        break;
      case 'brk':
        yield Math.floor(rec.result / 4096);
        yield Math.floor(rec.address / 4096);
        break;
      case 'munmap':
      case 'mprotect':
      case 'madvise':
      case 'msync':
      case 'mlock':
      case 'touch':
        yield rec.page;
        break;
    }
  }
}
