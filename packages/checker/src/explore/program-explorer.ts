// SPDX-License-Identifier: MIT
import { KernelBug } from '@lockless/cpu';
import { areStuck, type Wait, waitsOf, withoutWaitingGracePeriod } from './blocked.js';
import { consistencyOf, ReferenceConsistency } from './consistency.js';
import { Estimate } from './estimate.js';
import type { AccessSite, ExplorationError } from './execution.js';
import { type Endings, Exploration } from './exploration.js';
import type { ExploreCounts, ExploreOptions, Explorer } from './explorer.js';
import type { Graph } from './graph.js';
import { GraphView } from './graph-view.js';
import { Lifetimes } from './lifetime.js';
import { Machine, underEngine } from './machine.js';
import { RULES } from './revisit.js';
import type { Scope } from './scope.js';
import { Sharing } from './sharing.js';
import { follow, type Steering } from './steered.js';
import { ThreadCode } from './thread-code.js';
import { ThreadEngine } from './thread-engine.js';
import { Threads, TooManyThreads } from './threads.js';

/** Threads that call_rcu() may start, at first; doubled when there are more. */
const FIRST_CALLBACKS = 4;
/** Trie nodes that are kept; more are forgotten and made again when they are needed. */
const MAX_NODES = 300_000;
/** Pieces of work before one execution is followed. */
const LEARNING = 500;

/** Explores a program; begins anew when it turns out that it took for private what is shared. */
export class ProgramExplorer implements Explorer {
  readonly counts: ExploreCounts = newCounts();
  readonly shared: unknown;
  stopped = false;
  done = false;
  error: ExplorationError | null = null;
  private readonly options: ExploreOptions<unknown>;
  private readonly machine: Machine;
  private readonly scope: Scope;
  private callbacks = 0;
  private quiet = false;
  /** Met before the exploration began anew. */
  private earlierSites: readonly AccessSite[] = [];
  private engine!: ThreadEngine;
  private threads!: Threads;
  private exploration!: Exploration;
  private reference!: ReferenceConsistency;
  private lifetimes!: Lifetimes;
  private estimate!: Estimate;
  /** Seconds that it explored. */
  private spent = 0;

  constructor(options: ExploreOptions<unknown>) {
    this.options = options;
    const { program, model } = options;
    let shared: unknown;
    this.machine = new Machine(program.setup, Object.keys(program.threads).length, (value) => {
      shared = value;
    });
    this.shared = shared;
    this.scope = {
      model,
      races: options.races ?? false,
      sharing: new Sharing(options.shareAll ?? false),
      gracePeriods: false,
      weaken: options.weaken,
    };
    this.begin();
  }

  sites(): readonly AccessSite[] {
    return [...this.earlierSites, ...this.engine.sites.all()];
  }

  progress(): number {
    if (this.done) return 1;
    const all = this.estimate.executions;
    return all === null ? 0 : Math.min(this.counts.executions / all, 0.99);
  }

  run(milliseconds: number = Number.POSITIVE_INFINITY): boolean {
    if (this.done) return true;
    const until = performance.now() + milliseconds;
    underEngine(this.engine, () => this.explore(until));
    return this.done;
  }

  follow(steering: Steering): void {
    underEngine(this.engine, () => {
      this.learnSharing();
      for (let lost: unknown = null; ; ) {
        try {
          lost = follow(this.exploration, this.threads, this, this.options.maxEvents ?? 10_000, steering);
        } catch (error) {
          if (!(error instanceof TooManyThreads) && !this.scope.sharing.changed) throw error;
        }
        const again = this.scope.sharing.changed || (this.scope.gracePeriods && this.callbacks === 0);
        if (!again && lost !== null) throw lost;
        if (!again) break;
        this.restart();
      }
    });
    this.done = true;
  }

  /** Which words threads share shows in a few executions. Nobody is told of them. */
  private learnSharing(): void {
    this.quiet = true;
    for (let steps = 0; steps < LEARNING && !this.done; steps++) if (!this.step()) this.restart();
    this.restart();
    this.done = false;
    this.quiet = false;
  }

