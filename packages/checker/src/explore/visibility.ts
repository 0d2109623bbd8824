// SPDX-License-Identifier: MIT
import { type Graph, NONE, READS, WRITES } from './graph.js';
import * as N from './node.js';

/*
 * Which stores a new load or store must not come before, as far as that is cheap to know: those that it learns of through releases, fences and
 * acquires, dependencies too. It only keeps candidates from being tried that the model's check would refuse, so it may know too little, never too
 * much. `published(w)` are the stores that cumul-fences put before w; who reads w in another thread has heard of w and of them, and what comes
 * after that load by an acquire, a fence or an address dependency (for a marked store: by anything) cannot come before any of them.
 *
 * Sets are bits by event number: a set holds causes only, which are numbered once and for all while the event is in its graph.
 */

/** What a thread knows at a point of its program. */
class Knowledge {
  /** Its own stores. */
  own: Int32Array;
  /** Stores that its marked loads have told of; without those of loads that smp_rmb() does not order. */
  heard: Int32Array;
  heardInOrder: Int32Array;
  /** Of those, what is before later loads; before everything later. */
  beforeLoads: Int32Array;
  beforeAll: Int32Array;
  /** What comes before later stores by a full barrier, by smp_wmb(). */
  strong: Int32Array;
  wmb: Int32Array;
  /** What its stores have published, themselves included. */
  told: Int32Array;

  constructor(width: number) {
    const set = (): Int32Array => new Int32Array(width);
    this.own = set();
    this.heard = set();
    this.heardInOrder = set();
    this.beforeLoads = set();
    this.beforeAll = set();
    this.strong = set();
    this.wmb = set();
    this.told = set();
  }

  clear(): void {
    this.own.fill(0);
    this.heard.fill(0);
    this.heardInOrder.fill(0);
    this.beforeLoads.fill(0);
    this.beforeAll.fill(0);
    this.strong.fill(0);
    this.wmb.fill(0);
    this.told.fill(0);
  }

  fullBarrier(): void {
    add(this.beforeLoads, this.heard);
    add(this.beforeAll, this.heard);
    add(this.strong, this.heard);
    add(this.strong, this.own);
  }
}

export class Visibility {
  private width = 0;
  private readonly pool: Knowledge[] = [];
  private depth = 0;
  private readonly result: { set: Int32Array } = { set: new Int32Array(0) };

  /** The stores that a new access, the last of its thread, must not come before. Valid until the next call. */
  seenBy(graph: Graph, event: number): Int32Array {
    this.resize((graph.thread.length + 31) >>> 5);
    const knows = this.knowledge(graph, event);
    const { order, kind, addressFrom } = graph.nodes[event];
    const stores = kind === N.WRITE;
    const set = stores ? ((order & N.PLAIN) !== 0 ? knows.beforeAll : knows.heard) : knows.beforeLoads;
    this.result.set.set(set);
    if (addressFrom.length > 0)
      for (let e = graph.programBefore[event]; e !== NONE; e = graph.programBefore[e])
        if (addressFrom.includes(graph.index[e])) this.hear(graph, e, this.result.set);
    this.depth--;
    return this.result.set;
  }

  private resize(width: number): void {
    if (this.width >= width) return;
    this.width = width;
    this.pool.length = 0;
    this.result.set = new Int32Array(width);
  }

  /** What the thread of an event knows when it comes to it. The caller gives it back by `depth--`. */
  private knowledge(graph: Graph, event: number): Knowledge {
    if (this.depth === this.pool.length) this.pool.push(new Knowledge(this.width));
    const knows = this.pool[this.depth++];
    knows.clear();
    this.follow(graph, graph.programBefore[event], knows);
    return knows;
  }

  private follow(graph: Graph, last: number, knows: Knowledge): void {
    const events: number[] = [];
    for (let e = last; e !== NONE; e = graph.programBefore[e]) events.push(e);
    for (let i = events.length - 1; i >= 0; i--) this.learn(graph, events[i], knows);
  }

  private learn(graph: Graph, e: number, knows: Knowledge): void {
    const { kind, operation, order } = graph.nodes[e];
    if (kind === N.FENCE) {
      if (operation === N.F_MB || operation === N.F_RCU_SYNC) knows.fullBarrier();
      else if (operation === N.F_RMB) add(knows.beforeLoads, knows.heardInOrder);
      else if (operation === N.F_WMB) add(knows.wmb, knows.told);
      return;
    }
    const writes = (graph.flags[e] & WRITES) !== 0;
    const full = writes && (order & N.FULL) !== 0;
    if (full) knows.fullBarrier();
    if ((graph.flags[e] & READS) !== 0 && (order & N.PLAIN) === 0) {
      this.hear(graph, e, knows.heard);
      if ((order & N.NORETURN) === 0) this.hear(graph, e, knows.heardInOrder);
      if ((order & N.ACQUIRE) !== 0 && (kind === N.READ || writes)) {
        this.hear(graph, e, knows.beforeLoads);
        this.hear(graph, e, knows.beforeAll);
      }
    }
    if (writes) {
      if ((order & N.PLAIN) === 0) this.publish(graph, e, knows);
      put(knows.own, e);
      put(knows.told, e);
    }
    if (full) knows.fullBarrier();
  }

  /** Adds what a load has told of: the store that it reads, and what that one published. */
  private hear(graph: Graph, load: number, into: Int32Array): void {
    if ((graph.flags[load] & READS) === 0) return;
    const store = graph.readsFrom[load];
    if (store < 0 || graph.thread[store] === graph.thread[load] || (graph.nodes[store].order & N.PLAIN) !== 0) return;
    put(into, store);
    add(into, this.published(graph, store));
  }

  private published(graph: Graph, store: number): Int32Array {
    const known = graph.published[store];
    if (known !== null) return known;
    const knows = this.knowledge(graph, store);
    // On the way to its own store a read-modify-write passes its load, and full barriers.
    this.learn(graph, store, knows);
    this.depth--;
    return graph.published[store] as Int32Array;
  }

  /** What is cumul-fence+ before a marked store; noted in the graph. */
  private publish(graph: Graph, store: number, knows: Knowledge): void {
    const { order } = graph.nodes[store];
    let set = graph.published[store];
    if (set === null) {
      set = new Int32Array(this.width);
      graph.published[store] = set;
      add(set, knows.strong);
      add(set, knows.wmb);
      if ((order & N.RELEASE) !== 0) {
        add(set, knows.heard);
        add(set, knows.own);
      }
      const source = graph.readsFrom[store];
      if ((graph.flags[store] & READS) !== 0 && source >= 0 && (graph.nodes[source].order & N.PLAIN) === 0)
        add(set, this.published(graph, source));
    }
    add(knows.told, set);
  }
}

function add(into: Int32Array, set: Int32Array): void {
  for (let w = 0; w < set.length; w++) into[w] |= set[w];
}

function put(into: Int32Array, event: number): void {
  into[event >>> 5] |= 1 << (event & 31);
}
