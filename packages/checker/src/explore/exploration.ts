// SPDX-License-Identifier: MIT
import { Additions } from './additions.js';
import { coherentPlaces, coherentStores, conflicting, isTaken } from './candidates.js';
import { ADDED_MAX, type Graph, NONE, WRITES } from './graph.js';
import { BACKWARD, FORWARD_CHOICE, FORWARD_READ, FORWARD_WRITE, type Level, Levels, OVERTAKE } from './levels.js';
import * as N from './node.js';
import { succeeds, waitsForLock } from './read-modify-write.js';
import { Restriction } from './restrict.js';
import { type RevisitRules, Revisits, RULES } from './revisit.js';
import type { Consistency } from './sequential-consistency.js';
import { NOBODY, type Threads } from './threads.js';
import { SLEEP } from './translate.js';

/** What becomes of an execution that cannot go on. */
export interface Endings {
  /** Every thread has ended. */
  complete(graph: Graph): void;
  /** Some wait, and nobody is left to run. */
  blocked(graph: Graph): void;
  /** A thread has thrown. */
  failed(graph: Graph, thread: number): void;
  /** A thread has too many events. */
  bounded(graph: Graph, thread: number): void;
}

/**
 * The exploration: adds events in some order of threads as long as there are any, taking the maximal choice each time and noting the others
 * as work; then does what is left, the latest first.
 */
export class Exploration {
  readonly levels: Levels;
  private readonly threads: Threads;
  private readonly consistency: Consistency;
  private readonly endings: Endings;
  private readonly maxEvents: number;
  private readonly initial: readonly number[];
  private readonly additions: Additions;
  private readonly rules: RevisitRules;
  private readonly revisits: Revisits;
  private readonly restriction: Restriction;
  private readonly candidates: number[] = [];
  /** The top graph is to be extended, before work is taken up. */
  extending = true;

  constructor(
    threads: Threads,
    consistency: Consistency,
    endings: Endings,
    maxEvents: number,
    rules: RevisitRules = RULES,
  ) {
    this.rules = rules;
    this.revisits = new Revisits(rules);
    this.restriction = new Restriction(rules.causesAreFixed);
    this.threads = threads;
    this.consistency = consistency;
    this.endings = endings;
    this.maxEvents = maxEvents;
    this.initial = threads.engine.locations.initial;
    this.additions = new Additions(threads);
    this.levels = new Levels(threads.places);
    this.levels.push().graph.clear();
  }

  /** One execution, or one piece of work; false when nothing is left. */
  step(): boolean {
    if (this.extending) this.extend(this.levels.top);
    this.extending = false;
    while (this.levels.top.work.length === 0) {
      this.levels.pop();
      if (this.levels.isEmpty) return false;
    }
    this.extending = this.apply(this.levels.top);
    return true;
  }

  /** Lets the threads run as far as they come, taking the maximal choice each time; false if one fails or does not end. */
  goOn(level: Level): boolean {
    const { graph } = level;
    for (let thread = this.threads.choose(graph); thread >= 0; thread = this.threads.choose(graph)) {
      const node = this.threads.cursor(graph, thread);
      if (node.kind === N.BUG || graph.length[thread] >= this.maxEvents) return false;
      this.visit(level, thread, node);
    }
    return true;
  }

  /** Adds events as long as there are any, and tells how it ends. */
  extend(level: Level): void {
    const { graph } = level;
    for (;;) {
      const thread = this.threads.choose(graph);
      if (thread < 0) {
        if (thread === NOBODY) this.end(level);
        return;
      }
      const node = this.threads.cursor(graph, thread);
      if (node.kind === N.BUG) {
        this.endings.failed(graph, thread);
        return;
      }
      if (graph.length[thread] >= this.maxEvents) {
        this.endings.bounded(graph, thread);
        return;
      }
      this.visit(level, thread, node);
    }
  }

  private visit(level: Level, thread: number, node: N.TraceNode): void {
    const { graph } = level;
    if (node.location >= graph.locations) graph.ensureLocations(this.initial.length);
    switch (node.kind) {
      case N.READ:
      case N.RMW:
        this.visitRead(level, this.additions.addRead(graph, thread, node, graph.lastStore[node.location]));
        return;
      case N.WRITE:
        this.visitWrite(level, this.additions.addWrite(graph, thread, node, graph.lastStore[node.location]));
        return;
      case N.CHOOSE: {
        const event = this.additions.addOther(graph, thread, node, 0);
        for (let i = node.operand - 1; i > 0; i--) level.push(FORWARD_CHOICE, event, i, event);
        return;
      }
      default:
        this.additions.addOther(graph, thread, node, undefined);
    }
  }

  private visitRead(level: Level, event: number): void {
    const { graph } = level;
    graph.flags[event] |= ADDED_MAX;
    const { candidates } = this;
    coherentStores(graph, event, this.consistency.visibility, candidates);
    // The last is the one that it reads from now.
    for (let i = 0; i < candidates.length - 1; i++)
      if (this.mayRead(graph, event, candidates[i])) level.push(FORWARD_READ, event, candidates[i], event);
    if ((graph.flags[event] & WRITES) !== 0) this.revisit(level, event);
  }

  private mayRead(graph: Graph, event: number, store: number): boolean {
    const node = graph.nodes[event];
    const value = this.additions.valueOf(graph, store, node.location);
    // Only the latest store may be waited with: a later one revisits the load.
    if (node.awaits && this.threads.leadsToWait(graph, graph.thread[event], node, value)) return false;
    // A sleeper that reads anything else sleeps on, which only the latest store may leave it to.
    if (node.kind === N.READ) return node.operation !== SLEEP || value === 0;
    if (!succeeds(node.operation, value, node.operand, node.expected)) return !waitsForLock(node.operation);
    return !isTaken(graph, store, event);
  }

