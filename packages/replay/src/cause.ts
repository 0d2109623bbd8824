// SPDX-License-Identifier: GPL-2.0-only
import type { ProcessResult } from '@lockless/report';

/** What a run had that the real one did not: each is a reason for numbers to differ. */
export interface Circumstances {
  /** The program did not come to its end: stopped, or violated. */
  readonly incomplete: boolean;
  /** Faults were injected, or the program met errors that it had not met. */
  readonly errors: boolean;
  /** Reclaim took pages. */
  readonly reclaimed: boolean;
  readonly neighbours: boolean;
}

/** The headings of docs/differences.md. */
export type Cause =
  | 'incomplete-run'
  | 'new-errors'
  | 'reclaim'
  | 'neighbours'
  | 'fault-around'
  | 'read-ahead-window'
  | 'unexplained';

/** A circumstance that accounts for any difference; null when the run was like the real one. */
function circumstance({ incomplete, errors, reclaimed, neighbours }: Circumstances): Cause | null {
  if (incomplete) return 'incomplete-run';
  if (errors) return 'new-errors';
  if (reclaimed) return 'reclaim';
  return neighbours ? 'neighbours' : null;
}

/**
 * File pages of a process, by faults or resident. What a read fault maps around it depends on how far a read under way has come, so it can
 * differ in processes that waited for the disk, and only in them.
 */
export const fileCause = (circumstances: Circumstances, process: ProcessResult): Cause =>
  circumstance(circumstances) ?? (process.majorFaults > 0 ? 'fault-around' : 'unexplained');

/** Anonymous memory depends on the program alone. */
export const anonymousCause = (circumstances: Circumstances): Cause => circumstance(circumstances) ?? 'unexplained';

/** Pages of one file added on one side only: if nobody asked for any of them they came by read-ahead, and its window is the cause. */
export function addedCause(
  circumstances: Circumstances,
  wanted: ReadonlySet<number>,
  simulated: ReadonlySet<number>,
  real: ReadonlySet<number>,
): Cause {
  const known = circumstance(circumstances);
  if (known !== null) return known;
  const oneSided = [...simulated]
    .filter((index) => !real.has(index))
    .concat([...real].filter((index) => !simulated.has(index)));
  return oneSided.some((index) => wanted.has(index)) ? 'unexplained' : 'read-ahead-window';
}
