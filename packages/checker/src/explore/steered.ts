// SPDX-License-Identifier: MIT
import type { AccessSite, Execution } from './execution.js';
import type { Endings, Exploration } from './exploration.js';
import { type Graph, NONE, WRITES } from './graph.js';
import { GraphView } from './graph-view.js';
import * as N from './node.js';
import { NOBODY, type Threads } from './threads.js';

/** An event or thread as whoever steers names it. */
export interface SteeredEvent {
  readonly thread: string;
  readonly site: AccessSite;
  readonly stores: boolean;
}

/** Decides what an exploration would try all ways of: one execution is followed. Its methods may throw to say that it cannot be. */
export interface Steering {
  /** The exploration begins anew, since more is known of which words threads share. */
  begin(): void;
  /** Name of the thread that takes the next step; null: any, the first of `prefer` that can. */
  thread(): string | null;
  readonly prefer: string | null;
  /** The thread cannot take a step: it has ended, or waits. Throws, or returns for another one to go on. */
  stops(thread: string): void;
  /**
   * A new event. Returns the store that a load reads, or that a store stands before, by position in `before`; 'initial'; a choice; null: what
   * is latest, or the first choice.
   */
  made(event: SteeredEvent, before: readonly SteeredEvent[]): number | 'initial' | null;
  /** The model, or coherence, does not allow that. Throws unless it does not matter. */
  refused(event: SteeredEvent): void;
  /** The execution has ended, before anybody looks whether the model allows it. */
  ended(execution: Execution): void;
}

/** Follows one execution; tells `endings` how it ends. Returns what the steering threw, when it gave up. */
export function follow(
  exploration: Exploration,
  threads: Threads,
  endings: Endings,
  maxEvents: number,
  steering: Steering,
): unknown {
  const { graph } = exploration.levels.top;
  const made: SteeredEvent[] = [];
  let lost: unknown = null;
  const attempt = <T>(body: () => T): T | null => {
    if (lost !== null) return null;
    try {
      return body();
    } catch (error) {
      lost = error;
      return null;
    }
  };
  steering.begin();
  for (;;) {
    const thread = nextThread(
      graph,
      threads,
      attempt(() => steering.thread()),
      steering,
      attempt,
    );
    if (thread === NOBODY) break;
    const node = threads.cursor(graph, thread);
    if (node.kind === N.BUG) {
      attempt(() => steering.ended(new GraphView(graph, threads)));
      if (lost === null) endings.failed(graph, thread);
      return lost;
    }
    if (graph.length[thread] >= maxEvents) {
      if (lost === null) endings.bounded(graph, thread);
      return lost;
    }
    const event = exploration.add(thread, node);
    const told = {
      thread: threads.codeOf(graph, thread).name,
      site: node.site,
      stores: (graph.flags[event] & WRITES) !== 0,
    };
    const pick = attempt(() => steering.made(told, made));
    made.push(told);
    if (pick !== null && !repoint(exploration, graph, event, thread, node, pick)) attempt(() => steering.refused(told));
  }
  attempt(() => steering.ended(new GraphView(graph, threads)));
  if (lost !== null) return lost;
  if (threads.haveAllEnded(graph)) endings.complete(graph);
  else endings.blocked(graph);
  return null;
}

function nextThread(
  graph: Graph,
  threads: Threads,
  wanted: string | null,
  steering: Steering,
  attempt: (body: () => void) => void,
): number {
  const able: number[] = [];
  for (let t = 0; t < threads.places; t++) {
    if (!threads.exists(graph, t)) continue;
    const { name } = threads.codeOf(graph, t);
    const runs = threads.canRun(graph, t);
    if (name === wanted && runs) return t;
    if (runs) able.push(t);
  }
  if (wanted !== null) attempt(() => steering.stops(wanted));
  const { prefer } = steering;
  return able.find((t) => threads.codeOf(graph, t).name === prefer) ?? able[0] ?? NOBODY;
}

/** Has the event that was just added read from, or stand before, another store. False when that is not allowed. */
function repoint(
  exploration: Exploration,
  graph: Graph,
  event: number,
  thread: number,
  node: N.TraceNode,
  pick: number | 'initial',
): boolean {
  if (node.kind === N.CHOOSE)
    return pick !== 'initial' && pick < node.operand && exploration.addInstead(thread, node, pick, event);
  if (node.location === NONE) return false;
  const store = pick === 'initial' ? ~node.location : pick;
  if (store >= 0 && (graph.location[store] !== node.location || (graph.flags[store] & WRITES) === 0)) return false;
  const place = node.kind === N.WRITE ? graph.coherenceBefore[store] : store;
  return exploration.addInstead(thread, node, place, event);
}
