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
  /** More may differ by it afterwards: the rest of the script is not compared. `step`: then already, so that step is not compared either. */
  readonly ends: 'step' | 'rest';
}

/** All of them. Everything that is not in this table is a bug of one side. */
export const deliberateDifferences: readonly Deliberate[] = [
  {
    name: 'mremap-of-several-areas',
    reason:
      'Newer kernels (6.17, seen on 6.18) move by mremap a range that has several areas, or begins in one and goes on where nothing is mapped, area by area. mm is as before: EFAULT.',
    explains: ({ where, field, simulated, real }, { steps }, at) => {
      const step = steps[at];
      if (step.op !== 'mremap' || step.pages !== step.newPages || step.at === step.to) return false;
      return where === 'step' && field === 'result' && simulated === 'EFAULT' && real === 'ok';
    },
    ends: 'step',
  },
  {
    name: 'reading-pins-unshare',
    reason:
      'process_vm_readv pins what it reads. Newer kernels (since FOLL_PIN unshares, seen on 6.18) give a process a copy of its own first of an anonymous page that it shares. mm takes a reference, as 2.6.27.',
    explains: ({ where, field, simulated }, { steps }, at) => {
      const step = steps[at];
      return step.op === 'vm-read' && field === 'frame' && where === `P${step.of} page ${step.at}` && simulated !== '-';
    },
    ends: 'step',
  },
  {
    name: 'areas-joined-otherwise',
    reason:
      'Which neighbours with equal rights are one area. Newer kernels (seen on 6.18) do not join areas that share pages with relatives after a fork. What every page is mapped as, and all its counts, are compared all the same.',
    explains: ({ where, simulated, real }) => where.includes(' area ') && (simulated === 'absent' || real === 'absent'),
    ends: 'rest',
  },
];
