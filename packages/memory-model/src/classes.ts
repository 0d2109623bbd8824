// SPDX-License-Identifier: MIT
import { type Event, type EventType, INITIAL, type Tag } from './event.js';
import { addToSet, type EventSet, inSet, type Relation, RelationPool } from './relation.js';

const bitOf = <Name extends string>(...names: readonly Name[]): Readonly<Record<Name, number>> =>
  Object.fromEntries(names.map((name, i) => [name, 1 << i])) as Record<Name, number>;
const TYPE_BITS = bitOf<EventType>('R', 'W', 'F', 'LKR', 'LKW', 'UL', 'LF', 'RL', 'RU');
const TAG_BITS = bitOf<Tag>(
  'plain',
  'once',
  'acquire',
  'release',
  'mb',
  'noreturn',
  'rmb',
  'wmb',
  'barrier',
  'before-atomic',
  'after-atomic',
  'after-spinlock',
  'after-unlock-lock',
  'after-srcu-read-unlock',
  'rcu-lock',
  'rcu-unlock',
  'sync-rcu',
  'srcu-lock',
  'srcu-unlock',
  'sync-srcu',
);

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
  /** For relations that live as long as this. */
  readonly pool: RelationPool;
  /** Which tags and types occur, as bits. */
  #tags = 0;
  #types = 0;
  /** Numbers of threads are below this. */
  readonly threads: number;

  constructor(events: readonly Event[]) {
    this.events = events;
    this.size = events.length;
    this.stride = (this.size + 31) >>> 5;
    const { stride } = this;
    const set = (): EventSet => new Int32Array(stride);
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
    let threads = 0;
    for (let i = 0; i < this.size; i++) {
      if (events[i].thread === INITIAL) continue;
      this.#classify(i, events[i]);
      if (events[i].thread >= threads) threads = events[i].thread + 1;
    }
    this.threads = threads;
    this.pool = new RelationPool(this.size, 8);
    this.po = this.pool.take();
    this.internal = this.pool.take();
    this.poLoc = this.pool.take();
    this.#programOrder();
  }

  #classify(i: number, event: Event): void {
    const { type, tag } = event;
    this.#tags |= TAG_BITS[tag];
    this.#types |= TYPE_BITS[type];
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
    /** Of each thread, the event looked at last: its next one, or in the end its first one. */
    const last = new Int32Array(this.threads).fill(-1);
    for (let i = size - 1; i >= 0; i--) {
      const { thread } = events[i];
      if (thread === INITIAL) continue;
      const next = last[thread];
      last[thread] = i;
      if (next === -1) continue;
      for (let w = 0; w < stride; w++) po.bits[i * stride + w] = po.bits[next * stride + w];
      po.add(i, next);
      this.#sameLocation(i, po, poLoc);
    }
    for (let i = 0; i < size; i++) {
      if (events[i].thread === INITIAL) continue;
      const first = last[events[i].thread];
      for (let w = 0; w < stride; w++) internal.bits[i * stride + w] = po.bits[first * stride + w];
      internal.add(i, first);
    }
  }

  #sameLocation(i: number, po: Relation, poLoc: Relation): void {
    const { location } = this.events[i];
    if (location === -1 || !inSet(this.accesses, i)) return;
    const { stride } = this;
    const row = i * stride;
    for (let w = 0; w < stride; w++) {
      let word = po.bits[row + w] & this.accesses[w];
      while (word !== 0) {
        const low = word & -word;
        word ^= low;
        if (this.events[(w << 5) + 31 - Math.clz32(low)].location === location) poLoc.bits[row + w] |= low;
      }
    }
  }

  hasTag(tag: Tag): boolean {
    return (this.#tags & TAG_BITS[tag]) !== 0;
  }

  hasType(type: EventType): boolean {
    return (this.#types & TYPE_BITS[type]) !== 0;
  }

  /** For each event the next one of its thread for which `holds`, or -1. */
  next(holds: (event: Event, number: number) => boolean): Int32Array {
    const { events, size } = this;
    const next = new Int32Array(size).fill(-1);
    const upcoming = new Int32Array(this.threads).fill(-1);
    for (let i = size - 1; i >= 0; i--) {
      const { thread } = events[i];
      if (thread === INITIAL) continue;
      next[i] = upcoming[thread];
      if (holds(events[i], i)) upcoming[thread] = i;
    }
    return next;
  }
}

function isRead({ type }: Event): boolean {
  return type === 'R' || type === 'LKR' || type === 'LF' || type === 'RL' || type === 'RU';
}

function isWrite({ type }: Event): boolean {
  return type === 'W' || type === 'LKW' || type === 'UL';
}

export function isAccess({ type }: Event): boolean {
  return type !== 'F';
}

/** A plain access: no annotation, and not part of a read-modify-write. */
export function isPlain({ type, tag, partner, failed, thread }: Event): boolean {
  return (type === 'R' || type === 'W') && tag === 'plain' && partner === -1 && failed !== true && thread !== INITIAL;
}
