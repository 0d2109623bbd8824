// SPDX-License-Identifier: MIT
import { CausalNodes } from './causal-nodes.js';
import { type Graph, NONE, READS, WRITES } from './graph.js';
import * as N from './node.js';
import { dependsOnOld } from './read-modify-write.js';
import { at, join, joinBut, Rows, set } from './rows.js';
import { type Consistency, SequentialConsistency } from './sequential-consistency.js';
import { isCoherent } from './total-store-order.js';
import { Visibility } from './visibility.js';

/*
 * The part of LKMM that the exploration looks at: coherence, acyclic hb, acyclic pb. Nodes are the marked loads and stores (a read-modify-write is
 * two), numbered in an order in which causes come first. Everything is rows of bits, one for each node, of what comes before it; one pass in that
 * order makes them all:
 *
 *   overwritten  [external] co | fr to a store
 *   cumulated    what comes to the node by the last cumul-fence of a (overwrite & ext)? ; cumul-fence+
 *   prefixProp   the node, what it overwrites, and what is cumulated: (overwrite & ext)? ; cumul-fence*
 *   prop         that, and the prefixProp of the store that the node reads from another thread
 *   before       hb | (prop ; strong-fence): acyclic if and only if hb and pb are
 *
 * What a fence orders is what its thread had accumulated when it came to the fence, so each thread has running sets, and snapshots of them.
 * The names of the relations are those of linux-kernel.cat; packages/memory-model has the readable definition, which this one is tested against.
 */
export class LinuxKernelMemoryModel implements Consistency {
  private readonly known: Visibility = new Visibility();
  private readonly nodes: CausalNodes = new CausalNodes();
  private readonly plain: (graph: Graph) => boolean;
  private readonly sequential: SequentialConsistency = new SequentialConsistency();
  private width = 0;
  private readonly cumulated: Rows = new Rows();
  private readonly prefixProp: Rows = new Rows();
  private readonly prop: Rows = new Rows();
  private readonly before: Rows = new Rows();
  /** By thread: what was done so far, and what the last fence of a kind saw of it. */
  private readonly all: Rows = new Rows();
  private readonly reads: Rows = new Rows();
  private readonly writes: Rows = new Rows();
  private readonly acquires: Rows = new Rows();
  private readonly beforeRmb: Rows = new Rows();
  private readonly beforeWmb: Rows = new Rows();
  private readonly beforeStrong: Rows = new Rows();
  private readonly beforeUnlock: Rows = new Rows();
  private readonly beforeUnlockLock: Rows = new Rows();
  /** The same of the union of prop, or of prefixProp, of what was done. */
  private readonly propAll: Rows = new Rows();
  private readonly prefixAll: Rows = new Rows();
  private readonly prefixWrites: Rows = new Rows();
  private readonly propBeforeStrong: Rows = new Rows();
  private readonly prefixBeforeWmb: Rows = new Rows();
  private readonly prefixBeforeUnlock: Rows = new Rows();
  private readonly prefixBeforeUnlockLock: Rows = new Rows();
  private readonly propBeforeUnlock: Rows = new Rows();
  private readonly propBeforeUnlockLock: Rows = new Rows();
  /** Snapshots that smp_mb__before_atomic() and such wait with for their operation, or the operation for them. */
  private readonly pendingBefore: Rows = new Rows();
  private readonly pendingProp: Rows = new Rows();
  private readonly atomicBefore: Rows = new Rows();
  private readonly atomicProp: Rows = new Rows();
  private readonly lockBefore: Rows = new Rows();
  private readonly lockProp: Rows = new Rows();
  private readonly byThread: readonly Rows[];
  /** By unlock: what was before it, for who takes the lock over. */
  private readonly atUnlock: Rows = new Rows();
  private readonly propAtUnlock: Rows = new Rows();

  /** `plain` is asked about graphs with plain accesses. */
  constructor(plain: (graph: Graph) => boolean) {
    this.plain = plain;
    this.byThread = [
      ...[this.all, this.reads, this.writes, this.acquires, this.beforeRmb, this.beforeWmb, this.beforeStrong],
      ...[this.beforeUnlock, this.beforeUnlockLock, this.propAll, this.prefixAll, this.prefixWrites],
      ...[this.propBeforeStrong, this.prefixBeforeWmb, this.prefixBeforeUnlock, this.prefixBeforeUnlockLock],
      ...[this.propBeforeUnlock, this.propBeforeUnlockLock, this.pendingBefore, this.pendingProp],
      ...[this.atomicBefore, this.atomicProp, this.lockBefore, this.lockProp],
    ];
  }

  get visibility(): Visibility | null {
    return this.known;
  }

