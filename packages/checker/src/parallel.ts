// SPDX-License-Identifier: MIT
import { Worker } from 'node:worker_threads';
import { bootedProgram } from './booted.js';
import { check } from './check.js';
import { CheckError, type CheckErrorCode } from './errors.js';
import type { Checkpoint } from './explore/checkpoint.js';
import type { AccessSite } from './explore/execution.js';
import type { ExploreCounts } from './explore/explorer.js';
import { Exploring, type Tally } from './exploring.js';
import type { ProgramSource, Report, Request, WorkerData } from './parallel-protocol.js';
import { loadProgram } from './program-source.js';
import type { CheckOptions, CheckResult } from './result.js';
import { partWithout, requireGuards, SiteTable } from './sites.js';
import { resultOf } from './verdict.js';

export type { ProgramSource } from './parallel-protocol.js';
export { programsOf } from './program-source.js';

/** What can be asked of a check that several threads share. */
export type ParallelOptions = Pick<CheckOptions, 'model' | 'without' | 'maxEvents' | 'onProgress' | 'signal'>;

/**
 * As {@link check}, by several threads, with the same result. Threads share the work: who has none left gets half of somebody else's. A violation
 * that one of them finds is then looked for in the order of check(), so that it is the same one.
 */
export async function checkInParallel(
  source: ProgramSource,
  jobs: number,
  options: ParallelOptions = {},
): Promise<CheckResult> {
  const program = await loadProgram(source);
  const without = partWithout(options.without ?? []);
  // The number of a site among its like may change with what is met, which one thread alone finds out in time.
  if (jobs < 2 || without.sites.some((name) => name.includes('#'))) return check(program, options);
  const booted = bootedProgram(program, without.guards);
  const start = performance.now();
  const table = new SiteTable(without.sites);
  const alone = new Exploring(booted, options, table);
  for (let slices = 0; slices < SLICES_ALONE; slices++)
    if (alone.slice() || alone.found.size > 0) return check(program, options);
  let first = alone.explorer.checkpoint();
  let tally: Tally = { ...alone.tally(), counts: NO_COUNTS };
  for (;;) {
    table.meet(tally.sites);
    const team = new Team(source, jobs, options, { first, tally, start, meet: (sites) => table.meet(sites) });
    const outcome = await team.run();
    if (outcome === 'violated' || outcome === 'moved') return check(program, options);
    if (outcome !== 'done' && outcome !== 'interrupted') {
      first = outcome.voided;
      tally = { counts: NO_COUNTS, reached: {}, guards: [], sites: [], openLoops: [] };
      continue;
    }
    const checked = { program: booted, options, table, tally: team.total(), counterexamples: [] };
    const bound = outcome === 'interrupted' ? 'interrupted' : null;
    const seconds = (performance.now() - start) / 1000;
    const result = resultOf({ ...checked, executions: checked.tally.counts.executions, bound, seconds });
    if (bound !== null) return result;
    table.requireAll();
    requireGuards(without.guards, result.guards);
    return result;
  }
}

type Outcome = 'done' | 'violated' | 'moved' | 'interrupted' | { readonly voided: Checkpoint };

/** Slices for which one thread goes alone: most programs are done by then, and what has to be known of the others is. */
const SLICES_ALONE = 8;
const NO_COUNTS: ExploreCounts = {
  executions: 0,
  blocked: 0,
  rejected: 0,
  errors: 0,
  bounded: 0,
  events: 0,
  restarts: 0,
};

interface TeamStart {
  readonly first: Checkpoint;
  /** What was looked at before that the first part does not count itself. */
  readonly tally: Tally;
  readonly start: number;
  meet(sites: readonly AccessSite[]): void;
}

/** The threads, and the parts of the exploration that they are at. */
class Team {
  private tally: Tally;
  private readonly options: ParallelOptions;
  private readonly given: TeamStart;
  private readonly parts: Checkpoint[];
  private readonly workers: Worker[];
  private readonly idle: Set<Worker>;
  /** Asked to split, and has not answered. */
  private readonly asked = new Set<Worker>();
  /** Of the part that each is at. */
  private readonly under = new Map<Worker, { readonly executions: number; readonly blocked: number }>();
  private settle: (outcome: Outcome) => void = () => {};
  private fail: (error: unknown) => void = () => {};

