// SPDX-License-Identifier: MIT
import { EventTable, grown } from './event-table.js';
import type { TraceNode } from './node.js';
import * as N from './node.js';

/** No event. */
export const NONE = -1;
/** `readsFrom` of an event that does not read. */
export const NOT_A_READ = 0x7fffffff;

/* Bits of Graph.flags. */
export const READS = 1;
export const WRITES = 2;
/** What it reads from is final in this graph: it is a cause of a store that revisited. */
export const FIXED = 4;
/** Added in the maximal way: a load that took the coherence-latest store, a store placed last. */
export const ADDED_MAX = 8;

/**
 * An execution graph. An event's number is its stamp, its place in the order of insertion; the initial store of location `l` is `~l`. Each
 * location has its stores in a list in coherence order; each store has a list of its readers.
 */
export class Graph extends EventTable {
  /** Last event of each thread, and how many it has. */
  readonly last: Int32Array;
  readonly length: Int32Array;
  /** Where each thread is; null when that is to be looked up. */
  readonly cursor: (TraceNode | null)[];
  /** CALL_RCU that started the thread; NONE for the program's own threads and for free places. */
  readonly startedBy: Int32Array;

  /** By location: first and last store in coherence order (`~l` when there is none), and the readers of the initial store. */
  firstStore: Int32Array = new Int32Array(0);
  lastStore: Int32Array = new Int32Array(0);
  initialReader: Int32Array = new Int32Array(0);
  locations = 0;

  constructor(threads: number, capacity = 64) {
    super(threads, capacity);
    this.last = new Int32Array(threads).fill(NONE);
    this.length = new Int32Array(threads);
    this.cursor = new Array<TraceNode | null>(threads).fill(null);
    this.startedBy = new Int32Array(threads).fill(NONE);
  }

  clear(): void {
    this.size = 0;
    this.nodes.length = 0;
    this.answers.length = 0;
    this.last.fill(NONE);
    this.length.fill(0);
    this.cursor.fill(null);
    this.startedBy.fill(NONE);
    for (let l = 0; l < this.locations; l++) this.resetLocation(l);
  }

  private resetLocation(location: number): void {
    this.firstStore[location] = NONE;
    this.lastStore[location] = ~location;
    this.initialReader[location] = NONE;
  }

  /** Makes room for locations. */
  ensureLocations(count: number): void {
    if (count <= this.locations) return;
    if (count > this.firstStore.length) {
      const more = Math.max(64, count * 2);
      this.firstStore = grown(this.firstStore, more);
      this.lastStore = grown(this.lastStore, more);
      this.initialReader = grown(this.initialReader, more);
    }
    for (let l = this.locations; l < count; l++) this.resetLocation(l);
    this.locations = count;
  }

  /** Adds the next event of a thread; it neither reads nor writes yet. Returns its number. */
  add(thread: number, node: TraceNode): number {
    const event = this.addNext(thread);
    this.describe(event, node);
    return event;
  }

  /** Adds the next event of a thread, of which nothing is known yet. */
  addNext(thread: number): number {
    const event = this.size++;
    if (event >= this.thread.length) this.grow();
    this.thread[event] = thread;
    this.index[event] = this.length[thread]++;
    this.readsFrom[event] = NOT_A_READ;
    this.flags[event] = 0;
    this.coherenceAfter[event] = NONE;
    this.firstReader[event] = NONE;
    this.published[event] = null;
    this.answers[event] = undefined;
    this.programBefore[event] = this.last[thread];
    this.last[thread] = event;
    this.cursor[thread] = null;
    return event;
  }

  /** Says what an event is whose causes are all there. */
  describe(event: number, node: TraceNode): void {
    this.nodes[event] = node;
    this.location[event] = node.location;
    this.sameBefore[event] = NONE;
    const before = this.programBefore[event];
    if (node.location !== NONE) {
      let same = before;
      while (same !== NONE && this.location[same] !== node.location) same = this.programBefore[same];
      this.sameBefore[event] = same;
    }
    this.noteCauses(event, this.thread[event], before);
  }

  /** Adds a copy of another graph's event: what does not depend on other events of the graph. Returns its number. */
  addCopy(from: Graph, old: number): number {
    const event = this.size++;
    if (event >= this.thread.length) this.grow();
    const thread = from.thread[old];
    this.thread[event] = thread;
    this.index[event] = this.length[thread]++;
    this.location[event] = from.location[old];
    this.readsFrom[event] = NOT_A_READ;
    this.flags[event] = 0;
    this.coherenceAfter[event] = NONE;
    this.firstReader[event] = NONE;
    this.nodes[event] = from.nodes[old];
    this.published[event] = null;
    this.last[thread] = event;
    for (let t = 0, to = event * this.threads, at = old * this.threads; t < this.threads; t++)
      this.causes[to + t] = from.causes[at + t];
    return event;
  }

