// SPDX-License-Identifier: MIT
import type { InvariantResult } from './invariants.js';
import type { Violation } from './violation.js';

/** `bounded`: a limit of this call was reached; call run() again to go on. */
export type RunStatus = 'finished' | 'violation' | 'deadlock' | 'livelock' | 'bounded';

export interface RunOutcome {
  readonly status: RunStatus;
  readonly violation: Violation | null;
  /** Accesses so far. */
  readonly steps: number;
  /** Virtual ns so far. */
  readonly time: number;
  readonly invariants: readonly InvariantResult[];
}

export interface RunLimits {
  /** Accesses to perform in this call, about. */
  readonly maxSteps?: number;
  /** Virtual time to stop at. */
  readonly maxTime?: number;
}

/** The status that goes with a violation, or with none. */
export function statusOf(violation: Violation | null, finished: boolean): RunStatus {
  if (violation === null) return finished ? 'finished' : 'bounded';
  return violation.kind === 'deadlock' || violation.kind === 'livelock' ? violation.kind : 'violation';
}
