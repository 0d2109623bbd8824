// SPDX-License-Identifier: MIT
import { type Event, INITIAL, type Tag } from './event.js';
import { addToSet, type EventSet, Relation } from './relation.js';

/**
 * The event classes of linux-kernel.bell, and program order. Lock events are in their classes as lock.cat has it: LKR, LF, RL, RU are reads,
 * LKW and UL writes, LKR acquires, UL releases.
 */
export class Classes {
  readonly size: number;
  readonly stride: number;
  readonly events: readonly Event[];
  /** Everything that is not an initial store. */
  readonly executed: EventSet;
  /** R, W, M: reads, writes, accesses; initial stores left out, since nothing but `fr` ever starts there. */
  readonly reads: EventSet;
  readonly writes: EventSet;
  readonly accesses: EventSet;
  readonly plain: EventSet;
  /** Everything else that is executed, fences too. */
  readonly marked: EventSet;
  /** Whose annotation counts: an acquire is a read, a release a write, and none is a failed read-modify-write. */
  readonly acquire: EventSet;
  readonly release: EventSet;
  readonly mb: EventSet;
  /** Reads that smp_rmb() orders: not those of read-modify-writes that return nothing. */
  readonly rmbReads: EventSet;
  readonly noreturn: EventSet;
  /** Loads and stores of read-modify-writes, also of failed ones; not of locks. */
  readonly rmw: EventSet;
  readonly po: Relation;
  /** `int`: events of the same thread. Empty for initial stores. */
  readonly internal: Relation;
  /** Accesses to the same location in program order. */
  readonly poLoc: Relation;
  /** How many events bear a tag; of a type. */
  readonly #tags: Map<Tag, number> = new Map();
  readonly #types: Map<string, number> = new Map();

  constructor(events: readonly Event[]) {
    this.events = events;
    this.size = events.length;
    this.stride = (this.size + 31) >>> 5;
    const set = (): EventSet => new Int32Array(this.stride);
    this.executed = set();
    this.reads = set();
    this.writes = set();
    this.accesses = set();
    this.plain = set();
    this.marked = set();
    this.acquire = set();
    this.release = set();
    this.mb = set();
    this.rmbReads = set();
    this.noreturn = set();
    this.rmw = set();
    for (let i = 0; i < this.size; i++) if (events[i].thread !== INITIAL) this.#classify(i, events[i]);
    this.po = new Relation(this.size);
    this.internal = new Relation(this.size);
    this.poLoc = new Relation(this.size);
    this.#programOrder();
  }

  #classify(i: number, event: Event): void {
    const { type, tag } = event;
    this.#tags.set(tag, (this.#tags.get(tag) ?? 0) + 1);
    this.#types.set(type, (this.#types.get(type) ?? 0) + 1);
    addToSet(this.executed, i);
    const read = isRead(event);
    const write = isWrite(event);
    const lock = type !== 'R' && type !== 'W' && type !== 'F';
    const failed = event.failed === true;
    const rmw = !lock && (failed || event.partner !== -1);
    if (read) addToSet(this.reads, i);
    if (write) addToSet(this.writes, i);
    if (read || write) addToSet(this.accesses, i);
    if (rmw) addToSet(this.rmw, i);
    addToSet(isPlain(event) ? this.plain : this.marked, i);
    if (type === 'LKR' || (type === 'R' && tag === 'acquire' && !failed)) addToSet(this.acquire, i);
    if (type === 'UL' || (type === 'W' && tag === 'release')) addToSet(this.release, i);
    if (tag === 'mb' && !failed) addToSet(this.mb, i);
    if (read) addToSet(tag === 'noreturn' ? this.noreturn : this.rmbReads, i);
  }

  #programOrder(): void {
    const { events, size, stride, po, internal, poLoc } = this;
    const last = new Map<number, number>();
    for (let i = size - 1; i >= 0; i--) {
      const { thread } = events[i];
      if (thread === INITIAL) continue;
      const next = last.get(thread);
      if (next !== undefined) {
        for (let w = 0; w < stride; w++) po.bits[i * stride + w] = po.bits[next * stride + w];
        po.add(i, next);
      }
      last.set(thread, i);
    }
    for (let i = 0; i < size; i++) {
      if (events[i].thread === INITIAL) continue;
      // The first of the thread: its row is the thread.
      const first = last.get(events[i].thread) ?? i;
      for (let w = 0; w < stride; w++) internal.bits[i * stride + w] = po.bits[first * stride + w];
      internal.add(i, first);
    }
    this.#sameLocation(po, poLoc);
  }

  #sameLocation(po: Relation, poLoc: Relation): void {
    const byLocation = new Map<number, number[]>();
    for (let i = 0; i < this.size; i++) {
      const event = this.events[i];
      if (event.thread === INITIAL || event.location === -1 || !isAccess(event)) continue;
      const earlier = byLocation.get(event.location);
      if (earlier === undefined) byLocation.set(event.location, [i]);
      else {
        for (const j of earlier) if (po.has(j, i)) poLoc.add(j, i);
        earlier.push(i);
      }
    }
  }

  hasTag(tag: Tag): boolean {
    return this.#tags.has(tag);
  }

  hasType(type: Event['type']): boolean {
    return this.#types.has(type);
  }

  /** For each event the next one of its thread for which `holds`, or -1. */
  next(holds: (event: Event, number: number) => boolean): Int32Array {
    const { events, size } = this;
    const next = new Int32Array(size);
    const upcoming = new Map<number, number>();
    for (let i = size - 1; i >= 0; i--) {
      const { thread } = events[i];
      next[i] = thread === INITIAL ? -1 : (upcoming.get(thread) ?? -1);
      if (thread !== INITIAL && holds(events[i], i)) upcoming.set(thread, i);
    }
    return next;
  }
}

export function isRead({ type }: Event): boolean {
  return type === 'R' || type === 'LKR' || type === 'LF' || type === 'RL' || type === 'RU';
}

export function isWrite({ type }: Event): boolean {
  return type === 'W' || type === 'LKW' || type === 'UL';
}

export function isAccess({ type }: Event): boolean {
  return type !== 'F';
}

/** A plain access: no annotation, and not part of a read-modify-write. */
export function isPlain({ type, tag, partner, failed, thread }: Event): boolean {
  return (type === 'R' || type === 'W') && tag === 'plain' && partner === -1 && failed !== true && thread !== INITIAL;
}

export function sameThread(a: Event, b: Event): boolean {
  return a.thread === b.thread && a.thread !== INITIAL;
}