  isConsistent(graph: Graph, changed: number, revisited: number): boolean {
    if (!isCoherent(graph, changed) || (revisited !== NONE && !isCoherent(graph, revisited))) return false;
    // What breaks an axiom is a cycle of po, rf, co and fr through what changed. Most changes make none.
    if (this.sequential.isConsistent(graph, changed, revisited)) return true;
    const { nodes } = this;
    nodes.number(graph);
    if (nodes.plain) return this.plain(graph);
    const { count, width } = nodes;
    this.width = width;
    for (const rows of [this.cumulated, this.prefixProp, this.prop, this.before]) rows.clear(count, width);
    for (const rows of this.byThread) rows.clear(graph.threads, width);
    if (nodes.locks) for (const rows of [this.atUnlock, this.propAtUnlock]) rows.clear(count, width);
    let backward = false;
    for (let i = 0; i < nodes.order.length; i++) backward = this.visit(graph, nodes.order[i]) || backward;
    return !backward || this.isAcyclic(count);
  }

  /** Makes the rows of an event; true if something that is numbered later comes before it. */
  private visit(graph: Graph, e: number): boolean {
    const { nodes } = this;
    const thread = graph.thread[e];
    const node = graph.nodes[e];
    let backward = false;
    if (nodes.startOf[e] !== NONE)
      backward = this.load(
        thread,
        nodes.startOf[e],
        nodes.store[graph.startedBy[thread]],
        graph.startedBy[thread],
        graph,
        N.ACQUIRE,
        NONE,
      );
    const { order } = node;
    if (node.kind === N.FENCE) {
      this.fence(thread, node.operation);
      if (node.operation === N.F_CALL_RCU)
        backward = this.store(thread, nodes.store[e], graph, e, N.RELEASE) || backward;
      return backward;
    }
    const success = (graph.flags[e] & WRITES) !== 0;
    const atomic = node.kind === N.RMW && (order & N.LOCK) === 0;
    if (atomic) this.strengthen(thread, this.pendingBefore, this.pendingProp);
    const full = (order & N.FULL) !== 0 && success;
    if (full) this.strengthen(thread, this.all, this.propAll);
    if ((graph.flags[e] & READS) !== 0) {
      const source = graph.readsFrom[e];
      const acquires = node.kind === N.RMW && !success ? 0 : order;
      const store = source >= 0 ? nodes.store[source] : NONE;
      backward = this.load(thread, nodes.load[e], store, source, graph, acquires, e) || backward;
      if ((order & N.LOCK) !== 0 && success) this.takeOver(thread, source);
    }
    if (success) {
      if ((order & N.LOCK) !== 0 && node.kind === N.WRITE) this.unlock(thread, nodes.store[e]);
      backward = this.store(thread, nodes.store[e], graph, e, order) || backward;
    }
    if (full) this.strengthen(thread, this.all, this.propAll);
    if (atomic) this.snapshot(thread, this.atomicBefore, this.atomicProp);
    else if (node.kind === N.RMW && success) this.snapshot(thread, this.lockBefore, this.lockProp);
    return backward;
  }

  private fence(thread: number, operation: number): void {
    const { width: w } = this;
    switch (operation) {
      case N.F_MB:
      case N.F_RCU_SYNC:
        this.strengthen(thread, this.all, this.propAll);
        return;
      case N.F_RMB:
        at(this.beforeRmb, thread, this.reads, thread, w);
        return;
      case N.F_WMB:
        at(this.beforeWmb, thread, this.writes, thread, w);
        at(this.prefixBeforeWmb, thread, this.prefixWrites, thread, w);
        return;
      case N.F_BEFORE_ATOMIC:
        this.snapshot(thread, this.pendingBefore, this.pendingProp);
        return;
      case N.F_AFTER_ATOMIC:
        this.strengthen(thread, this.atomicBefore, this.atomicProp);
        return;
      case N.F_AFTER_SPINLOCK:
        this.strengthen(thread, this.lockBefore, this.lockProp);
        return;
      case N.F_AFTER_UNLOCK_LOCK:
        this.strengthen(thread, this.beforeUnlockLock, this.propBeforeUnlockLock);
    }
  }

  /** strong-fence: from what was before to all that follows. */
  private strengthen(thread: number, before: Rows, prop: Rows): void {
    join(this.beforeStrong, thread, before, thread, this.width);
    join(this.propBeforeStrong, thread, prop, thread, this.width);
  }

  private snapshot(thread: number, before: Rows, prop: Rows): void {
    at(before, thread, this.all, thread, this.width);
    at(prop, thread, this.propAll, thread, this.width);
  }

  private unlock(thread: number, store: number): void {
    const { width: w } = this;
    at(this.beforeUnlock, thread, this.all, thread, w);
    at(this.prefixBeforeUnlock, thread, this.prefixAll, thread, w);
    at(this.propBeforeUnlock, thread, this.propAll, thread, w);
    at(this.atUnlock, store, this.prefixAll, thread, w);
    at(this.propAtUnlock, store, this.propAll, thread, w);
  }

