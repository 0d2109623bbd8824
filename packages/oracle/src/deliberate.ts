// SPDX-License-Identifier: GPL-2.0-only
import type { FieldDifference } from './compare.js';
import type { Script } from './script.js';

/** Something in which the simulated kernel is meant to be another than the real one. */
export interface Deliberate {
  readonly name: string;
  /** What differs, and why it is left so. */
  readonly reason: string;
  /** Whether a difference after that step of the script is this one. */
  readonly explains: (difference: FieldDifference, script: Script, step: number) => boolean;
  /** More may differ by it, then and afterwards: the step and the rest of the script are not compared. */
  readonly endsComparison: boolean;
}

/** All of them. Everything that is not in this table is a bug of one side. */
export const deliberateDifferences: readonly Deliberate[] = [
  {
    name: 'mremap-of-several-areas',
    reason:
      'Since 6.17 mremap moves a range that has several areas, or begins in one and goes on where nothing is mapped, area by area. mm is as before: EFAULT.',
    explains: ({ where, field, simulated, real }, { steps }, at) => {
      const step = steps[at];
      if (step.op !== 'mremap' || step.pages !== step.newPages || step.at === step.to) return false;
      return where === 'step' && field === 'result' && simulated === 'EFAULT' && real === 'ok';
    },
    endsComparison: true,
  },
];
