// SPDX-License-Identifier: MIT
import { type Event, INITIAL } from '@lockless/memory-model';

/**
 * What comes before what because a load with acquire ordering reads from a store with release ordering (a lock taken over from its last holder, too):
 * everything up to the store comes before everything from the load on. Under each of our models coherence must agree with that order between marked
 * accesses, as it must with program order: against it there would be a cycle in happens-before, by way of `prop`. Knowing it here spares the search
 * asking the model about every store that a load in a critical section could not read anyway.
 *
 * For each event the latest one of each thread that comes before it.
 */
export class Clocks {
  readonly #events: readonly Event[];
  readonly #threads: number;
  readonly rows: Int32Array;
  /** Releases and the acquires that read them. Flat. */
  readonly #edges: number[] = [];

  constructor(events: readonly Event[], threads: number, capacity: number) {
    this.#events = events;
    this.#threads = threads;
    this.rows = new Int32Array(threads * capacity).fill(-1);
  }

  /** Whether one comes before the other, in program order or by release and acquire. */
  precedes(first: number, second: number): boolean {
    const { thread } = this.#events[first];
    if (thread === this.#events[second].thread) return first < second;
    return (
      thread !== INITIAL &&
      this.#events[second].thread !== INITIAL &&
      this.rows[second * this.#threads + thread] >= first
    );
  }

  /** An event is new: what comes before its predecessor in program order comes before it. */
  append(number: number): void {
    const { thread } = this.#events[number];
    const threads = this.#threads;
    let previous = number - 1;
    while (previous >= 0 && this.#events[previous].thread !== thread) previous--;
    if (previous < 0) this.rows.fill(-1, number * threads, (number + 1) * threads);
    else this.rows.copyWithin(number * threads, previous * threads, (previous + 1) * threads);
  }

  /** False when something would come before itself. */
  synchronise(release: number, acquire: number): boolean {
    this.#edges.push(release, acquire);
    for (let changed = true; changed; ) {
      changed = false;
      for (let k = 0; k < this.#edges.length; k += 2) {
        const raised = this.#raise(this.#edges[k], this.#edges[k + 1]);
        if (raised === null) return false;
        changed ||= raised;
      }
    }
    return true;
  }

  removeLatest(): void {
    this.#edges.length -= 2;
  }

  /** Null when something comes before itself. */
  #raise(release: number, acquire: number): boolean | null {
    const events = this.#events;
    const { rows } = this;
    const threads = this.#threads;
    const { thread } = events[acquire];
    const { thread: from } = events[release];
    let raised = false;
    for (let event = acquire; event < events.length; event++) {
      if (events[event].thread !== thread) continue;
      for (let t = 0; t < threads; t++) {
        const before = t === from ? Math.max(release, rows[release * threads + t]) : rows[release * threads + t];
        if (before <= rows[event * threads + t]) continue;
        if (t === thread && before >= acquire) return null;
        rows[event * threads + t] = before;
        raised = true;
      }
    }
    return raised;
  }
}

export function acquires({ type, tag, failed }: Event): boolean {
  return type === 'LKR' || (type === 'R' && tag === 'acquire' && failed !== true);
}

export function releases({ type, tag }: Event): boolean {
  return type === 'UL' || (type === 'W' && tag === 'release');
}