  private visitWrite(level: Level, event: number): void {
    const { graph } = level;
    graph.flags[event] |= ADDED_MAX;
    const { candidates } = this;
    coherentPlaces(graph, event, this.consistency.visibility, candidates);
    for (const place of candidates) level.push(FORWARD_WRITE, event, place, event);
    this.revisit(level, event);
  }

  private revisit(level: Level, store: number): void {
    const { graph } = level;
    for (const r of this.revisits.of(graph, store)) level.push(BACKWARD, r, store, graph.size);
  }

  private end(level: Level): void {
    const { graph } = level;
    const waiting = this.threads.waitForLocks(graph);
    if (waiting.length === 0 && this.threads.haveAllEnded(graph)) {
      this.endings.complete(graph);
      return;
    }
    for (const thread of waiting) this.offerOvertaking(level, thread);
    this.endings.blocked(graph);
  }

  /** A lock that stays held: the thread may have come first. */
  private offerOvertaking(level: Level, thread: number): void {
    const { graph } = level;
    const limit = graph.size;
    const node = this.threads.cursor(graph, thread);
    const event = this.additions.addRead(graph, thread, node, graph.lastStore[node.location]);
    coherentStores(graph, event, this.consistency.visibility, this.candidates);
    for (const store of this.candidates)
      if (this.mayRead(graph, event, store)) level.push(OVERTAKE, thread, store, limit);
    graph.cut(limit);
  }

  /** Adds the next event of a thread in the maximal way, and looks for no other. Returns its number. */
  add(thread: number, node: N.TraceNode): number {
    const { graph } = this.levels.top;
    if (node.location >= graph.locations) graph.ensureLocations(this.initial.length);
    const latest = graph.lastStore[node.location];
    let event: number;
    if (node.kind === N.READ || node.kind === N.RMW) event = this.additions.addRead(graph, thread, node, latest);
    else if (node.kind === N.WRITE) event = this.additions.addWrite(graph, thread, node, latest);
    else event = this.additions.addOther(graph, thread, node, node.kind === N.CHOOSE ? 0 : undefined);
    graph.flags[event] |= ADDED_MAX;
    return event;
  }

  /** Has the event that was added last read from, or stand after, another store, or be another choice. Returns whether the model allows it. */
  addInstead(thread: number, node: N.TraceNode, other: number, event: number): boolean {
    const { graph } = this.levels.top;
    graph.cut(event);
    if (node.kind === N.CHOOSE) this.additions.addOther(graph, thread, node, other);
    else if (node.kind === N.WRITE) this.additions.addWrite(graph, thread, node, other);
    else this.additions.addRead(graph, thread, node, other);
    graph.flags[event] |= ADDED_MAX;
    return (
      node.kind === N.CHOOSE ||
      (conflicting(graph, event) === NONE && this.consistency.isConsistent(graph, event, NONE))
    );
  }

  /** Begins an item of work; true when the graph that comes of it is to be extended. */
  apply(level: Level): boolean {
    const { graph, work } = level;
    const limit = work.pop() as number;
    const b = work.pop() as number;
    const a = work.pop() as number;
    switch (work.pop()) {
      case FORWARD_READ:
        return this.readInstead(level, graph.thread[a], graph.nodes[a], b, limit);
      case FORWARD_WRITE: {
        const thread = graph.thread[a];
        const node = graph.nodes[a];
        graph.cut(limit);
        const event = this.additions.addWrite(graph, thread, node, b);
        this.revisit(level, event);
        return this.consistency.isConsistent(graph, event, NONE);
      }
      case FORWARD_CHOICE: {
        const thread = graph.thread[a];
        const node = graph.nodes[a];
        graph.cut(limit);
        graph.flags[this.additions.addOther(graph, thread, node, b)] = 0;
        return true;
      }
      case BACKWARD:
        return this.readLater(graph, a, b, limit);
      default: {
        graph.cut(limit);
        this.readInstead(level, a, this.threads.cursor(graph, a), b, limit);
        return false;
      }
    }
  }

  private readInstead(level: Level, thread: number, node: N.TraceNode, store: number, limit: number): boolean {
    const { graph } = level;
    graph.cut(limit);
    const event = this.additions.addRead(graph, thread, node, store);
    if ((graph.flags[event] & WRITES) !== 0) {
      const conflicts = conflicting(graph, event) !== NONE;
      // Its revisits count even if it cannot stay: they may delete what it clashes with.
      if (!conflicts || this.rules.conflictRevisits) this.revisit(level, event);
      if (conflicts) return false;
    }
    return this.consistency.isConsistent(graph, event, NONE);
  }

  /** A backward revisit, in a graph of its own. */
  private readLater(from: Graph, r: number, w: number, limit: number): boolean {
    const node = from.nodes[r];
    const value = from.valueWritten[w];
    // A lock that would find itself held is not taken: its thread waits for whoever overtook it.
    const keeps = !(waitsForLock(node.operation) && node.kind === N.RMW && !succeeds(node.operation, value, 0, 0));
    const level = this.levels.push();
    const { graph } = level;
    const store = this.restriction.copy(from, graph, r, w, limit, keeps);
    const isLatest = graph.lastStore[from.location[r]] === store;
    if (keeps) {
      this.additions.read(graph, r, node, store);
      if (isLatest) graph.flags[r] |= ADDED_MAX;
      if ((graph.flags[r] & WRITES) !== 0) this.revisit(level, r);
    } else graph.cursor[from.thread[r]] = node;
    // Nothing is after the latest store, so reading from it breaks nothing.
    if (isLatest) return true;
    return this.consistency.isConsistent(graph, store, keeps ? r : NONE);
  }
}