  /** po-unlock-lock-po: after a lock comes what was before an unlock, of the own thread or of the one that is taken over from. */
  private takeOver(thread: number, source: number): void {
    const { width: w } = this;
    join(this.beforeUnlockLock, thread, this.beforeUnlock, thread, w);
    join(this.prefixBeforeUnlockLock, thread, this.prefixBeforeUnlock, thread, w);
    join(this.propBeforeUnlockLock, thread, this.propBeforeUnlock, thread, w);
    if (source < 0) return;
    join(this.prefixBeforeUnlockLock, thread, this.atUnlock, this.nodes.store[source], w);
    join(this.propBeforeUnlockLock, thread, this.propAtUnlock, this.nodes.store[source], w);
  }

  private load(
    thread: number,
    node: number,
    store: number,
    source: number,
    graph: Graph,
    order: number,
    e: number,
  ): boolean {
    const { width: w, before } = this;
    this.common(thread, node);
    if ((order & N.NORETURN) === 0) join(before, node, this.beforeRmb, thread, w);
    if (e !== NONE) for (const from of this.nodes.addressFrom(graph, e)) set(before, node, from, w);
    at(this.prefixProp, node, this.cumulated, node, w);
    set(this.prefixProp, node, node, w);
    at(this.prop, node, this.prefixProp, node, w);
    if (store !== NONE && graph.thread[source] !== thread) {
      set(before, node, store, w);
      join(this.prop, node, this.prefixProp, store, w);
    } else if (store !== NONE && e !== NONE) this.forwarded(graph, source, node);
    const backward = this.finish(thread, node);
    set(this.reads, thread, node, w);
    if ((order & N.ACQUIRE) !== 0) set(this.acquires, thread, node, w);
    return backward;
  }

  /** (addr | data) ; rfi: a load comes after what the own store that it reads from depends on. */
  private forwarded(graph: Graph, store: number, node: number): void {
    for (const from of this.nodes.addressFrom(graph, store)) set(this.before, node, from, this.width);
    const old = this.nodes.load[store];
    if (old !== NONE && dependsOnOld(graph.nodes[store].operation)) set(this.before, node, old, this.width);
  }

  private store(thread: number, node: number, graph: Graph, e: number, order: number): boolean {
    const { width: w, before, cumulated } = this;
    this.common(thread, node);
    join(before, node, this.reads, thread, w);
    join(before, node, this.beforeWmb, thread, w);
    join(cumulated, node, this.prefixBeforeWmb, thread, w);
    if ((order & N.RELEASE) !== 0) {
      join(before, node, this.all, thread, w);
      join(cumulated, node, this.propAll, thread, w);
    }
    // overwrite & int: loads are before stores anyway.
    for (let s = graph.sameBefore[e]; s !== NONE; s = graph.sameBefore[s])
      if ((graph.flags[s] & WRITES) !== 0) set(before, node, this.nodes.store[s], w);
    // rmw-sequence
    const source = graph.readsFrom[e];
    if ((graph.flags[e] & READS) !== 0 && source >= 0) join(cumulated, node, cumulated, this.nodes.store[source], w);
    at(this.prefixProp, node, cumulated, node, w);
    join(this.prefixProp, node, this.nodes.overwritten, node, w);
    set(this.prefixProp, node, node, w);
    at(this.prop, node, this.prefixProp, node, w);
    const backward = this.finish(thread, node);
    set(this.writes, thread, node, w);
    join(this.prefixWrites, thread, this.prefixProp, node, w);
    return backward;
  }

  /** What comes before any access. */
  private common(thread: number, node: number): void {
    const { width: w, before, cumulated } = this;
    join(before, node, this.beforeStrong, thread, w);
    join(before, node, this.acquires, thread, w);
    join(before, node, this.beforeUnlockLock, thread, w);
    join(before, node, this.propBeforeStrong, thread, w);
    join(cumulated, node, this.propBeforeStrong, thread, w);
    join(cumulated, node, this.prefixBeforeUnlockLock, thread, w);
  }

  private finish(thread: number, node: number): boolean {
    const { width: w } = this;
    // (prop \ id) & int
    joinBut(this.before, node, this.prop, this.nodes.ofThread, thread, w);
    set(this.all, thread, node, w);
    join(this.propAll, thread, this.prop, node, w);
    join(this.prefixAll, thread, this.prefixProp, node, w);
    return this.before.hasFrom(node, node, w);
  }

  /** Takes nodes away that nothing is before, until there are none, or only cycles. */
  private isAcyclic(count: number): boolean {
    const { width: w, before } = this;
    const left = new Int32Array(w);
    for (let i = 0; i < count; i++) left[i >>> 5] |= 1 << (i & 31);
    for (let remaining = count, progress = true; progress; ) {
      progress = false;
      for (let i = 0; i < count; i++) {
        if (((left[i >>> 5] >>> (i & 31)) & 1) === 0 || before.meets(i, left, w)) continue;
        left[i >>> 5] &= ~(1 << (i & 31));
        progress = true;
        if (--remaining === 0) return true;
      }
    }
    return false;
  }
}
