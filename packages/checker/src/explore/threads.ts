// SPDX-License-Identifier: MIT
import type { CpuLocal, FunctionPointer, Op } from '@lockless/cpu';
import { access, code, functionName, localBhDisable, pointedFunction } from '@lockless/cpu';
import type { AccessSite } from './execution.js';
import { ADDED_MAX, type Graph, NONE, READS } from './graph.js';
import * as N from './node.js';
import { openSections } from './rcu-sections.js';
import { answerOf, keyOf, succeeds, waitsForLock } from './read-modify-write.js';
import { ThreadCode } from './thread-code.js';
import type { ThreadEngine } from './thread-engine.js';
import { SLEEP } from './translate.js';

/** More threads are started than there is room for: the exploration has to begin anew with more. */
export class TooManyThreads extends Error {}

/** {@link Threads.choose}: no thread can run. */
export const NOBODY = -1;
/** {@link Threads.choose}: the graph is to be given up, since a wait in it cannot end. */
const IN_VAIN = -2;
/**
 * Rank of a thread that has thrown while others read under RCU: the model forbids an execution in which a grace period ended too early for what a
 * reader does later, so that has to be there.
 */
const AFTER_READERS = 3.5;

const SYNCHRONIZE_RCU = code('synchronize_rcu');

/** What call_rcu() starts: waits for a grace period, then invokes the callback, in softirq context. */
function* invokeAfterGracePeriod(head: number, func: number): Op<void> {
  yield* access<void>(SYNCHRONIZE_RCU, 0);
  localBhDisable();
  yield* pointedFunction(func as FunctionPointer<(head: number) => Op<void>>)(head);
}

/** The threads of a graph: the program's own, and those that call_rcu() starts. Whose turn it is. */
export class Threads {
  readonly engine: ThreadEngine;
  /** How many threads a graph has room for. */
  readonly places: number;
  readonly own: readonly ThreadCode[];
  private readonly callbacks = new Map<string, ThreadCode>();
  private readonly idle: CpuLocal;

  constructor(engine: ThreadEngine, own: readonly ThreadCode[], places: number, idle: CpuLocal) {
    this.engine = engine;
    this.own = own;
    this.places = places;
    this.idle = idle;
  }

  /** All codes that there are. */
  codes(): ThreadCode[] {
    return [...this.own, ...this.callbacks.values()];
  }

  codeOf(graph: Graph, thread: number): ThreadCode {
    if (thread < this.own.length) return this.own[thread];
    const { address: head, operand: func } = graph.nodes[graph.startedBy[thread]];
    const key = `${thread} ${func} ${head}`;
    let found = this.callbacks.get(key);
    if (found === undefined) {
      const cpu = { ...this.idle, id: thread, preemptCount: 0 };
      const run = () => invokeAfterGracePeriod(head, func);
      found = new ThreadCode(this.engine, `${functionName(func)}(${head})`, thread, cpu, run);
      this.callbacks.set(key, found);
    }
    return found;
  }

  /** CALL_RCU: its callback gets the first place that is free. */
  start(graph: Graph, event: number): void {
    for (let t = this.own.length; t < this.places; t++)
      if (graph.startedBy[t] === NONE) {
        graph.startedBy[t] = event;
        graph.cursor[t] = null;
        return;
      }
    throw new TooManyThreads();
  }

  exists(graph: Graph, thread: number): boolean {
    return thread < this.own.length || graph.startedBy[thread] !== NONE;
  }

  /** Where a thread is. */
  cursor(graph: Graph, thread: number): N.TraceNode {
    const known = graph.cursor[thread];
    if (known !== null) return known;
    const last = graph.last[thread];
    let node: N.TraceNode;
    if (last === NONE) node = this.codeOf(graph, thread).root;
    else if (sleeps(graph, last)) node = ASLEEP;
    else node = this.codeOf(graph, thread).next(graph.nodes[last], graph.answers[last]);
    graph.cursor[thread] = node;
    return node;
  }

  /**
   * Whose turn it is: whoever is not about to load comes first, so that more loads find all stores there; who waits for something comes
   * last. A thread that has thrown comes before all, but for readers of RCU.
   */
  choose(graph: Graph): number {
    for (;;) {
      const thread = this.chooseFirst(graph);
      if (thread < 0) return thread;
      const node = this.cursor(graph, thread);
      if (node.awaits || (node.kind !== N.READ && node.kind !== N.RMW) || !this.wouldWait(graph, thread, node))
        return thread;
      // The first that is known of this wait: now it awaits, and others may come first.
    }
  }

  private chooseFirst(graph: Graph): number {
    let best = NOBODY;
    let bestRank = 4;
    for (let t = 0; t < this.places; t++) {
      if (!this.exists(graph, t)) continue;
      const node = this.cursor(graph, t);
      const rank = this.rank(graph, t, node);
      if (rank === IN_VAIN) return IN_VAIN;
      if (rank >= bestRank) continue;
      best = t;
      bestRank = rank;
      if (rank === 0) break;
    }
    return best;
  }

