// SPDX-License-Identifier: MIT
import type { AccessSite, ExplorationError } from './execution.js';
import { Exploration } from './exploration.js';
import type { ExploreCounts, ExploreOptions, Explorer } from './explorer.js';
import type { Graph } from './graph.js';
import { Machine, underEngine } from './machine.js';
import { type Consistency, SequentialConsistency } from './sequential-consistency.js';
import { Sharing } from './sharing.js';
import { ThreadCode } from './thread-code.js';
import { type Scope, ThreadEngine } from './thread-engine.js';
import { Threads, TooManyThreads } from './threads.js';

/** Threads that call_rcu() may start, at first; doubled when there are more. */
const FIRST_CALLBACKS = 4;
/** Trie nodes that are kept; more are forgotten and made again when they are needed. */
const MAX_NODES = 300_000;

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
  private engine!: ThreadEngine;
  private threads!: Threads;
  private exploration!: Exploration;

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
    return this.engine.sites.all();
  }

  progress(): number {
    return this.done ? 1 : 0;
  }

  run(milliseconds: number = Number.POSITIVE_INFINITY): boolean {
    if (this.done) return true;
    const until = performance.now() + milliseconds;
    underEngine(this.engine, () => this.explore(until));
    return this.done;
  }

  private explore(until: number): void {
    for (let steps = 1; !this.done; steps++) {
      if (!this.step()) this.restart();
      if (this.stopped) this.done = true;
      if ((steps & 15) === 0 && performance.now() > until) return;
      if ((steps & 1023) === 0) this.forgetMuch();
    }
  }

  /** False when what is explored is void. */
  private step(): boolean {
    try {
      if (!this.exploration.step()) this.done = !this.scope.sharing.changed;
      return !this.scope.sharing.changed;
    } catch (error) {
      if (!(error instanceof TooManyThreads)) throw error;
      return false;
    }
  }

  private begin(): void {
    const { program, maxEvents } = this.options;
    this.engine = new ThreadEngine(this.machine, this.scope);
    const own = Object.entries(program.threads).map(([name, start], id) => {
      const cpu = { id, preemptCount: 0, irqsDisabled: false, current: this.machine.tasks[id + 1] };
      return new ThreadCode(this.engine, name, id, cpu, () => start(this.shared));
    });
    const idle = { id: 0, preemptCount: 0, irqsDisabled: false, current: this.machine.tasks[0] };
    this.threads = new Threads(this.engine, own, own.length + this.callbacks, idle);
    this.exploration = new Exploration(this.threads, this.consistency(), this, maxEvents ?? 10_000);
  }

  private restart(): void {
    if (this.scope.gracePeriods && !this.scope.sharing.changed) this.callbacks = Math.max(FIRST_CALLBACKS, this.callbacks * 2);
    this.scope.sharing.changed = false;
    const { restarts } = this.counts;
    Object.assign(this.counts, newCounts());
    this.counts.restarts = restarts + 1;
    this.options.onRestart?.();
    this.begin();
    this.engine.install();
  }

  private consistency(): Consistency {
    return new SequentialConsistency();
  }

  private forgetMuch(): void {
    let nodes = 0;
    for (const code of this.threads.codes()) nodes += code.nodes;
    if (nodes > MAX_NODES) for (const code of this.threads.codes()) code.forget();
  }

  complete(graph: Graph): void {
    this.counts.executions++;
    this.counts.events = Math.max(this.counts.events, graph.size);
    this.options.onExecution?.(graph as never);
  }

  blocked(_graph: Graph): void {
    this.counts.blocked++;
  }

  failed(graph: Graph, thread: number): void {
    this.counts.errors++;
    console.log('failed', thread, this.threads.cursor(graph, thread).outcome);
    this.stopped = true;
  }

  bounded(_graph: Graph, _thread: number): void {
    this.counts.bounded++;
  }
}

function newCounts(): ExploreCounts {
  return { executions: 0, blocked: 0, rejected: 0, errors: 0, bounded: 0, events: 0, restarts: 0 };
}
