// SPDX-License-Identifier: MIT
import { bootedProgram } from './booted.js';
import { type CheckCheckpoint, checkpointOf, resumeFrom } from './checkpoint.js';
import { Exploring, type Tally } from './exploring.js';
import type { Program } from './program.js';
import type { CheckOptions, CheckResult } from './result.js';
import { partWithout, requireGuards, SiteTable } from './sites.js';
import { resultOf } from './verdict.js';

/**
 * Checks every execution of a program that the model allows. Rejects with {@link CheckError} when there is nothing to check: an unknown site,
 * boot code that fails, a malformed program.
 */
export async function check<S>(program: Program<S>, options: CheckOptions = {}): Promise<CheckResult> {
  const without = partWithout(options.without ?? []);
  const table = new SiteTable(without.sites);
  const booted = bootedProgram(program, without.guards);
  const start = performance.now();
  const seconds = (): number => (performance.now() - start) / 1000;
  let resume: CheckCheckpoint | null =
    options.resume === undefined ? null : resumeFrom(options.resume, booted, options);
  for (;;) {
    const exploring = new Exploring(booted, options, table, resume?.exploration);
    if (options.replay !== undefined) exploring.replay(options.replay);
    else await exploreAll(exploring, options, seconds);
    if (table.moved || exploring.explorer.voided) {
      // Another site has the name, or the program has to be explored in another way: from the beginning.
      resume = null;
      table.restart();
      continue;
    }
    const tally = withEarlier(exploring.tally(), resume);
    table.meet(tally.sites);
    const found = [...exploring.found.values()].map(({ finding }) => exploring.tell(finding));
    const executions = found.length > 0 && !options.all ? exploring.executionsBefore : tally.counts.executions;
    const bound = boundOf(exploring, options);
    const result = resultOf({
      program: booted,
      options,
      table,
      tally,
      counterexamples: found,
      executions,
      bound,
      seconds: seconds(),
    });
    table.requireAll(resume?.met ?? []);
    requireGuards(without.guards, result.guards);
    return result.verdict === 'bounded' && bound !== null
      ? { ...result, checkpoint: checkpointOf(result, exploring) }
      : result;
  }
}

/** Explores to the end, or until it is interrupted. */
async function exploreAll(
  exploring: Exploring,
  { signal, onProgress }: CheckOptions,
  seconds: () => number,
): Promise<void> {
  const { explorer } = exploring;
  while (!exploring.slice() && !signal?.aborted) {
    const { executions, blocked } = explorer.counts;
    const share = explorer.progress();
    const estimate = share > 0 ? Math.round(executions / share) : null;
    onProgress?.({ executions, blocked, estimate, seconds: seconds() });
    // Others get their turn: timers, a Ctrl-C.
    await new Promise((resolve) => setTimeout(resolve));
  }
}

function boundOf({ explorer, stopped }: Exploring, { replay, maxExecutions }: CheckOptions): string | null {
  if (replay !== undefined) return null;
  // It may have been the last one.
  const isLeft = explorer.checkpoint().levels?.length !== 0;
  if (stopped && isLeft) return `${maxExecutions?.toLocaleString('en-US')} executions, as many as were asked for`;
  return explorer.done || !isLeft ? null : 'interrupted';
}

/** What was reached and met before the checkpoint counts too; the explorer keeps count of executions itself. */
function withEarlier(tally: Tally, earlier: CheckCheckpoint | null): Tally {
  if (earlier === null) return tally;
  const reached = { ...earlier.reached };
  for (const [label, n] of Object.entries(tally.reached)) reached[label] = (reached[label] ?? 0) + n;
  const guards = new Map([...earlier.guards, ...tally.guards].map((guard) => [guard.name, guard]));
  return { ...tally, reached, guards: [...guards.values()] };
}
