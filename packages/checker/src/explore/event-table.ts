// SPDX-License-Identifier: MIT
import type { TraceNode } from './node.js';

/** The events of a graph, a column for each thing that is known of them. */
export class EventTable {
  /** Number of events. */
  size = 0;
  /** How many threads there is room for. */
  readonly threads: number;
  thread: Int32Array;
  /** Position in its thread. */
  index: Int32Array;
  location: Int32Array;
  readsFrom: Int32Array;
  valueRead: Int32Array;
  valueWritten: Int32Array;
  flags: Uint8Array;
  /** Coherence: neighbours in the list of the location. `before` is `~location` for the first. */
  coherenceAfter: Int32Array;
  coherenceBefore: Int32Array;
  /** Readers of a store: a list through the readers. */
  firstReader: Int32Array;
  nextReader: Int32Array;
  /** Predecessors in program order; and the last before it on the same location. */
  programBefore: Int32Array;
  sameBefore: Int32Array;
  /** How many events of each thread must be there if this one is, what it reads from left out: its causes up to its predecessor. `threads` each. */
  causes: Int32Array;
  readonly nodes: TraceNode[] = [];
  /** By store: the stores that come before it for everybody, when that is worked out (visibility.ts). */
  readonly published: (Int32Array | null)[] = [];
  /** What the thread's code was given. */
  readonly answers: unknown[] = [];

  constructor(threads: number, capacity = 64) {
    this.threads = threads;
    const array = (): Int32Array => new Int32Array(capacity);
    this.thread = array();
    this.index = array();
    this.location = array();
    this.readsFrom = array();
    this.valueRead = array();
    this.valueWritten = array();
    this.flags = new Uint8Array(capacity);
    this.coherenceAfter = array();
    this.coherenceBefore = array();
    this.firstReader = array();
    this.nextReader = array();
    this.programBefore = array();
    this.sameBefore = array();
    this.causes = new Int32Array(capacity * threads);
  }

  protected grow(): void {
    const more = this.thread.length * 2;
    this.thread = grown(this.thread, more);
    this.index = grown(this.index, more);
    this.location = grown(this.location, more);
    this.readsFrom = grown(this.readsFrom, more);
    this.valueRead = grown(this.valueRead, more);
    this.valueWritten = grown(this.valueWritten, more);
    const flags = new Uint8Array(more);
    flags.set(this.flags);
    this.flags = flags;
    this.coherenceAfter = grown(this.coherenceAfter, more);
    this.coherenceBefore = grown(this.coherenceBefore, more);
    this.firstReader = grown(this.firstReader, more);
    this.nextReader = grown(this.nextReader, more);
    this.programBefore = grown(this.programBefore, more);
    this.sameBefore = grown(this.sameBefore, more);
    this.causes = grown(this.causes, more * this.threads);
  }
}

export function grown(array: Int32Array, length: number): Int32Array {
  const more = new Int32Array(length);
  more.set(array);
  return more;
}
