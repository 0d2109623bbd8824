// SPDX-License-Identifier: MIT
import { type Guard, takeAskedGuards } from '@lockless/cpu';
import { bootedProgram } from './booted.js';
import { type Counterexample, counterexampleOf, type Finding, smaller } from './counterexample.js';
import { CheckError } from './errors.js';
import type { Execution } from './explore/execution.js';
import { type Explorer, explore } from './explore/explorer.js';
import { describeThrown, errorFinding, outcomeFinding, stuckFinding } from './finding.js';
import { forbiddenBy } from './forbidden.js';
import { leakFinding } from './leak.js';
import type { Program } from './program.js';
import { Replay } from './replay.js';
import { parseReplayToken, replayToken } from './replay-token.js';
import type { CheckOptions, CheckResult, Violation } from './result.js';
import { partWithout, requireGuards, SiteTable } from './sites.js';
import { snapshotOf } from './snapshot.js';

/** After the first violation, executions in which a smaller one like it is looked for. */
const LOOK_FOR_SMALLER = 200;
/** Of those, how many are worked out. */
const WORKED_OUT = 25;
const SLICE_MS = 40;

/**
 * Checks every execution of a program that the model allows. Rejects with {@link CheckError} when there is nothing to check: an unknown site,
 * boot code that fails, a malformed program.
 */
export async function check<S>(program: Program<S>, options: CheckOptions = {}): Promise<CheckResult> {
  const without = partWithout(options.without ?? []);
  const table = new SiteTable(without.sites);
  const booted = bootedProgram(program, without.guards);
  for (;;) {
    const run = new Check(booted, options, table);
    await run.finish();
    if (!table.moved) {
      const result = run.result();
      table.requireAll();
      requireGuards(without.guards, result.guards);
      return result;
    }
    table.restart();
  }
}

/** One exploration of a program, and what is found. */
class Check {
  private readonly program: Program;
  private readonly options: CheckOptions;
  private readonly table: SiteTable;
  private readonly explorer: Explorer;
  private readonly start: number = performance.now();
  private reached: Record<string, number> = {};
  /** By kind and function, in the order found. */
  private readonly found = new Map<string, Counterexample>();
  private worked = 0;
  /** Executions of any kind when the first violation was found. */
  private foundAfter = 0;
  private executions = 0;
  private bound: string | null = null;
  private readonly guards = new Map<string, Guard>();

