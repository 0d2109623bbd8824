// SPDX-License-Identifier: MIT
import { type Checkpoint, restore, saveLevel } from './checkpoint.js';
import { consistencyOf, ReferenceConsistency } from './consistency.js';
import { Estimate } from './estimate.js';
import type { AccessSite, ExplorationError } from './execution.js';
import { type Endings, Exploration } from './exploration.js';
import type { ExploreCounts, ExploreOptions, Explorer } from './explorer.js';
import { Loops } from './loops.js';
import { Machine, underEngine } from './machine.js';
import { Reporter } from './reporter.js';
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
const MAX_NODES = 100_000;
/** Pieces of work before one execution is followed. */
const LEARNING = 500;

/** Explores a program; begins anew when it turns out that it took for private what is shared. */
export class ProgramExplorer implements Explorer {
  readonly counts: ExploreCounts = newCounts();
  readonly shared: unknown;
  done = false;
  private readonly options: ExploreOptions<unknown>;
  private readonly machine: Machine;
  private readonly scope: Scope;
  private callbacks = 0;
  private quiet = false;
  voided = false;
  private resumed = false;
  /** Met before the exploration began anew. */
  private earlierSites: readonly AccessSite[] = [];
  private engine!: ThreadEngine;
  private threads!: Threads;
  private exploration!: Exploration;
  private reporter!: Reporter;
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
      loops: new Loops(options.resume?.loops),
      readAtEnd: new Set(),
      gracePeriods: false,
      weaken: options.weaken,
    };
    if (options.resume === undefined) this.begin();
    else this.resume(options.resume);
  }

  private resume(saved: Checkpoint): void {
    if (saved.program !== this.options.program.name || saved.model !== this.options.model)
      throw new RangeError(`this is a checkpoint of ${saved.program} under ${saved.model}`);
    for (const word of saved.sharedWords) this.scope.sharing.share(word);
    this.scope.sharing.changed = false;
    this.scope.gracePeriods = saved.gracePeriods;
    this.callbacks = saved.callbacks;
    for (const [thread, ordinal, cache] of saved.allocations) this.machine.allocate(thread, ordinal, cache);
    this.begin();
    if (saved.levels === null) return;
    this.resumed = true;
    for (const address of saved.locations.slice(1)) this.engine.locations.of(address, this.machine.words[address]);
    Object.assign(this.counts, saved.counts);
    const { levels, extending } = saved;
    underEngine(this.engine, () => restore(levels, this.exploration, this.threads));
    this.exploration.extending = extending;
  }

  checkpoint(): Checkpoint {
    const { levels, extending } = this.exploration;
    return this.save(this.voided ? null : levels.list().map((level) => saveLevel(level)), extending, this.counts);
  }

  split(): Checkpoint | null {
    const level = this.done ? undefined : this.exploration.levels.list().find(({ items }) => items > 0);
    // What was noted first is deepest in what is left to do, so it is most.
    const given = level === undefined ? 0 : Math.ceil(level.items / 2);
    if (level === undefined || (given === level.items && level === this.exploration.levels.top)) return null;
    const saved = saveLevel(level, level.work.splice(0, given * 4));
    return this.save([saved], false, newCounts());
  }

  private save(levels: Checkpoint['levels'], extending: boolean, counts: ExploreCounts): Checkpoint {
    return {
      version: 1,
      program: this.options.program.name,
      model: this.options.model,
      sharedWords: this.scope.sharing.words(),
      loops: this.scope.loops.save(),
      gracePeriods: this.scope.gracePeriods,
      callbacks: this.callbacks,
      allocations: this.machine.allocations(),
      locations: [...this.engine.locations.addresses],
      counts: { ...counts },
      levels,
      extending,
    };
  }

  get stopped(): boolean {
    return this.reporter.stopped;
  }

  get error(): ExplorationError | null {
    return this.reporter.error;
  }

  sites(): readonly AccessSite[] {
    return [...this.earlierSites, ...this.engine.sites.all()];
  }

  openLoops(): ReturnType<Explorer['openLoops']> {
    return this.scope.loops.open();
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
          lost = follow(this.exploration, this.threads, this.reporter, this.options.maxEvents ?? 10_000, steering);
        } catch (error) {
          if (!(error instanceof TooManyThreads) && !this.scope.sharing.changed) throw error;
        }
        if (lost !== null) this.letWaitersGoOn();
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
    this.reporter.quiet = true;
    for (let steps = 0; steps < LEARNING && !this.done; steps++) if (!this.step()) this.restart();
    this.quiet = false;
    this.restart();
    this.done = false;
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
      // As in step(): a walk may be the first to come where a word shows to be shared.
      if (!(error instanceof TooManyThreads) && !this.scope.sharing.changed) throw error;
    }
    if (this.scope.sharing.changed) this.restart();
  }

  /** False when what is explored is void. */
  private step(): boolean {
    try {
      if (!this.exploration.step()) {
        this.checkWaits();
        this.done = !this.scope.sharing.changed;
      }
      return !this.scope.sharing.changed;
    } catch (error) {
      // Tries that were made while a word was taken for private do not fit any more.
      if (!(error instanceof TooManyThreads) && !this.scope.sharing.changed) throw error;
      return false;
    }
  }

  /** Whether the rounds that were left out really are in vain shows when it is known what comes after them. */
  private checkWaits(): void {
    if (!this.stopped && !this.scope.sharing.changed) for (const code of this.threads.codes()) code.checkWaits();
  }

  /** An execution that cannot be followed to its end may have rounds that are left out here. */
  private letWaitersGoOn(): void {
    const { graph } = this.exploration.levels.top;
    const { loops, sharing } = this.scope;
    for (const head of this.threads.headsOfLoops(graph)) if (loops.carriesState(head)) sharing.changed = true;
  }

  private begin(): void {
    const { program, model, maxEvents } = this.options;
    this.engine = new ThreadEngine(this.machine, this.scope);
    const own = Object.entries(program.threads).map(([name, start], id) => {
      const cpu = { id, preemptCount: 0, irqsDisabled: false, rcuReaders: 0, current: this.machine.tasks[id + 1] };
      return new ThreadCode(this.engine, name, id, cpu, () => start(this.shared));
    });
    const idle = { id: 0, preemptCount: 0, irqsDisabled: false, rcuReaders: 0, current: this.machine.tasks[0] };
    this.threads = new Threads(this.engine, own, own.length + this.callbacks, idle);
    const { locations } = this.engine;
    const { quiet } = this;
    this.reporter = new Reporter(
      this.options,
      this.counts,
      this.scope,
      this.threads,
      new ReferenceConsistency(model, locations),
    );
    this.reporter.quiet = quiet;
    const rules = { ...RULES, ...this.options.breakRules };
    const most = maxEvents ?? 10_000;
    const consistency = consistencyOf(model, locations);
    this.exploration = new Exploration(this.threads, consistency, this.reporter, most, rules);
    this.reporter.goOn = (level) => this.exploration.goOn(level);
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
    if (this.resumed) {
      this.voided = true;
      this.done = true;
      return;
    }
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
    if (nodes <= MAX_NODES) return;
    this.checkWaits();
    if (this.scope.sharing.changed) this.restart();
    else for (const code of this.threads.codes()) code.forget();
  }
}

function newCounts(): ExploreCounts {
  return { executions: 0, blocked: 0, rejected: 0, errors: 0, bounded: 0, events: 0, restarts: 0 };
}