  /** The causes of an event: those of its predecessor, that one itself, and what it read from with its causes. */
  private noteCauses(event: number, thread: number, before: number): void {
    const { causes, threads } = this;
    const row = event * threads;
    const first = before === NONE ? this.startedBy[thread] : before;
    if (first === NONE) {
      for (let t = 0; t < threads; t++) causes[row + t] = 0;
      return;
    }
    for (let t = 0; t < threads; t++) causes[row + t] = causes[first * threads + t];
    causes[row + this.thread[first]] = this.index[first] + 1;
    const source = this.readsFrom[first];
    if (source !== NOT_A_READ && source >= 0) this.join(row, source);
  }

  /** Adds a store and all of its causes to a row. */
  private join(row: number, store: number): void {
    const { causes, threads } = this;
    const from = store * threads;
    for (let t = 0; t < threads; t++) if (causes[from + t] > causes[row + t]) causes[row + t] = causes[from + t];
    const own = row + this.thread[store];
    if (causes[own] <= this.index[store]) causes[own] = this.index[store] + 1;
    // A read-modify-write is caused by what it read from, too.
    const source = this.readsFrom[store];
    if (source !== NOT_A_READ && source >= 0) this.join(row, source);
  }

  /** The causes of a store, itself included, as a row of its own. */
  prefix(store: number, into: Int32Array): void {
    const { threads } = this;
    for (let t = 0; t < threads; t++) into[t] = this.causes[store * threads + t];
    into[this.thread[store]] = this.index[store] + 1;
    let source = this.readsFrom[store];
    while (source !== NOT_A_READ && source >= 0) {
      for (let t = 0, from = source * threads; t < threads; t++)
        if (this.causes[from + t] > into[t]) into[t] = this.causes[from + t];
      if (into[this.thread[source]] <= this.index[source]) into[this.thread[source]] = this.index[source] + 1;
      source = this.readsFrom[source];
    }
  }

  /** Whether `a` is among the causes of `event` (what `event` itself reads from not counted). */
  isCause(a: number, event: number): boolean {
    return this.index[a] < this.causes[event * this.threads + this.thread[a]];
  }

  readFrom(event: number, store: number, value: number): void {
    this.readsFrom[event] = store;
    this.valueRead[event] = value;
    this.flags[event] |= READS;
    if (store >= 0) {
      this.nextReader[event] = this.firstReader[store];
      this.firstReader[store] = event;
    } else {
      this.nextReader[event] = this.initialReader[~store];
      this.initialReader[~store] = event;
    }
  }

  /** Puts a store right after another in coherence order. */
  placeAfter(event: number, store: number, value: number): void {
    const location = this.location[event];
    this.valueWritten[event] = value;
    this.flags[event] |= WRITES;
    const next = store >= 0 ? this.coherenceAfter[store] : this.firstStore[location];
    this.coherenceBefore[event] = store;
    this.coherenceAfter[event] = next;
    if (store >= 0) this.coherenceAfter[store] = event;
    else this.firstStore[location] = event;
    if (next === NONE) this.lastStore[location] = event;
    else this.coherenceBefore[next] = event;
  }

  /** Takes away the events from `size` on, the last first. */
  cut(size: number): void {
    while (this.size > size) this.removeLast();
    this.nodes.length = size;
    this.answers.length = size;
  }

  private removeLast(): void {
    const event = --this.size;
    const thread = this.thread[event];
    const flags = this.flags[event];
    const location = this.location[event];
    if ((flags & WRITES) !== 0) {
      const before = this.coherenceBefore[event];
      const after = this.coherenceAfter[event];
      if (before >= 0) this.coherenceAfter[before] = after;
      else this.firstStore[location] = after;
      if (after === NONE) this.lastStore[location] = before;
      else this.coherenceBefore[after] = before;
    }
    if ((flags & READS) !== 0) this.unlinkReader(event, this.readsFrom[event]);
    const node = this.nodes[event];
    if (node.kind === N.FENCE && node.operation === N.F_CALL_RCU) this.forgetStarted(event);
    this.last[thread] = this.programBefore[event];
    this.length[thread]--;
    this.cursor[thread] = node;
  }

  private unlinkReader(event: number, store: number): void {
    let at = store >= 0 ? this.firstReader[store] : this.initialReader[~store];
    const next = this.nextReader[event];
    if (at === event) {
      if (store >= 0) this.firstReader[store] = next;
      else this.initialReader[~store] = next;
      return;
    }
    while (this.nextReader[at] !== event) at = this.nextReader[at];
    this.nextReader[at] = next;
  }

  private forgetStarted(event: number): void {
    for (let t = 0; t < this.threads; t++)
      if (this.startedBy[t] === event) {
        this.startedBy[t] = NONE;
        this.cursor[t] = null;
      }
  }

  readersOf(store: number): number {
    return store >= 0 ? this.firstReader[store] : this.initialReader[~store];
  }

  /** Store right after another in coherence order, NONE when it is the latest. */
  storeAfter(store: number, location: number): number {
    return store >= 0 ? this.coherenceAfter[store] : this.firstStore[location];
  }
}
