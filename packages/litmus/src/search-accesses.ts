// SPDX-License-Identifier: MIT
import type { Event } from '@lockless/memory-model';
import { isLoad, isStore } from './elaborate-event.js';
import { acquires, Clocks, releases } from './search-clocks.js';
import { Coherence } from './search-coherence.js';

export type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** What was done, so that it can be undone: a kind, and what it was done to. Graph has kinds of its own. */
const LOCATED = 0;
const PLACED = 1;
const READS = 2;
const ADJACENT = 3;
const LAST = 4;
const SYNCHRONISED = 5;
export const FIRST_FREE_KIND = 6;

/**
 * The accesses of an execution that grows: where they go and who reads from whom, with what coherence makes of it: an order of the stores that fits the
 * program order of each thread, in which read-modify-writes and critical sections are not torn apart.
 *
 * Every change is noted, and {@link undo} takes back all since a mark, except those of the two orders, which {@link save} and {@link restore} copy whole.
 */
export abstract class Accesses {
  readonly events: Mutable<Event & { failed: boolean }>[] = [];
  /** Store that each load reads from, -1 while it has not been chosen. */
  readonly rf: Int32Array;
  readonly coherence: Coherence;
  readonly clocks: Clocks;
  /** Loads and initial store of each location. */
  readonly loads: number[][] = [];
  readonly initialStores: number[] = [];
  readonly #kinds: number[] = [];
  readonly #whats: number[] = [];
  readonly #saved: { readonly coherence: Int32Array; readonly clocks: Int32Array }[] = [];

  constructor(capacity: number, threads: number) {
    this.rf = new Int32Array(capacity).fill(-1);
    this.coherence = new Coherence(capacity);
    this.clocks = new Clocks(this.events, threads, capacity);
  }

