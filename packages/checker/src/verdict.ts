// SPDX-License-Identifier: MIT
import type { Counterexample } from './counterexample.js';
import type { Tally } from './exploring.js';
import { forbiddenBy } from './forbidden.js';
import type { Program } from './program.js';
import { replayToken } from './replay-token.js';
import type { CheckOptions, CheckResult, Violation } from './result.js';
import type { SiteTable } from './sites.js';

/** What a check comes to. `executions`: complete ones, before the first violation if there is one. */
export interface Checked {
  readonly program: Program;
  readonly options: CheckOptions;
  readonly table: SiteTable;
  readonly tally: Tally;
  readonly counterexamples: readonly Counterexample[];
  readonly executions: number;
  /** Why not all was looked at, or null. */
  readonly bound: string | null;
  readonly seconds: number;
}

export function resultOf(checked: Checked): CheckResult {
  const { program, options, table, tally, executions, seconds } = checked;
  const { blocked, events } = tally.counts;
  const bound = checked.bound ?? boundOf(checked);
  const violations = violationsOf(checked, bound);
  const [violation] = violations;
  return {
    scenario: program.name,
    model: options.model ?? 'lkmm',
    without: options.without ?? [],
    verdict: violation !== undefined ? 'violated' : bound !== null ? 'bounded' : 'holds',
    bound: violation === undefined ? bound : null,
    replayed: options.replay !== undefined,
    executions,
    blocked,
    events,
    threads: Object.keys(program.threads).length,
    seconds,
    ...(violation === undefined ? {} : { violation, violations }),
    reached: tally.reached,
    sites: table.sites(),
    guards: tally.guards,
  };
}

/** What kept the exploration itself from looking at everything. */
function boundOf({ tally: { counts, openLoops }, options, counterexamples }: Checked): string | null {
  const most = (options.maxEvents ?? 10_000).toLocaleString('en-US');
  if (counts.bounded > 0)
    return `${counts.bounded.toLocaleString('en-US')} ${counts.bounded === 1 ? 'execution had' : 'executions had'} a thread of more than ${most} events, cut there`;
  if (openLoops.length > 0) return openLoops.join('; ');
  return counts.executions === 0 && counterexamples.length === 0 ? 'no execution was complete' : null;
}

function violationsOf(checked: Checked, bound: string | null): Violation[] {
  const { program, tally, counterexamples } = checked;
  const missed = (program.mustReach ?? []).filter((label) => !(label in tally.reached));
  if (counterexamples.length > 0 || bound !== null || missed.length === 0)
    return counterexamples.map((counterexample) => violationOf(checked, counterexample));
  const message = `no execution reaches ${missed.map((label) => `'${label}'`).join(', ')}`;
  return [{ kind: 'unreached', at: '', message, trace: [], threads: [], forbidden: null, replay: '' }];
}

function violationOf({ program, options, table }: Checked, counterexample: Counterexample): Violation {
  const { finding, message, order, steps } = counterexample;
  const { kind, at, snapshot } = finding;
  const names = snapshot.threads.map(({ name }) => name);
  const threads = names.filter((name) => steps.some(({ thread }) => thread === name));
  const replay = replayToken(order, snapshot);
  const forbidden = table.asks ? forbiddenBy(program, options.model ?? 'lkmm', replay, counterexample) : null;
  return { kind, at, message, trace: steps, threads, forbidden, replay };
}
