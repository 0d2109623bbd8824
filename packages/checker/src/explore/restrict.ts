// SPDX-License-Identifier: MIT
import { ADDED_MAX, FIXED, type Graph, NONE, NOT_A_READ, READS, WRITES } from './graph.js';

/** Copies the part of a graph that a revisit keeps. */
export class Restriction {
  /** New number of each kept event, NONE for the others. */
  private map: Int32Array = new Int32Array(64);
  private causes: Int32Array = new Int32Array(0);
  /** By location: the copy in which its stores were linked. */
  private linked: Int32Array = new Int32Array(64);
  private copies = 0;
  private readonly causesAreFixed: boolean;

  constructor(causesAreFixed = true) {
    this.causesAreFixed = causesAreFixed;
  }

  /**
   * Copies V: what was added up to `r` and the causes of `w`, of the first `limit` events. The causes of `w` become final. `r` itself is
   * copied as an event that does not read yet, or not at all if not `keepsRevisited`. Returns the new number of `w`.
   */
  copy(from: Graph, into: Graph, r: number, w: number, limit: number, keepsRevisited: boolean): number {
    this.prepare(from, into);
    from.prefix(w, this.causes);
    const { map } = this;
    let size = 0;
    for (let e = 0; e < limit; e++) {
      const kept = e < r || (e === r ? keepsRevisited : this.isCause(from, e));
      map[e] = kept ? size++ : NONE;
    }
    this.copyKept(from, into, r, limit);
    return map[w];
  }

  /** Copies a graph without an event and all that it is a cause of. */
  copyWithout(from: Graph, into: Graph, event: number): void {
    this.prepare(from, into);
    const { map } = this;
    let size = 0;
    for (let e = 0; e < from.size; e++) {
      from.prefix(e, this.causes);
      map[e] = this.isCause(from, event) ? NONE : size++;
    }
    this.causes.fill(0);
    this.copyKept(from, into, NONE, from.size);
    into.cursor[from.thread[event]] = from.nodes[event];
  }

  private prepare(from: Graph, into: Graph): void {
    if (this.map.length < from.size) this.map = new Int32Array(from.size * 2);
    if (this.causes.length !== from.threads) this.causes = new Int32Array(from.threads);
    into.clear();
    into.ensureLocations(from.locations);
  }

  private copyKept(from: Graph, into: Graph, r: number, limit: number): void {
    const { map } = this;
    for (let e = 0; e < limit; e++) if (map[e] !== NONE) this.copyEvent(from, into, e, e === r);
    this.copyCoherence(from, into, r, limit);
    for (let t = 0; t < from.threads; t++) {
      const started = from.startedBy[t];
      if (started !== NONE && started < limit) into.startedBy[t] = map[started];
      // Where a thread is that loses nothing is known.
      if ((r === NONE || t !== from.thread[r]) && into.length[t] === from.length[t]) into.cursor[t] = from.cursor[t];
    }
  }

  private isCause(graph: Graph, event: number): boolean {
    return graph.index[event] < this.causes[graph.thread[event]];
  }

  private copyEvent(from: Graph, into: Graph, old: number, revisited: boolean): void {
    const event = into.addCopy(from, old);
    const before = from.programBefore[old];
    into.programBefore[event] = before === NONE ? NONE : this.map[before];
    const same = from.sameBefore[old];
    into.sameBefore[event] = same === NONE ? NONE : this.map[same];
    if (revisited) return;
    into.answers[event] = from.answers[old];
    into.flags[event] = from.flags[old] & (FIXED | ADDED_MAX);
    if (this.causesAreFixed && this.isCause(from, old)) into.flags[event] |= FIXED;
    if ((from.flags[old] & WRITES) !== 0) into.valueWritten[event] = from.valueWritten[old];
    const source = from.readsFrom[old];
    if (source !== NOT_A_READ) this.pending(into, event, source >= 0 ? this.map[source] : source, from.valueRead[old]);
  }

  /** The store may be copied later than its reader, which it revisited; its list of readers begins with its copy. */
  private pending(into: Graph, event: number, source: number, value: number): void {
    into.readsFrom[event] = source;
    into.valueRead[event] = value;
    into.flags[event] |= READS;
  }

  private copyCoherence(from: Graph, into: Graph, r: number, limit: number): void {
    const { map } = this;
    if (this.linked.length < from.locations) this.linked = new Int32Array(from.locations * 2);
    const copy = ++this.copies;
    for (let e = 0; e < limit; e++) {
      const event = map[e];
      if (event === NONE) continue;
      if ((into.flags[event] & READS) !== 0) into.readFrom(event, into.readsFrom[event], into.valueRead[event]);
      if ((from.flags[e] & WRITES) === 0) continue;
      const location = from.location[e];
      if (this.linked[location] === copy) continue;
      this.linked[location] = copy;
      for (let s = from.firstStore[location]; s !== NONE; s = from.coherenceAfter[s])
        if (s < limit && s !== r && map[s] !== NONE)
          into.placeAfter(map[s], into.lastStore[location], from.valueWritten[s]);
    }
  }
}
