// SPDX-License-Identifier: GPL-2.0-only
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { compareScript, type Difference } from './compare.js';
import { scripts, withUsedFiles } from './generate.js';
import { hugeScripts } from './generate-huge.js';
import type { Side } from './observation.js';
import type { Script } from './script.js';

/** Scripts that shrinking performs at most by default: the last ones make little smaller. */
const SHRINKING_EFFORT = 600;

export interface SearchOptions {
  readonly simulated: Side;
  readonly real: Side;
  /** Scripts to generate. */
  readonly count: number;
  readonly seed: number;
  /** Steps of the longest script. */
  readonly longest?: number;
  /** Scripts with huge pages, in percent: where the real side has them. Default 0. */
  readonly huge?: number;
  /** Scripts to perform at most to make one that differs smaller. */
  readonly effort?: number;
  /** After each script, those of shrinking too. */
  readonly onProgress?: (at: SearchProgress) => void;
  readonly signal?: AbortSignal;
}

export interface SearchProgress {
  /** Scripts that were performed, and their steps; without those of shrinking. */
  readonly scripts: number;
  readonly steps: number;
  /** A difference was found, and is being made smaller. */
  readonly shrinking: boolean;
}

export interface SearchResult {
  readonly scripts: number;
  readonly steps: number;
  /** The smallest script found on which the sides differ. */
  readonly found: { readonly script: Script; readonly difference: Difference } | null;
  /** Scripts in which each of the deliberate differences was met, by name. */
  readonly deliberate: Readonly<Record<string, number>>;
}

/** Performs generated scripts on both sides until they differ, and makes that script as small as it can. */
export async function searchDifference(options: SearchOptions): Promise<SearchResult> {
  const { simulated, real, count, seed, longest, huge = 0, effort = SHRINKING_EFFORT, signal, onProgress } = options;
  const deliberate: Record<string, number> = {};
  const total = { scripts: 0, steps: 0, shrinking: false };
  let shrunk = 0;
  let seen: SearchResult['found'] = null;
  const holds = async (script: Script): Promise<boolean> => {
    // Lets an interrupt come in. What is left after one is not performed.
    await setImmediate();
    if (signal?.aborted || shrunk >= effort) return true;
    if (total.shrinking) shrunk += 1;
    const { steps, difference, deliberate: met } = compareScript(script, simulated, real);
    if (!total.shrinking) {
      total.scripts += 1;
      total.steps += steps;
      for (const name of met) deliberate[name] = (deliberate[name] ?? 0) + 1;
    }
    total.shrinking ||= difference !== null;
    if (difference !== null) seen = { script, difference };
    onProgress?.({ ...total });
    return difference === null;
  };
  const { counterexample } = await fc.check(fc.asyncProperty(scriptsToCompare(longest, huge), holds), {
    seed,
    numRuns: count,
  });
  return {
    scripts: total.scripts,
    steps: total.steps,
    // One that does not differ again is shown as it was.
    found: counterexample === null ? null : (shortened(counterexample[0], simulated, real) ?? seen),
    deliberate,
  };
}

const scriptsToCompare = (longest: number | undefined, huge: number): fc.Arbitrary<Script> =>
  huge === 0
    ? scripts(longest)
    : fc.oneof({ weight: 100 - huge, arbitrary: scripts(longest) }, { weight: huge, arbitrary: hugeScripts() });

/** Without what comes after the difference. */
function shortened(script: Script, simulated: Side, real: Side): SearchResult['found'] {
  const { difference } = compareScript(script, simulated, real);
  if (difference === null) return null;
  return {
    script: { ...script, ...withUsedFiles(script.files, script.steps.slice(0, difference.step + 1)) },
    difference,
  };
}
