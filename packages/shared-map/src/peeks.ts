// SPDX-License-Identifier: GPL-2.0-only
import type { Ptr } from '@lockless/cpu/native';
import type { MapLookup } from '@lockless/lookup/map';
import { isImmediate, type ValueMap } from '@lockless/value-map/native';

/** No entry is this: bit 0 is the tree's. */
export const UNKNOWN = 1;

/**
 * Entries that are their values, found in WebAssembly: a reader there ends before the entry is looked at, so one that leads to a value must be found again in a reader
 * that goes on until that is copied. Where values are such, nothing is looked up in vain but each first time.
 */
export class Peeks {
  private readonly find: MapLookup['mapPeek'];
  private readonly map: Ptr<ValueMap>;
  private readonly useful: boolean;
  private trying: boolean;

  constructor({ mapPeek, inWebAssembly }: MapLookup, map: Ptr<ValueMap>) {
    this.find = mapPeek;
    this.map = map;
    this.useful = inWebAssembly;
    this.trying = inWebAssembly;
  }

  /** The entry of a key: 0, or its value; or UNKNOWN. */
  entry(key: number): number {
    if (!this.trying) return UNKNOWN;
    const entry = this.find(this.map, key);
    if (entry === 0 || isImmediate(entry)) return entry;
    this.trying = false;
    return UNKNOWN;
  }

  /** An entry that could have been found so was found otherwise. */
  again(): void {
    this.trying = this.useful;
  }
}