  private explore(until: number): void {
    const start = performance.now();
    for (let steps = 1; !this.done; steps++) {
      if (!this.step()) this.restart();
      if (this.stopped) this.done = true;
      if ((steps & 15) === 0 && performance.now() > until) break;
      if ((steps & 1023) === 0) this.forgetMuch();
    }
    this.spent += (performance.now() - start) / 1000;
    if (!this.done) this.guess();
  }

  private guess(): void {
    try {
      this.estimate.improve(this.spent);
    } catch (error) {
      if (!(error instanceof TooManyThreads)) throw error;
    }
    if (this.scope.sharing.changed) this.restart();
  }

  /** False when what is explored is void. */
  private step(): boolean {
    try {
      if (!this.exploration.step()) this.done = !this.scope.sharing.changed;
      return !this.scope.sharing.changed;
    } catch (error) {
      // Tries that were made while a word was taken for private do not fit any more.
      if (!(error instanceof TooManyThreads) && !this.scope.sharing.changed) throw error;
      return false;
    }
  }

  private begin(): void {
    const { program, model, maxEvents } = this.options;
    this.engine = new ThreadEngine(this.machine, this.scope);
    const own = Object.entries(program.threads).map(([name, start], id) => {
      const cpu = { id, preemptCount: 0, irqsDisabled: false, current: this.machine.tasks[id + 1] };
      return new ThreadCode(this.engine, name, id, cpu, () => start(this.shared));
    });
    const idle = { id: 0, preemptCount: 0, irqsDisabled: false, current: this.machine.tasks[0] };
    this.threads = new Threads(this.engine, own, own.length + this.callbacks, idle);
    const { locations } = this.engine;
    this.reference = new ReferenceConsistency(model, locations);
    this.lifetimes = new Lifetimes(this.machine, this.reference);
    const rules = { ...RULES, ...this.options.breakRules };
    const most = maxEvents ?? 10_000;
    const consistency = consistencyOf(model, locations);
    this.exploration = new Exploration(this.threads, consistency, this, most, rules);
    const ignore = (): void => {};
    const endings: Endings = {
      complete: () => this.estimate.count(),
      blocked: ignore,
      failed: ignore,
      bounded: ignore,
    };
    this.estimate = new Estimate(new Exploration(this.threads, consistency, endings, most));
  }

  private restart(): void {
    if (this.scope.gracePeriods && !this.scope.sharing.changed)
      this.callbacks = Math.max(FIRST_CALLBACKS, this.callbacks * 2);
    this.scope.sharing.changed = false;
    const { restarts } = this.counts;
    Object.assign(this.counts, newCounts());
    this.counts.restarts = restarts + 1;
    this.options.onRestart?.();
    this.earlierSites = this.sites();
    this.begin();
    this.engine.install();
  }

  private forgetMuch(): void {
    let nodes = 0;
    for (const code of this.threads.codes()) nodes += code.nodes;
    if (nodes > MAX_NODES) for (const code of this.threads.codes()) code.forget();
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
    if (this.options.onBlocked === undefined) return;
    const waits = waitsOf(graph, this.threads);
    const stuck = areStuck(graph, waits);
    if (!stuck && this.scope.gracePeriods) {
      const rest = withoutWaitingGracePeriod(graph, waits, this.reference);
      const waitsThen = rest === null ? [] : waitsOf(rest, this.threads);
      if (rest !== null && areStuck(rest, waitsThen)) {
        this.tellBlocked(rest, waitsThen, true);
        return;
      }
    }
    this.tellBlocked(graph, waits, stuck);
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
    const message = `data race on ${this.machine.describe(graph.nodes[b].address)}`;
    const error = { kind: 'data-race', message, thread: graph.thread[b], site: graph.nodes[b].site, cause: null };
    this.report(graph, error, [a, b]);
    return true;
  }

  /** What the exploration itself does not look at: grace periods. */
  private isPossible(graph: Graph): boolean {
    if (this.scope.sharing.changed) return false;
    if (!this.scope.gracePeriods || this.reference.isPossible(graph)) return true;
    this.counts.rejected++;
    return false;
  }

  private stopIf(answer: unknown): void {
    if (answer === true) this.stopped = true;
  }

  private view(graph: Graph): GraphView {
    return new GraphView(graph, this.threads);
  }
}

function newCounts(): ExploreCounts {
  return { executions: 0, blocked: 0, rejected: 0, errors: 0, bounded: 0, events: 0, restarts: 0 };
}
