// SPDX-License-Identifier: MIT

import type { Outcome } from './outcome.js';
import { type Observation, observation } from './output.js';

export type Judgement =
  /** The test declares nothing. */
  | 'undeclared'
  | 'as-declared'
  /** A data race was declared and found: what else the test shows is undefined, and a difference there is forgiven, as the kernel's scripts do. */
  | 'forgiven'
  | 'different';

/**
 * What was found, in the words of a `Result:` line: `Never`, `Sometimes DATARACE`, `DEADLOCK`. That is the word of the kernel's scripts for a test
 * without any execution: each waits for ever, be it for a lock or for what `filter` asks for.
 */
export function found({ positive, negative, flags, troubles }: Outcome): string {
  if (positive + negative === 0 && !troubles.some(({ kind }) => kind === 'bounded')) return 'DEADLOCK';
  const verdict: Observation = observation({ positive, negative });
  return flags.includes('data-race') ? `${verdict} DATARACE` : verdict;
}

/** Compares with the `Result:` line as the kernel's scripts do. `Maybe` stands for whatever is found, but for a race. */
export function judge(declared: string | null, outcome: Outcome): Judgement {
  if (declared === null) return 'undeclared';
  const actual = found(outcome);
  if (actual === declared || actual.replace(/^\w+/, 'Maybe') === declared) return 'as-declared';
  const races = [declared, actual].map((text) => text.endsWith(' DATARACE'));
  return races[0] && races[1] ? 'forgiven' : 'different';
}