  constructor(program: Program, options: CheckOptions, table: SiteTable) {
    this.program = program;
    this.options = options;
    this.table = table;
    takeAskedGuards();
    try {
      this.explorer = explore({
        program,
        model: options.model ?? 'lkmm',
        races: program.races === 'report',
        ...(table.asks ? { weaken: (site) => table.weakens(site) } : {}),
        ...(options.maxEvents === undefined ? {} : { maxEvents: options.maxEvents }),
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
      throw new CheckError('setup', `setup of ${program.name}: ${describeThrown(error).message}`, { cause: error });
    }
    this.noteGuards();
  }

  async finish(): Promise<void> {
    const { signal, onProgress, replay } = this.options;
    if (replay !== undefined) {
      this.explorer.follow(new Replay(parseReplayToken(replay)));
      this.noteGuards();
      if (this.found.size === 0)
        throw new CheckError('replay-mismatch', 'the execution that the replay token names is right');
      return;
    }
    while (!this.explore() && !this.table.moved) {
      if (signal?.aborted) {
        this.bound = 'interrupted';
        return;
      }
      const { executions, blocked } = this.explorer.counts;
      const share = this.explorer.progress();
      const estimate = share > 0.001 ? Math.round(executions / share) : null;
      onProgress?.({ executions, blocked, estimate, seconds: this.seconds() });
      // Others get their turn: timers, a Ctrl-C.
      await new Promise((resolve) => setTimeout(resolve));
    }
    if (this.bound === null && this.found.size === 0) this.bound = this.boundOf();
  }

  /** Explores for a while. Other checks may take their turn in between, so the guards that code comes to are noted each time. */
  private explore(): boolean {
    takeAskedGuards();
    const done = this.explorer.run(SLICE_MS);
    this.noteGuards();
    return done;
  }

  private noteGuards(): void {
    for (const guard of takeAskedGuards()) this.guards.set(guard.name, guard);
  }

  result(): CheckResult {
    const { counts } = this.explorer;
    this.table.meet(this.explorer.sites());
    const violations = this.violations();
    const [violation] = violations;
    return {
      scenario: this.program.name,
      model: this.options.model ?? 'lkmm',
      without: this.options.without ?? [],
      verdict: violation !== undefined ? 'violated' : this.bound !== null ? 'bounded' : 'holds',
      bound: violation === undefined ? this.bound : null,
      replayed: this.options.replay !== undefined,
      executions: this.found.size === 0 || this.options.all === true ? counts.executions : this.executions,
      blocked: counts.blocked,
      events: counts.events,
      threads: Object.keys(this.program.threads).length,
      seconds: this.seconds(),
      ...(violation === undefined ? {} : { violation, violations }),
      reached: this.reached,
      sites: this.table.sites(),
      guards: [...this.guards.values()],
    };
  }

  private violations(): Violation[] {
    const all = [...this.found.values()].map(({ finding }) => this.violationOf(this.tell(finding)));
    const missed = (this.program.mustReach ?? []).filter((label) => !(label in this.reached));
    if (all.length > 0 || this.bound !== null || missed.length === 0) return all;
    const message = `no execution reaches ${missed.map((label) => `'${label}'`).join(', ')}`;
    return [{ kind: 'unreached', at: '', message, trace: [], threads: [], forbidden: null, replay: '' }];
  }

  private violationOf(counterexample: Counterexample): Violation {
    const { finding, message, order, steps } = counterexample;
    const { kind, at, snapshot } = finding;
    const taking = snapshot.threads
      .map(({ name }) => name)
      .filter((name) => steps.some(({ thread }) => thread === name));
    const replay = replayToken(order, snapshot);
    const model = this.options.model ?? 'lkmm';
    const forbidden = this.table.asks ? forbiddenBy(this.program, model, replay, counterexample) : null;
    return { kind, at, message, trace: steps, threads: taking, forbidden, replay };
  }

  /** The exploration begins anew: what was found does not count. */
  private forget(): void {
    this.reached = {};
    this.found.clear();
    this.worked = 0;
    this.bound = null;
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
      this.executions = this.explorer.counts.executions;
      this.foundAfter = this.tried();
    }
    this.worked++;
    const counterexample = this.tell(finding);
    if (before === undefined || smaller(counterexample, before)) this.found.set(key, counterexample);
  }

  /** With the names that sites have now: a number may change as more are met. */
  private tell(finding: Finding): Counterexample {
    return counterexampleOf(finding, (site) => this.table.name(site));
  }

  /** Whether the exploration may end here. */
  private enough(): boolean {
    if (this.table.moved) return true;
    const tried = this.tried();
    if (this.found.size > 0 && this.options.all !== true && tried >= this.foundAfter + LOOK_FOR_SMALLER) return true;
    const { maxExecutions = Number.POSITIVE_INFINITY } = this.options;
    if (this.explorer.counts.executions < maxExecutions) return false;
    this.bound = `${maxExecutions.toLocaleString('en-US')} executions, as many as were asked for`;
    return true;
  }

  private tried(): number {
    const { executions, blocked, errors } = this.explorer.counts;
    return executions + blocked + errors;
  }

  private boundOf(): string | null {
    const { bounded, executions } = this.explorer.counts;
    if (bounded > 0)
      return `${bounded.toLocaleString('en-US')} executions had a thread of more than ${(this.options.maxEvents ?? 10_000).toLocaleString('en-US')} events, and were cut`;
    return executions === 0 ? 'no execution was complete' : null;
  }

  private seconds(): number {
    return (performance.now() - this.start) / 1000;
  }
}
