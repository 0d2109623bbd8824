// SPDX-License-Identifier: MIT
import { type Event, INITIAL } from '@lockless/memory-model';
import type { Program } from './elaborate.js';
import type { Planned, Segment } from './elaborate-event.js';
import { isLoad, isStore } from './elaborate-event.js';
import type { Term, Value } from './elaborate-value.js';
import { Coherence } from './search-coherence.js';

export type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** What was done, so that it can be undone: a kind and what it was done to. */
const VALUE = 0;
const PLACED = 1;
const READS = 2;
const EVENT = 3;
const SEGMENT = 4;
const BECAME = 5;
const ADJACENT = 6;
const LAST = 7;
const ASSUMED = 8;
const LOCATION = 9;
const LOCATED = 10;

/** A condition that must come out so because the path was chosen before its loads were. */
interface Assumption {
  readonly condition: Term;
  readonly holds: boolean;
}

/**
 * An execution while it grows: the events of the paths that the threads have taken so far, what is known of their values and addresses, who reads from
 * whom, and the coherence order. Every change is noted, and {@link undo} takes back all since a mark, except those of the coherence order, which is saved
 * and restored as a whole.
 */
export class Graph {
  readonly program: Program;
  readonly events: Mutable<Event & { failed: boolean }>[] = [];
  /** Where each event comes from; null for initial stores. */
  readonly planned: (Planned | null)[] = [];
  readonly values: (Value | undefined)[] = [];
  readonly rf: Int32Array;
  readonly coherence: Coherence;
  /** Loads of each location. */
  readonly loads: number[][] = [];
  /** Value used as an address, by location; initial store of each location. */
  readonly places: Value[] = [];
  readonly initialStores: number[] = [];
  /** The segment that each thread has come to. */
  readonly current: Segment[];
  /** Segments and locations in the order in which they came: says what the events are. */
  readonly history: number[] = [];
  readonly #locations: Map<Value, number> = new Map();
  readonly #numbers: Int32Array;
  readonly #assumptions: Assumption[] = [];
  readonly #kinds: number[] = [];
  readonly #whats: number[] = [];

  constructor(program: Program) {
    this.program = program;
    const capacity = capacityOf(program);
    this.rf = new Int32Array(capacity).fill(-1);
    this.coherence = new Coherence(capacity);
    this.#numbers = new Int32Array(program.events).fill(-1);
    this.current = [...program.threads];
  }

  /** Brings in what happens whatever anybody reads. False when that is impossible. */
  start(): boolean {
    for (const value of fixedPlaces(this.program)) this.#locationOf(value);
    return this.program.threads.every((segment) => this.#append(segment)) && this.settle();
  }

  /** Number of a planned event, -1 when its path has not been taken. */
  number(planned: Planned): number {
    return this.#numbers[planned.id];
  }

  readonly valuation = (load: Planned): Value | undefined => {
    const number = this.#numbers[load.id];
    return number === -1 ? undefined : this.values[number];
  };

  evaluate(term: Term): Value | undefined {
    return this.program.addresses.evaluate(term, this.valuation);
  }

  mark(): number {
    return this.#kinds.length;
  }

  #note(kind: number, what: number): void {
    this.#kinds.push(kind);
    this.#whats.push(what);
  }

  undo(mark: number): void {
    while (this.#kinds.length > mark) this.#undoLatest(this.#kinds.pop() as number, this.#whats.pop() as number);
  }

  #undoLatest(kind: number, what: number): void {
    switch (kind) {
      case VALUE:
        this.values[what] = undefined;
        break;
      case READS:
        this.rf[what] = -1;
        break;
      case PLACED:
        this.#unplace(what);
        break;
      case LOCATED:
        this.events[what].location = -1;
        break;
      case ADJACENT:
        this.coherence.removeLatestAdjacent(what);
        break;
      case LAST:
        this.coherence.removeLatestLast(what);
        break;
      case EVENT:
        this.#removeLatest();
        break;
      case SEGMENT:
        this.current[what] = this.current[what].parent as Segment;
        this.history.pop();
        break;
      case BECAME: {
        const { type, tag } = this.planned[what] as Planned;
        Object.assign(this.events[what], { type, tag, failed: false });
        break;
      }
      case ASSUMED:
        this.#assumptions.pop();
        break;
      case LOCATION:
        this.#locations.delete(this.places.pop() as Value);
        this.initialStores.pop();
        this.loads.pop();
        this.coherence.removeLocation();
        this.history.pop();
        break;
    }
  }

