// SPDX-License-Identifier: MIT
import { type Guard, takeAskedGuards } from '@lockless/cpu';
import { type Counterexample, counterexampleOf, type Finding, smaller } from './counterexample.js';
import { CheckError } from './errors.js';
import type { Checkpoint } from './explore/checkpoint.js';
import type { AccessSite, Execution } from './explore/execution.js';
import { type ExploreCounts, type Explorer, explore } from './explore/explorer.js';
import { Nondeterminism } from './explore/nondeterminism.js';
import { describeThrown, errorFinding, openLoopWords, outcomeFinding, stuckFinding } from './finding.js';
import { leakFinding } from './leak.js';
import type { Program } from './program.js';
import { Replay } from './replay.js';
import { parseReplayToken } from './replay-token.js';
import type { CheckOptions } from './result.js';
import type { SiteTable } from './sites.js';
import { snapshotOf } from './snapshot.js';

/** After the first violation, executions in which a smaller one like it is looked for. */
const LOOK_FOR_SMALLER = 200;
/** Of those, how many are worked out. */
const WORKED_OUT = 25;
const SLICE_MS = 40;

/** What was looked at. Tallies of parts of an exploration add up. */
export interface Tally {
  readonly counts: Readonly<ExploreCounts>;
  readonly reached: Readonly<Record<string, number>>;
  readonly guards: readonly Guard[];
  readonly sites: readonly AccessSite[];
  /** In words: of which loops not all rounds that matter were looked at. */
  readonly openLoops: readonly string[];
}

/** One exploration of a program, or a part of it, and what is found. */
export class Exploring {
  readonly explorer: Explorer;
  /** By kind and function, in the order found. */
  readonly found: Map<string, Counterexample> = new Map();
  /** Complete executions when the first violation was found. */
  executionsBefore = 0;
  /** As many as were asked for. */
  stopped = false;
  private readonly program: Program;
  readonly options: CheckOptions;
  private readonly table: SiteTable;
  private reached: Record<string, number> = {};
  private readonly guards = new Map<string, Guard>();
  private worked = 0;
  /** Executions of any kind when the first violation was found. */
  private triedBefore = 0;

  constructor(program: Program, options: CheckOptions, table: SiteTable, resume: Checkpoint | null = null) {
    this.program = program;
    this.options = options;
    this.table = table;
    takeAskedGuards();
    try {
      this.explorer = explore({
        program,
        model: options.model ?? 'lkmm',
        races: program.races === 'report',
        ...(table.asks ? { weaken: table } : {}),
        ...(options.maxEvents === undefined ? {} : { maxEvents: options.maxEvents }),
        ...(resume === null ? {} : { resume }),
        onRestart: () => this.forget(),
        onExecution: (execution) => this.complete(execution) || this.enough(),
        onBlocked: (execution, blocked, stuck) => {
          if (stuck) this.note(stuckFinding(snapshotOf(execution, blocked)));
          return this.enough();
        },
        onError: (error, execution) => {
          this.note(errorFinding(error, snapshotOf(execution)));
          return this.enough();
        },
      });
    } catch (error) {
      if (error instanceof CheckError) throw error;
      if (resume !== null && error instanceof RangeError) throw new CheckError('checkpoint', error.message);
      throw new CheckError('setup', `setup of ${program.name}: ${describeThrown(error).message}`, { cause: error });
    }
    this.noteGuards();
  }

  /**
   * Explores for a while; whether that was all, or the table of sites moved. Other checks may take their turn in between, so the guards that
   * code comes to are noted each time.
   */
  slice(): boolean {
    takeAskedGuards();
    const done = this.deterministically(() => this.explorer.run(SLICE_MS));
    this.noteGuards();
    return done || this.table.moved;
  }

  /** Follows one execution. Throws CheckError when the token does not fit. */
  replay(token: string): void {
    this.deterministically(() => this.explorer.follow(new Replay(parseReplayToken(token))));
    this.noteGuards();
    if (this.found.size === 0)
      throw new CheckError('replay-mismatch', 'the execution that the replay token names is right');
  }

  tally(): Tally {
    const { explorer, reached, guards } = this;
    const openLoops = explorer.openLoops().map(openLoopWords);
    return { counts: explorer.counts, reached, guards: [...guards.values()], sites: explorer.sites(), openLoops };
  }

  /** With the names that sites have now: a number may change as more are met. */
  tell(finding: Finding): Counterexample {
    return counterexampleOf(finding, (site) => this.table.name(site));
  }

  /** Says so when the program is not a function of what it reads. */
  private deterministically<T>(explored: () => T): T {
    try {
      return explored();
    } catch (error) {
      if (error instanceof Nondeterminism)
        throw new CheckError('nondeterministic', `${this.program.name}: ${error.message}`, { cause: error });
      throw error;
    }
  }

  private noteGuards(): void {
    for (const guard of takeAskedGuards()) this.guards.set(guard.name, guard);
  }

  /** The exploration begins anew: what was found does not count. */
  private forget(): void {
    this.reached = {};
    this.found.clear();
    this.worked = 0;
    this.stopped = false;
  }

  /** Looks at the outcome of a complete execution. */
  private complete(execution: Execution): false {
    const { program, explorer } = this;
    if (program.finally !== undefined) {
      const results = Object.fromEntries(execution.threads.map(({ name, result }) => [name, result]));
      const labels = new Set<string>();
      const outcome = { results, reach: (label: string) => void labels.add(label) };
      try {
        execution.runOnFinalMemory(program.finally(explorer.shared, outcome));
      } catch (error) {
        this.note(outcomeFinding(error, snapshotOf(execution)));
      }
      for (const label of labels) this.reached[label] = (this.reached[label] ?? 0) + 1;
    }
    if (program.leaks === 'report') {
      const leak = leakFinding(execution);
      if (leak !== null) this.note(leak);
    }
    return false;
  }

  /** Keeps a finding when it is the first of its kind, or easier to follow than that. */
  private note(finding: Finding): void {
    const key = `${finding.kind} in ${finding.at}`;
    const before = this.found.get(key);
    if (before === undefined && this.found.size > 0 && this.options.all !== true) return;
    if (before !== undefined && this.worked >= WORKED_OUT * this.found.size) return;
    if (this.found.size === 0) {
      this.executionsBefore = this.explorer.counts.executions;
      this.triedBefore = this.tried();
    }
    this.worked++;
    const counterexample = this.tell(finding);
    if (before === undefined || smaller(counterexample, before)) this.found.set(key, counterexample);
  }

  /** Whether the exploration may end here. */
  private enough(): boolean {
    if (this.table.moved) return true;
    const { maxExecutions = Number.POSITIVE_INFINITY, all } = this.options;
    if (this.found.size > 0 && all !== true && this.tried() >= this.triedBefore + LOOK_FOR_SMALLER) return true;
    this.stopped = this.explorer.counts.executions >= maxExecutions;
    return this.stopped;
  }

  private tried(): number {
    const { executions, blocked, errors } = this.explorer.counts;
    return executions + blocked + errors;
  }
}
