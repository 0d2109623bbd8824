// SPDX-License-Identifier: GPL-2.0-only
import { eventCountNotify, eventCountPrepare, type Ptr, rcuLockMapHeld, words } from '@lockless/cpu/native';
import { ENOMEM } from '@lockless/mm-types/native';
import {
  ValueMap,
  valueMapAlloc,
  valueMapEvents,
  valueMapStore,
  valueMapTag,
  valueMapWriteBegin,
  valueMapWriteEnd,
} from '@lockless/value-map/native';
import { encode, type SharedValue } from './codec.js';
import { SharedMapError } from './error.js';
import type { Home } from './home.js';

/** How often a change that finds no memory waits for readers, and tries again. */
const ATTEMPTS = 4;
/** Milliseconds after which memory is said to be used up; and after which who waits for it looks by himself: others than maps may be at a grace period. */
const PATIENCE = 500;
const LOOK = 50;

/** Thrown by a change that leaves the value as it is. */
export const KEEP: unique symbol = Symbol('keep');

/** How this thread changes one map. */
export class Changes {
  private readonly home: Home;
  private readonly map: Ptr<ValueMap>;

  constructor(home: Home, map: Ptr<ValueMap>) {
    this.home = home;
    this.map = map;
  }

  /** One attempt at a change (undefined deletes). Returns what valueMapStore() does. */
  store(key: number, expected: number, value: SharedValue | undefined): number {
    const encoded = value === undefined ? null : encode(value);
    const result = this.home.machine.run(() => {
      const error = valueMapWriteBegin(this.map, key, encoded !== null);
      if (error !== 0) return error;
      let entry = encoded === null ? 0 : encoded.entry;
      if (encoded !== null && entry === 0) entry = valueMapAlloc(encoded.kind, encoded.length, encoded.words);
      const stored = entry === 0 && encoded !== null ? -ENOMEM : valueMapStore(this.map, key, expected, entry);
      valueMapWriteEnd();
      return stored;
    });
    eventCountNotify(valueMapEvents);
    if (result === 1) this.home.retire();
    return result;
  }

  /** Sets or clears a tag. *Returns* whether the key has a value. */
  tag(key: number, tag: number, set: boolean): boolean {
    const found = this.home.machine.run(() => valueMapTag(this.map, key, tag, set));
    eventCountNotify(valueMapEvents);
    return found;
  }

  /** Repeats a change until there is memory for it; values that readers are done with make room. */
  untilRoom(change: () => number): number {
    for (let attempt = 0; ; attempt++) {
      let result: number;
      try {
        result = change();
      } catch (error) {
        if (error !== KEEP) throw error;
        return 0;
      }
      if (result !== -ENOMEM) {
        if (!rcuLockMapHeld()) this.home.tidyUp();
        return result;
      }
      if (attempt === ATTEMPTS || !this.reclaim())
        throw new SharedMapError(
          'ERR_OUT_OF_MEMORY',
          `no room for the value: ${this.home.machine.freeWords() * 4} of ${words.length * 4} bytes were never used, and nothing of its size is free`,
        );
    }
  }

  /** Frees what no reader can see any more. False: another thread is at it, or this one is a reader itself. */
  reclaim(): boolean {
    return !rcuLockMapHeld() && this.home.reclaim();
  }

  /** A change by a thread that serves other events while it waits for another writer, or for memory. */
  async patiently<T>(change: () => T): Promise<T> {
    const end = Date.now() + PATIENCE;
    for (let noted: number | undefined; ; ) {
      const left = end - Date.now();
      let limit = left;
      try {
        if (left <= 0 || Atomics.load(words, ValueMap.lock(this.map)) === 0) return change();
      } catch (error) {
        if (!(error instanceof SharedMapError) || error.code !== 'ERR_OUT_OF_MEMORY' || left <= 0) throw error;
        limit = Math.min(left, LOOK);
      }
      // After it has said that it waits it looks once more, before it sleeps.
      if (noted !== undefined) await this.home.machine.sleepOnWord(valueMapEvents, noted, limit);
      noted = eventCountPrepare(valueMapEvents);
    }
  }
}
