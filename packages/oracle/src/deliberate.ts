// SPDX-License-Identifier: GPL-2.0-only
import type { FieldDifference } from './compare.js';
import type { Script, Step } from './script.js';

/** Something in which the simulated kernel is meant to be another than the real one. */
export interface Deliberate {
  readonly name: string;
  /** What differs, and why it is left so. */
  readonly reason: string;
  /** Whether a difference after that step of the script is this one. */
  readonly explains: (difference: FieldDifference, script: Script, step: number) => boolean;
  /**
   * More may differ by it afterwards: the rest of the script is not compared. `step`: then already, so that step is not compared either. `field`: nothing
   * else does, and all goes on.
   */
  readonly ends: 'step' | 'rest' | 'field';
}

const LEFT: readonly string[] = ['none', 'swap'];
const PRESENT: readonly string[] = ['anon', 'file', 'shmem'];
const isRead = ({ op }: Step): boolean => op === 'read' || op === 'contents';

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
    name: 'unlocked-by-flag-alone',
    reason:
      'MREMAP_DONTUNMAP takes the mark of locked memory off the whole area that it moves a part of, but on Linux not off the pages of the rest (PG_mlocked, seen on 6.18): MADV_PAGEOUT and MADV_FREE leave them. In mm memory is locked if its area is.',
    explains: ({ field, simulated, real }, { steps }, at) => {
      const step = steps[at];
      const moved = steps.slice(0, at).findLastIndex((before) => before.op === 'mremap' && before.stays);
      if (!steps.slice(0, Math.max(0, moved)).some(({ op }) => op === 'mlock')) return false;
      if (step.op === 'swap-out') return field === 'kind' && LEFT.includes(simulated) && PRESENT.includes(real);
      return step.op === 'madvise' && step.advice === 'free' && field === 'flags' && real === `${simulated} swapbacked`;
    },
    ends: 'step',
  },
  {
    name: 'zero-page-of-huge-size',
    reason:
      'A read of untouched memory where a huge page has room maps a zero page of that size since 3.8. mm gives a huge page at once, as 3.1.',
    explains: ({ field, simulated, real }, { huge, steps }, at) =>
      huge === true && isRead(steps[at]) && field === 'kind' && simulated === 'anon' && real === 'zero',
    ends: 'step',
  },
  {
    name: 'shared-huge-page-copied-in-part',
    reason:
      'A write to a huge page that a relative shares copies the one page that is written since 5.8, and the rest stays shared. mm copies all of it, as 3.1.',
    explains: ({ where, field, simulated, real }, { huge, steps }, at) => {
      const step = steps[at];
      if (huge !== true || step.op !== 'write' || where !== `P${step.process} page ${step.at}`) return false;
      return field === 'flags' && / (head|tail) thp$/.test(simulated) && !real.includes('thp');
    },
    ends: 'step',
  },
  {
    name: 'split-huge-page-drops-zeros',
    reason:
      'When reclaim splits a huge page, newer kernels (seen on 6.18) map the zero page in the place of its pages that are all zeros. mm swaps them out one by one.',
    explains: ({ field, simulated, real }, { huge, steps }, at) =>
      huge === true && steps[at].op === 'swap-out' && field === 'kind' && simulated === 'swap' && real === 'zero',
    ends: 'step',
  },
  {
    name: 'huge-page-stays-in-one-piece',
    reason:
      'Who wants a part of a huge page splits the entry since 4.5, and the page stays as it is until memory is short. mm splits the page, as 3.1; also for MADV_FREE of all of it.',
    explains: ({ field, simulated, real }, { huge, steps }, at) => {
      if (huge !== true) return false;
      if (field === 'flags') return real === `${simulated} head thp` || real === `${simulated} tail thp`;
      const given = steps.slice(0, at + 1).some((step) => step.op === 'madvise' && step.advice === 'free');
      return field === 'smaps.anonHugePages' && given && simulated === '0 kB';
    },
    ends: 'field',
  },
  {
    name: 'areas-joined-otherwise',
    reason:
      'Which neighbours with equal rights are one area. Newer kernels (seen on 6.18) do not join areas that share pages with relatives after a fork. What every page is mapped as, and all its counts, are compared all the same.',
    explains: ({ where, simulated, real }) => where.includes(' area ') && (simulated === 'absent' || real === 'absent'),
    ends: 'rest',
  },
];
