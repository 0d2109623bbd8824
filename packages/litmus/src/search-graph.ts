// SPDX-License-Identifier: MIT
import { INITIAL } from '@lockless/memory-model';
import type { Program } from './elaborate.js';
import { isStore, type Planned, type Segment } from './elaborate-event.js';
import type { Term, Value } from './elaborate-value.js';
import { Accesses, FIRST_FREE_KIND } from './search-accesses.js';

const VALUE = FIRST_FREE_KIND;
const EVENT = FIRST_FREE_KIND + 1;
const SEGMENT = FIRST_FREE_KIND + 2;
const BECAME = FIRST_FREE_KIND + 3;
const ASSUMED = FIRST_FREE_KIND + 4;
const LOCATION = FIRST_FREE_KIND + 5;

/** A condition that must come out so: because the path was chosen before its loads were, or because the filter of the test wants it. */
interface Assumption {
  readonly condition: Term;
  readonly holds: boolean;
}

/** An execution while it grows: the events of the paths that the threads have taken so far, and what is known of their values and addresses. */
export class Graph extends Accesses {
  readonly program: Program;
  /** Where each event comes from; null for initial stores. */
  readonly planned: (Planned | null)[] = [];
  /** What each event reads or writes, as soon as it is known. */
  readonly values: (Value | undefined)[] = [];
  /** Value that, used as an address, leads to the location. */
  readonly places: Value[] = [];
  /** The segment that each thread has come to. */
  readonly current: Segment[];
  /** Segments, and locations as negative numbers, in the order in which they came: says what the events are. */
  readonly history: number[] = [];
  readonly #locations: Map<Value, number> = new Map();
  readonly #numbers: Int32Array;
  readonly #assumptions: Assumption[] = [];

  constructor(program: Program) {
    super(capacityOf(program), program.threads.length);
    this.program = program;
    this.#numbers = new Int32Array(program.events).fill(-1);
    this.current = [...program.threads];
  }

  /** Brings in what happens whatever anybody reads. False when that is impossible. */
  start(): boolean {
    for (const value of fixedPlaces(this.program)) this.#locationOf(value);
    for (const segment of this.program.threads) {
      this.history.push(segment.id);
      if (!this.#append(segment)) return false;
    }
    return this.settle();
  }

  /** Number of a planned event, -1 when its path has not been taken. */
  number(planned: Planned): number {
    return this.#numbers[planned.id];
  }

  readonly #valuation = (load: Planned): Value | undefined => {
    const number = this.#numbers[load.id];
    return number === -1 ? undefined : this.values[number];
  };

  evaluate(term: Term): Value | undefined {
    return term.kind === 'value' ? term.value : this.program.addresses.evaluate(term, this.#valuation);
  }

  protected override undoLatest(kind: number, what: number): void {
    switch (kind) {
      case VALUE:
        this.values[what] = undefined;
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
      default:
        super.undoLatest(kind, what);
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
    const number = this.events.length;
    this.#locations.set(value, location);
    this.places.push(value);
    this.loads.push([]);
    this.initialStores.push(number);
    this.coherence.addLocation();
    this.history.push(-1 - location);
    this.note(LOCATION, location);
    this.events.push({ thread: INITIAL, type: 'W', tag: 'once', location, partner: -1, value: 0, failed: false });
    this.planned.push(null);
    this.values.push(this.program.initial.get(this.program.addresses.nameOf(value)) ?? 0n);
    this.note(EVENT, number);
    this.placeInitial(number, location);
    return location;
  }

  #append(segment: Segment): boolean {
    for (const planned of segment.events) {
      const number = this.events.length;
      const { thread, type, tag, load } = planned;
      const partner = load === null ? -1 : this.number(load);
      this.events.push({ thread, type, tag, location: -1, partner, value: 0, failed: false });
      if (partner !== -1) this.events[partner].partner = number;
      this.planned.push(planned);
      this.values.push(undefined);
      this.#numbers[planned.id] = number;
      this.note(EVENT, number);
      this.clocks.append(number);
      if (!this.#learn(number)) return false;
    }
    const { end } = segment;
    if (end.kind !== 'finish') return true;
    for (const { register, value } of this.program.filter[segment.thread]) {
      const left = end.registers.get(register);
      const right = { kind: 'value', value } as const;
      if (left !== undefined) this.#assume({ kind: 'operation', operator: '==', left, right }, true);
    }
    return this.holdForEver(segment.thread);
  }

  #assume(condition: Term, holds: boolean): void {
    this.#assumptions.push({ condition, holds });
    this.note(ASSUMED, 0);
  }

  /** Finds the address of an event and the value of a store, if they can be known by now. */
  #learn(number: number): boolean {
    const planned = this.planned[number] as Planned;
    if (planned.address !== null && this.events[number].location === -1) {
      const address = this.evaluate(planned.address);
      if (address !== undefined && !this.place(number, this.#locationOf(address))) return false;
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
    this.note(VALUE, number);
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

  /** Lets a load read from a store, whose location need not be known yet. */
  read(load: number, store: number): boolean {
    this.noteRead(load, store);
    const value = this.values[store];
    return (value === undefined || this.#know(load, value)) && this.relateRead(load);
  }

  /** Takes the path on which a store lies, in the expectation that the conditions will come out so. Its number, or -1 when that is impossible. */
  expect(store: Planned): number {
    const arms: Segment[] = [];
    for (let segment = store.segment; segment !== this.current[store.thread]; segment = segment.parent as Segment)
      arms.push(segment);
    for (const segment of arms.reverse()) {
      const { end } = segment.parent as Segment;
      if (end.kind !== 'branch') return -1;
      this.#assume(end.condition, segment.arm === 0);
      if (!this.#take(segment)) return -1;
    }
    return this.number(store);
  }

  #take(segment: Segment): boolean {
    this.current[segment.thread] = segment;
    this.history.push(segment.id);
    this.note(SEGMENT, segment.thread);
    if (segment.becomes !== null) {
      const { load, type, tag, failed } = segment.becomes;
      const number = this.number(load);
      Object.assign(this.events[number], { type, tag, failed });
      this.note(BECAME, number);
      if (!this.synchronise(number)) return false;
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
    for (let k = 0; k < this.#assumptions.length; k++) {
      const { condition, holds } = this.#assumptions[k];
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