  constructor(source: ProgramSource, jobs: number, options: ParallelOptions, given: TeamStart) {
    const { onProgress: _progress, signal: _signal, ...sent } = options;
    this.options = options;
    this.given = given;
    this.tally = given.tally;
    this.parts = [given.first];
    const workerData: WorkerData = { source, options: sent };
    const file = new URL('./parallel-worker.js', import.meta.url);
    this.workers = Array.from({ length: jobs }, () => new Worker(file, { workerData }));
    this.idle = new Set(this.workers);
  }

  async run(): Promise<Outcome> {
    const { signal } = this.options;
    const interrupt = (): void => this.settle('interrupted');
    try {
      return await new Promise<Outcome>((resolve, reject) => {
        this.settle = resolve;
        this.fail = reject;
        for (const worker of this.workers) {
          worker.on('message', (message: Report) => this.hear(worker, message));
          worker.on('error', reject);
        }
        signal?.addEventListener('abort', interrupt);
        if (signal?.aborted) interrupt();
        this.assign();
      });
    } finally {
      signal?.removeEventListener('abort', interrupt);
      await Promise.all(this.workers.map((worker) => worker.terminate()));
    }
  }

  /** Gives parts to who has none; when there are too few, asks who is busy for some. */
  private assign(): void {
    for (const worker of this.idle) {
      const part = this.parts.pop();
      if (part === undefined) break;
      this.idle.delete(worker);
      this.under.set(worker, { executions: 0, blocked: 0 });
      this.send(worker, { explore: part });
    }
    if (this.idle.size === this.workers.length) this.settle('done');
    let wanted = this.idle.size - this.asked.size;
    for (const worker of this.workers) {
      if (wanted <= 0) return;
      if (this.idle.has(worker) || this.asked.has(worker)) continue;
      this.asked.add(worker);
      this.send(worker, { split: true });
      wanted--;
    }
  }

  private send(worker: Worker, request: Request): void {
    worker.postMessage(request);
  }

  private hear(worker: Worker, message: Report): void {
    switch (message.type) {
      case 'progress':
        this.under.set(worker, message);
        this.tellProgress();
        this.assign();
        return;
      case 'given':
        this.asked.delete(worker);
        if (message.part !== null) {
          this.parts.push(message.part);
          this.assign();
        }
        return;
      case 'failed':
        this.fail(
          message.code === null
            ? new Error(message.message)
            : new CheckError(message.code as CheckErrorCode, message.message),
        );
        return;
      case 'done':
        this.under.delete(worker);
        this.idle.add(worker);
        this.given.meet(message.tally.sites);
        this.tally = sum(this.tally, message.tally);
        if (message.violated) this.settle('violated');
        else if (message.voided !== null) this.settle({ voided: message.voided });
        else if (message.moved) this.settle('moved');
        else this.assign();
    }
  }

  /** With what threads are at, as far as they have told. */
  total(): Tally {
    const counts = { ...this.tally.counts };
    for (const { executions, blocked } of this.under.values()) {
      counts.executions += executions;
      counts.blocked += blocked;
    }
    return { ...this.tally, counts };
  }

  private tellProgress(): void {
    const { executions, blocked } = this.total().counts;
    this.options.onProgress?.({
      executions,
      blocked,
      estimate: null,
      seconds: (performance.now() - this.given.start) / 1000,
    });
  }
}

function sum(a: Tally, b: Tally): Tally {
  const counts = { ...a.counts };
  for (const key of Object.keys(counts) as (keyof typeof counts)[]) counts[key] += b.counts[key];
  counts.events = Math.max(a.counts.events, b.counts.events);
  const reached = { ...a.reached };
  for (const [label, n] of Object.entries(b.reached)) reached[label] = (reached[label] ?? 0) + n;
  const openLoops = [...new Set([...a.openLoops, ...b.openLoops])];
  const guards = new Map([...a.guards, ...b.guards].map((guard) => [guard.name, guard]));
  return { counts, reached, guards: [...guards.values()], sites: a.sites, openLoops };
}