  #removeLatest(): void {
    this.events.pop();
    this.values.pop();
    const planned = this.planned.pop();
    if (planned === undefined || planned === null) return;
    this.#numbers[planned.id] = -1;
    if (planned.load !== null) this.events[this.number(planned.load)].partner = -1;
  }

  /** The location that a value leads to when it is used as an address. */
  #locationOf(value: Value): number {
    const known = this.#locations.get(value);
    if (known !== undefined) return known;
    const location = this.places.length;
    this.#locations.set(value, location);
    this.places.push(value);
    this.loads.push([]);
    this.coherence.addLocation();
    this.history.push(-1 - location);
    const number = this.events.length;
    this.initialStores.push(number);
    this.#note(LOCATION, location);
    const initial = this.program.initial.get(this.program.addresses.nameOf(value)) ?? 0n;
    this.events.push({ thread: INITIAL, type: 'W', tag: 'once', location, partner: -1, value: 0, failed: false });
    this.planned.push(null);
    this.values.push(initial);
    this.#note(EVENT, number);
    this.coherence.add(location, number, number);
    this.#note(PLACED, number);
    return location;
  }

  #unplace(number: number): void {
    const { location, type } = this.events[number];
    if (isLoad({ type })) this.loads[location].pop();
    else this.coherence.removeLatest(location);
  }

  #append(segment: Segment): boolean {
    this.history.push(segment.id);
    for (const planned of segment.events) {
      const number = this.events.length;
      const { thread, type, tag, load } = planned;
      const partner = load === null ? -1 : this.number(load);
      this.events.push({ thread, type, tag, location: -1, partner, value: 0, failed: false });
      if (partner !== -1) this.events[partner].partner = number;
      this.planned.push(planned);
      this.values.push(undefined);
      this.#numbers[planned.id] = number;
      this.#note(EVENT, number);
      if (!this.#learn(number)) return false;
    }
    return segment.end.kind !== 'finish' || this.#releaseNothing(segment.thread);
  }

  /** Finds the address of an event and the value of a store, if they can be known by now. */
  #learn(number: number): boolean {
    const planned = this.planned[number] as Planned;
    if (planned.address !== null && this.events[number].location === -1) {
      const address = this.evaluate(planned.address);
      if (address !== undefined && !this.#place(number, this.#locationOf(address))) return false;
    }
    if (planned.value !== null && this.values[number] === undefined) {
      const value = this.evaluate(planned.value);
      if (value !== undefined && !this.#know(number, value)) return false;
    }
    return true;
  }

  /** A value has become known: so do those that are computed from it. */
  #know(number: number, value: Value): boolean {
    this.values[number] = value;
    this.#note(VALUE, number);
    if (isStore(this.events[number])) {
      for (let load = 0; load < this.events.length; load++)
        if (this.rf[load] === number && this.values[load] === undefined && !this.#know(load, value)) return false;
      return true;
    }
    for (const user of (this.planned[number] as Planned).users) {
      const its = this.#numbers[user.id];
      if (its !== -1 && !this.#learn(its)) return false;
    }
    return true;
  }

  #place(number: number, location: number): boolean {
    const event = this.events[number];
    event.location = location;
    this.#note(LOCATED, number);
    if (event.type === 'F') return true;
    // A release of what the thread does not hold has no place in the order of the lock (lock.cat), and is flagged.
    if (event.type === 'UL' && this.#takenBefore(number) === -1) return true;
    this.#note(PLACED, number);
    if (isLoad(event)) {
      this.loads[location].push(number);
      return this.rf[number] === -1 || this.#relateToThread(number);
    }
    if (!this.coherence.add(location, number, this.initialStores[location])) return false;
    // Somebody may have chosen to read it when nobody knew where it stores.
    for (let load = 0; load < this.events.length; load++) {
      if (this.rf[load] !== number) continue;
      if (this.events[load].location !== location || !this.#relateToThread(load)) return false;
    }
    return this.#relateToThread(number);
  }

  /** What coherence says about an access and the others of its thread to the same location. */
  #relateToThread(number: number): boolean {
    const { location, thread, type, partner } = this.events[number];
    for (const accesses of [this.coherence.stores[location], this.loads[location]]) {
      for (let k = 0; k < accesses.length; k++) {
        const other = accesses[k];
        if (other === number || this.events[other].thread !== thread) continue;
        if (!(other < number ? this.#relate(location, other, number) : this.#relate(location, number, other)))
          return false;
      }
    }
    if (type === 'UL') return this.#keep(ADJACENT, location, this.#takenBefore(number), number);
    if (partner === -1) return true;
    const [load, store] = isStore({ type }) ? [partner, number] : [number, partner];
    const source = this.rf[load];
    if (source === -1 || this.events[source].location === -1 || this.events[store].location === -1) return true;
    return this.#keep(ADJACENT, location, source, store);
  }

  #relate(location: number, earlier: number, later: number): boolean {
    const before = isStore(this.events[earlier]) ? earlier : this.rf[earlier];
    const after = isStore(this.events[later]) ? later : this.rf[later];
    if (before === -1 || after === -1) return true;
    // Not yet where it has to be: this is looked at again then.
    if (this.events[before].location === -1 || this.events[after].location === -1) return true;
    if (before === after) return before !== later;
    return this.coherence.order(location, before, after);
  }

  #keep(kind: number, location: number, first: number, second: number): boolean {
    this.#note(kind, location);
    return kind === ADJACENT
      ? this.coherence.addAdjacent(location, first, second)
      : this.coherence.addLast(location, first);
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
  #releaseNothing(thread: number): boolean {
    for (let number = 0; number < this.events.length; number++) {
      const event = this.events[number];
      if (event.thread !== thread || event.type !== 'LKW' || event.location === -1) continue;
      const released = this.events.some(
        (other, at) =>
          at > number && other.type === 'UL' && other.location === event.location && this.#takenBefore(at) === number,
      );
      if (!released && !this.#keep(LAST, event.location, number, number)) return false;
    }
    return true;
  }

  /** Lets a load read from a store, whose location need not be known yet. */
  read(load: number, store: number): boolean {
    this.rf[load] = store;
    this.#note(READS, load);
    const value = this.values[store];
    if (value !== undefined && !this.#know(load, value)) return false;
    return this.events[store].location === -1 || this.#relateToThread(load);
  }

  /** Takes the path on which a store lies, in the expectation that the conditions will come out so. Its number, or -1 when that is impossible. */
  expect(store: Planned): number {
    const arms: Segment[] = [];
    for (let segment = store.segment; segment !== this.current[store.thread]; segment = segment.parent as Segment)
      arms.push(segment);
    for (const segment of arms.reverse()) {
      const { end } = segment.parent as Segment;
      if (end.kind !== 'branch') return -1;
      this.#assumptions.push({ condition: end.condition, holds: segment.arm === 0 });
      this.#note(ASSUMED, 0);
      if (!this.#take(segment)) return -1;
    }
    return this.number(store);
  }

  #take(segment: Segment): boolean {
    this.current[segment.thread] = segment;
    // Before the events, as undoing goes backwards.
    this.#note(SEGMENT, segment.thread);
    if (segment.becomes !== null) {
      const { load, type, tag, failed } = segment.becomes;
      const number = this.number(load);
      Object.assign(this.events[number], { type, tag, failed });
      this.#note(BECAME, number);
    }
    return this.#append(segment);
  }

  /** Goes on in all threads whose next condition is decided. False when something expected came out differently. */
  settle(): boolean {
    for (let thread = 0; thread < this.current.length; thread++) {
      for (;;) {
        const { end } = this.current[thread];
        if (end.kind !== 'branch') break;
        const condition = this.evaluate(end.condition);
        if (condition === undefined) break;
        if (!this.#take(end.arms[condition === 0n ? 1 : 0])) return false;
      }
    }
    for (const { condition, holds } of this.#assumptions) {
      const value = this.evaluate(condition);
      if (value !== undefined && (value !== 0n) !== holds) return false;
    }
    return true;
  }

  /** Whether every condition on the way is decided. */
  isDecided(): boolean {
    return (
      this.current.every(({ end }) => end.kind === 'finish') &&
      this.#assumptions.every(({ condition }) => this.evaluate(condition) !== undefined)
    );
  }
}

/** What fixed addresses lead to, over all threads and paths: their initial stores come first. */
function fixedPlaces({ threads }: Program): Set<Value> {
  const places = new Set<Value>();
  const visit = ({ events, end }: Segment): void => {
    for (const { address } of events) if (address !== null && address.kind === 'value') places.add(address.value);
    if (end.kind === 'branch') end.arms.forEach(visit);
  };
  threads.forEach(visit);
  return places;
}

/** No execution has more events: the longest path of each thread, and an initial store for each location. */
function capacityOf(program: Program): number {
  const longest = ({ events, end }: Segment): number => {
    const moving = events.filter(({ address }) => address !== null && address.kind !== 'value').length;
    return events.length + moving + (end.kind === 'branch' ? Math.max(...end.arms.map(longest)) : 0);
  };
  return fixedPlaces(program).size + program.threads.reduce((sum, thread) => sum + longest(thread), 0);
}
