// SPDX-License-Identifier: MIT
import { causalOrder } from './causal-order.js';
import { type Graph, NONE, READS, WRITES } from './graph.js';
import * as N from './node.js';
import { Rows, set } from './rows.js';

/** The loads and stores of a graph, numbered so that causes come first. */
export class CausalNodes {
  count = 0;
  /** Words of a row of bits. */
  width = 0;
  order: readonly number[] = [];
  /** By event: its load, its store, the load with which a thread that CALL_RCU started begins. */
  load: Int32Array = new Int32Array(0);
  store: Int32Array = new Int32Array(0);
  startOf: Int32Array = new Int32Array(0);
  plain = false;
  locks = false;
  /** By store: the loads and stores of other threads that it overwrites. */
  readonly overwritten: Rows = new Rows();
  readonly ofThread: Rows = new Rows();
  private readonly running: Rows = new Rows();
  private readonly from: number[] = [];

  number(graph: Graph): void {
    this.order = causalOrder(graph);
    if (this.load.length < graph.size) {
      this.load = new Int32Array(graph.size * 2);
      this.store = new Int32Array(graph.size * 2);
      this.startOf = new Int32Array(graph.size * 2);
    }
    this.plain = false;
    this.locks = false;
    let count = 0;
    for (let i = 0; i < this.order.length; i++) {
      const e = this.order[i];
      const node = graph.nodes[e];
      const started = graph.index[e] === 0 && graph.startedBy[graph.thread[e]] !== NONE;
      this.startOf[e] = started ? count++ : NONE;
      this.load[e] = (graph.flags[e] & READS) !== 0 ? count++ : NONE;
      const calls = node.kind === N.FENCE && node.operation === N.F_CALL_RCU;
      this.store[e] = calls || (graph.flags[e] & WRITES) !== 0 ? count++ : NONE;
      if ((node.order & N.PLAIN) !== 0) this.plain = true;
      if ((node.order & N.LOCK) !== 0) this.locks = true;
    }
    this.count = count;
    this.width = (count + 31) >>> 5;
    if (!this.plain) this.overwrite(graph);
  }

  private overwrite(graph: Graph): void {
    const { width } = this;
    this.overwritten.clear(this.count, width);
    this.ofThread.clear(graph.threads, width);
    for (let e = 0; e < graph.size; e++) {
      const thread = graph.thread[e];
      if (this.startOf[e] !== NONE) set(this.ofThread, thread, this.startOf[e], width);
      if (this.load[e] !== NONE) set(this.ofThread, thread, this.load[e], width);
      if (this.store[e] !== NONE) set(this.ofThread, thread, this.store[e], width);
    }
    for (let l = 1; l < graph.locations; l++) {
      if (graph.firstStore[l] === NONE) continue;
      this.running.clear(1, width);
      this.noteReaders(graph, ~l);
      for (let s = graph.firstStore[l]; s !== NONE; s = graph.coherenceAfter[s]) {
        const own = graph.thread[s] * width;
        const row = this.store[s] * width;
        for (let w = 0; w < width; w++)
          this.overwritten.bits[row + w] = this.running.bits[w] & ~this.ofThread.bits[own + w];
        set(this.running, 0, this.store[s], width);
        this.noteReaders(graph, s);
      }
    }
  }

  private noteReaders(graph: Graph, store: number): void {
    for (let r = graph.readersOf(store); r !== NONE; r = graph.nextReader[r])
      set(this.running, 0, this.load[r], this.width);
  }

  /** The loads that the address of an event comes from. Valid until the next call. */
  addressFrom(graph: Graph, event: number): readonly number[] {
    const { addressFrom } = graph.nodes[event];
    this.from.length = 0;
    if (addressFrom.length === 0) return this.from;
    for (let e = graph.programBefore[event]; e !== NONE; e = graph.programBefore[e])
      if (addressFrom.includes(graph.index[e])) this.from.push(this.load[e]);
    return this.from;
  }
}