  private rank(graph: Graph, thread: number, node: N.TraceNode): number {
    switch (node.kind) {
      case N.BUG:
        return this.engine.scope.gracePeriods && openSections(graph).length > 0 ? AFTER_READERS : 0;
      case N.WRITE:
      case N.FENCE:
      case N.CHOOSE:
        return 0;
      case N.RMW:
        if (waitsForLock(node.operation) && !this.isFree(graph, node)) return 4;
        return node.awaits ? this.rankOfWait(graph, thread, node) : 1;
      case N.READ:
        return node.awaits || node.operation === SLEEP ? this.rankOfWait(graph, thread, node) : 1;
      case N.WAIT:
        return this.waitsInVain(graph, thread, node) ? IN_VAIN : 4;
      default:
        return 4;
    }
  }

  /** A load that may have to wait is made when it need not, if there is nothing else to do. */
  private rankOfWait(graph: Graph, thread: number, node: N.TraceNode): number {
    if (node.kind === N.READ && node.operation === SLEEP) return this.latestValue(graph, node.location) === 0 ? 2 : 3;
    return this.wouldWait(graph, thread, node) ? 3 : 2;
  }

  /** Whether the thread would go round a loop again after this load, if that took the latest store. */
  private wouldWait(graph: Graph, thread: number, node: N.TraceNode): boolean {
    if (node.kind === N.READ && node.operation === SLEEP) return false;
    return this.leadsToWait(graph, thread, node, this.latestValue(graph, node.location));
  }

  /** Whether the thread goes round a loop again if a load of its reads that value. */
  leadsToWait(graph: Graph, thread: number, node: N.TraceNode, value: number): boolean {
    const answer = node.kind === N.READ ? value : answerOf(node, value);
    const next = node.child(keyOf(answer)) ?? this.codeOf(graph, thread).next(node, answer);
    return next.kind === N.WAIT;
  }

  /**
   * A wait ends when one of its loads is revisited, or deleted by the revisit of something else; but only loads that were added in the maximal way
   * are. The last one goes with each that is before it, so when it was added otherwise this graph has no complete extension: those are found where it
   * reads something else. (The others do not tell: one that stays may be followed by the last one reading something else.)
   */
  private waitsInVain(graph: Graph, thread: number, node: N.TraceNode): boolean {
    let e = graph.last[thread];
    for (let i = 0; i < node.window; i++, e = graph.programBefore[e])
      if ((graph.flags[e] & READS) !== 0) return (graph.flags[e] & ADDED_MAX) === 0;
    return false;
  }

  /** Whether the thread can take a step, or has thrown. */
  canRun(graph: Graph, thread: number): boolean {
    const node = this.cursor(graph, thread);
    if (node.kind === N.END || node.kind === N.WAIT) return false;
    return !(node.kind === N.RMW && waitsForLock(node.operation) && !this.isFree(graph, node));
  }

  isFree(graph: Graph, node: N.TraceNode): boolean {
    return succeeds(node.operation, this.latestValue(graph, node.location), 0, 0);
  }

  private latestValue(graph: Graph, location: number): number {
    const store = location < graph.locations ? graph.lastStore[location] : ~location;
    return store >= 0 ? graph.valueWritten[store] : this.engine.locations.initial[location];
  }

  /** Threads that wait for a lock. */
  waitForLocks(graph: Graph): number[] {
    const waiting: number[] = [];
    for (let t = 0; t < this.places; t++)
      if (this.exists(graph, t) && this.cursor(graph, t).kind === N.RMW) waiting.push(t);
    return waiting;
  }

  /** Where threads that wait in a loop would go round it again. */
  headsOfLoops(graph: Graph): AccessSite[] {
    const heads: AccessSite[] = [];
    for (let t = 0; t < this.places; t++) {
      if (!this.exists(graph, t)) continue;
      const { kind, location, site } = this.cursor(graph, t);
      if (kind === N.WAIT && location !== -1) heads.push(site);
    }
    return heads;
  }

  haveAllEnded(graph: Graph): boolean {
    for (let t = 0; t < this.places; t++)
      if (this.exists(graph, t) && this.cursor(graph, t).kind !== N.END) return false;
    return true;
  }
}

/** The event is the load of a sleeper whom nobody has woken. */
const sleeps = (graph: Graph, event: number): boolean => {
  const { kind, operation } = graph.nodes[event];
  return kind === N.READ && operation === SLEEP && graph.valueRead[event] !== 0;
};

const ASLEEP: N.TraceNode = (() => {
  const nowhere = { address: 0, operand: 0, expected: 0 };
  const node = new N.TraceNode(N.WAIT, 0, { code: 0, frames: [] }, false, nowhere, -1, SLEEP, 0, null, undefined);
  node.window = 1;
  return node;
})();