  /** Keeps the orders as they are now, for `restore` at the same depth. */
  save(depth: number): void {
    const { coherence, clocks } = this;
    if (this.#saved.length === depth)
      this.#saved.push({ coherence: coherence.bits.slice(), clocks: clocks.rows.slice() });
    this.#saved[depth].coherence.set(coherence.bits);
    this.#saved[depth].clocks.set(clocks.rows);
  }

  restore(depth: number): void {
    this.coherence.bits.set(this.#saved[depth].coherence);
    this.clocks.rows.set(this.#saved[depth].clocks);
  }

  mark(): number {
    return this.#kinds.length;
  }

  undo(mark: number): void {
    while (this.#kinds.length > mark) this.undoLatest(this.#kinds.pop() as number, this.#whats.pop() as number);
  }

  protected note(kind: number, what: number): void {
    this.#kinds.push(kind);
    this.#whats.push(what);
  }

  protected undoLatest(kind: number, what: number): void {
    switch (kind) {
      case LOCATED:
        this.events[what].location = -1;
        break;
      case PLACED:
        this.#unplace(what);
        break;
      case READS:
        this.rf[what] = -1;
        break;
      case ADJACENT:
        this.coherence.removeLatestAdjacent(what);
        break;
      case LAST:
        this.coherence.removeLatestLast(what);
        break;
      case SYNCHRONISED:
        this.clocks.removeLatest();
        break;
    }
  }

  #unplace(number: number): void {
    const event = this.events[number];
    if (isLoad(event)) this.loads[event.location].pop();
    else this.coherence.removeLatest(event.location);
  }

  /** The first store of its location. */
  protected placeInitial(number: number, location: number): void {
    this.coherence.add(location, number, number);
    this.note(PLACED, number);
  }

  /** The location of an event is known. False when that cannot be. */
  protected place(number: number, location: number): boolean {
    const event = this.events[number];
    event.location = location;
    this.note(LOCATED, number);
    if (event.type === 'F') return true;
    // A release of what the thread does not hold has no place in the order of the lock (lock.cat), and is flagged.
    if (event.type === 'UL' && this.#takenBefore(number) === -1) return true;
    this.note(PLACED, number);
    if (isLoad(event)) {
      this.loads[location].push(number);
      return true;
    }
    if (!this.coherence.add(location, number, this.initialStores[location])) return false;
    // Somebody may have chosen to read it when nobody knew where it stores.
    for (let load = 0; load < this.events.length; load++) {
      if (this.rf[load] !== number) continue;
      if (this.events[load].location !== location || !this.relateRead(load)) return false;
    }
    return this.#relateToOthers(number);
  }

  /** A load, whose location is known, reads from a store, whose location need not be. */
  protected noteRead(load: number, store: number): void {
    this.rf[load] = store;
    this.note(READS, load);
  }

  /** What follows for coherence from what a load reads. */
  protected relateRead(load: number): boolean {
    if (this.events[this.rf[load]].location === -1) return true;
    return this.#relateToOthers(load) && this.synchronise(load);
  }

  /** If a load acquires what its store releases, coherence must agree with what that orders. */
  protected synchronise(load: number): boolean {
    const store = this.rf[load];
    const { events } = this;
    if (store === -1 || events[load].thread === events[store].thread) return true;
    if (!acquires(events[load]) || !releases(events[store])) return true;
    this.note(SYNCHRONISED, load);
    return this.clocks.synchronise(store, load) && this.#relateThreads();
  }

  /** What coherence says about accesses of different threads, wherever one comes before the other. */
  #relateThreads(): boolean {
    for (let location = 0; location < this.loads.length; location++) {
      const loads = this.loads[location];
      const stores = this.coherence.stores[location];
      // Locks are ordered by who takes them over from whom.
      if (loads.length > 0 && this.events[loads[0]].type === 'LKR') continue;
      for (const some of [stores, loads])
        for (const others of [stores, loads]) if (!this.#relateEach(location, some, others)) return false;
    }
    return true;
  }

  #relateEach(location: number, some: readonly number[], others: readonly number[]): boolean {
    const { events, clocks } = this;
    for (let i = 0; i < some.length; i++) {
      const { thread } = events[some[i]];
      for (let j = 0; j < others.length; j++)
        if (events[others[j]].thread !== thread && clocks.precedes(some[i], others[j]))
          if (!this.#relate(location, some[i], others[j])) return false;
    }
    return true;
  }

  /** What coherence says about an access and others to the same location before and after it. */
  #relateToOthers(number: number): boolean {
    const { location, type, partner } = this.events[number];
    const { clocks } = this;
    for (const accesses of [this.coherence.stores[location], this.loads[location]]) {
      for (let k = 0; k < accesses.length; k++) {
        const other = accesses[k];
        if (other === number) continue;
        if (clocks.precedes(other, number)) {
          if (!this.#relate(location, other, number)) return false;
        } else if (clocks.precedes(number, other) && !this.#relate(location, number, other)) return false;
      }
    }
    if (type === 'UL') return this.#keepTogether(location, this.#takenBefore(number), number);
    if (partner === -1) return true;
    const [load, store] = isStore({ type }) ? [partner, number] : [number, partner];
    const source = this.rf[load];
    if (source === -1 || this.events[source].location === -1 || this.events[store].location === -1) return true;
    return this.#keepTogether(location, source, store);
  }

  #relate(location: number, earlier: number, later: number): boolean {
    const { events } = this;
    const before = isStore(events[earlier]) ? earlier : this.rf[earlier];
    const after = isStore(events[later]) ? later : this.rf[later];
    if (before === -1 || after === -1) return true;
    // Not yet where it has to be: this is looked at again then.
    if (events[before].location === -1 || events[after].location === -1) return true;
    if (before === after) return before !== later;
    // Release and acquire do not say that of plain accesses.
    if (events[earlier].thread !== events[later].thread)
      for (const event of [earlier, later, before, after]) if (events[event].tag === 'plain') return true;
    return this.coherence.order(location, before, after);
  }

  #keepTogether(location: number, first: number, second: number): boolean {
    this.note(ADJACENT, location);
    return this.coherence.addAdjacent(location, first, second);
  }

  /** The store that took the lock that an event releases, or -1. */
  #takenBefore(unlock: number): number {
    const { thread, location } = this.events[unlock];
    for (let number = unlock - 1; number >= 0; number--) {
      const event = this.events[number];
      if (event.thread !== thread || event.location !== location) continue;
      if (event.type === 'UL') return -1;
      if (event.type === 'LKW') return number;
    }
    return -1;
  }

  /** At the end of a thread: a lock that it still holds is never taken again. */
  protected holdForEver(thread: number): boolean {
    for (let number = 0; number < this.events.length; number++) {
      const { thread: owner, type, location } = this.events[number];
      if (owner !== thread || type !== 'LKW' || location === -1 || this.#isReleased(number)) continue;
      this.note(LAST, location);
      if (!this.coherence.addLast(location, number)) return false;
    }
    return true;
  }

  #isReleased(taken: number): boolean {
    const { location } = this.events[taken];
    for (let number = taken + 1; number < this.events.length; number++) {
      const event = this.events[number];
      if (event.type === 'UL' && event.location === location && this.#takenBefore(number) === taken) return true;
    }
    return false;
  }
}
