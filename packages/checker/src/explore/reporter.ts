// SPDX-License-Identifier: MIT
import { KernelBug } from '@lockless/cpu';
import { areStuck, type Wait, waitsOf } from './blocked.js';
import type { ReferenceConsistency } from './consistency.js';
import type { ExplorationError } from './execution.js';
import type { Endings } from './exploration.js';
import type { ExploreCounts, ExploreOptions } from './explorer.js';
import type { Graph } from './graph.js';
import { GraphView } from './graph-view.js';
import type { Level } from './levels.js';
import { Lifetimes } from './lifetime.js';
import type { Scope } from './scope.js';
import type { Threads } from './threads.js';
import { heldUpBy } from './waiting-grace-periods.js';

/** Looks at executions that cannot go on: whether the model allows them after all, and what is wrong with them. Counts, and tells the callbacks. */
export class Reporter implements Endings {
  /** A callback wants no more. */
  stopped = false;
  /** The first error, if nobody is to be told. */
  error: ExplorationError | null = null;
  /** Nobody is told anything. */
  quiet = false;
  /** Lets the threads of a graph run as far as they come; false if one fails. */
  goOn: (level: Level) => boolean = () => false;
  private readonly options: ExploreOptions<unknown>;
  private readonly counts: ExploreCounts;
  private readonly scope: Scope;
  private readonly threads: Threads;
  private readonly reference: ReferenceConsistency;
  private readonly lifetimes: Lifetimes;

  constructor(
    options: ExploreOptions<unknown>,
    counts: ExploreCounts,
    scope: Scope,
    threads: Threads,
    reference: ReferenceConsistency,
  ) {
    this.options = options;
    this.counts = counts;
    this.scope = scope;
    this.threads = threads;
    this.reference = reference;
    this.lifetimes = new Lifetimes(threads.engine.machine, reference);
  }

  complete(graph: Graph): void {
    if (this.quiet || !this.isPossible(graph)) return;
    this.counts.events = Math.max(this.counts.events, graph.size);
    if (this.isMisused(graph)) return;
    this.counts.executions++;
    if (this.options.races === true && this.reportRace(graph)) return;
    if (this.options.onExecution !== undefined) this.stopIf(this.options.onExecution(this.view(graph)));
  }

  blocked(graph: Graph): void {
    if (this.quiet || !this.isPossible(graph) || this.isMisused(graph)) return;
    this.counts.blocked++;
    // Rounds in vain are in no complete execution, so this is where their races show.
    if (this.options.races === true && this.reportRace(graph)) return;
    if (this.options.onBlocked === undefined) return;
    const waits = waitsOf(graph, this.threads);
    this.tellBlocked(graph, waits, this.waitForEver(graph, waits));
  }

  /** Who gives up in the end does not; that so many rounds are not explored is told elsewhere. */
  private waitForEver(graph: Graph, waits: readonly Wait[]): boolean {
    const { loops } = this.scope;
    return areStuck(graph, waits) && !waits.some(({ head }) => head !== undefined && loops.givesUp(head));
  }

  private tellBlocked(graph: Graph, waits: readonly Wait[], stuck: boolean): void {
    const view = this.view(graph);
    const told = waits.map((wait) => ({
      ...wait,
      thread: view.threadNumber(wait.thread),
      loads: wait.loads.map((load) => view.position(load)),
    }));
    this.stopIf(this.options.onBlocked?.(view, told, stuck));
  }

  failed(graph: Graph, thread: number): void {
    if (this.quiet || !this.isPossible(graph) || this.isMisused(graph)) return;
    const { outcome: cause, parent } = this.threads.cursor(graph, thread);
    const kind = cause instanceof KernelBug ? cause.kind : 'exception';
    const message = cause instanceof Error ? cause.message : String(cause);
    this.report(graph, { kind, message, thread, site: parent?.site ?? null, cause }, [graph.last[thread]]);
  }

  bounded(graph: Graph, _thread: number): void {
    this.counts.bounded++;
    this.counts.events = Math.max(this.counts.events, graph.size);
  }

  private report(graph: Graph, error: Omit<ExplorationError, 'events'>, events: readonly number[]): void {
    this.counts.errors++;
    const view = this.view(graph);
    const told: ExplorationError = {
      ...error,
      thread: view.threadNumber(error.thread),
      events: events.filter((e) => e >= 0).map((e) => view.position(e)),
    };
    if (this.options.onError !== undefined) this.stopIf(this.options.onError(told, view));
    else {
      this.error = told;
      this.stopped = true;
    }
  }

  /** Memory that was used after it was freed explains whatever else is wrong. */
  private isMisused(graph: Graph): boolean {
    const misuse = this.lifetimes.misuse(graph);
    if (misuse === null) return false;
    const { kind, message, thread, events } = misuse;
    this.report(graph, { kind, message, thread, site: graph.nodes[events[0]].site, cause: null }, events);
    return true;
  }

  private reportRace(graph: Graph): boolean {
    const race = this.reference.race(graph);
    if (race === null) return false;
    const [a, b] = race;
    const message = `data race on ${this.threads.engine.machine.describe(graph.nodes[b].address)}`;
    const error = { kind: 'data-race', message, thread: graph.thread[b], site: graph.nodes[b].site, cause: null };
    this.report(graph, error, [a, b]);
    return true;
  }

  /** What the exploration itself does not look at: grace periods. */
  private isPossible(graph: Graph): boolean {
    if (this.scope.sharing.changed) return false;
    if (!this.scope.gracePeriods || this.reference.isPossible(graph)) return true;
    this.counts.rejected++;
    if (!this.quiet && this.options.onBlocked !== undefined) this.lookForStandstill(graph);
    return false;
  }

  /** What the grace periods of a forbidden execution really come to. */
  private lookForStandstill(graph: Graph): void {
    for (const rest of heldUpBy(graph, this.reference, this.goOn)) {
      const waits = waitsOf(rest, this.threads);
      if (!this.waitForEver(rest, waits)) continue;
      this.counts.blocked++;
      this.tellBlocked(rest, waits, true);
    }
  }

  private stopIf(answer: unknown): void {
    if (answer === true) this.stopped = true;
  }

  private view(graph: Graph): GraphView {
    return new GraphView(graph, this.threads);
  }
}
