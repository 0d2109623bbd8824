// SPDX-License-Identifier: GPL-2.0-only
import type { FieldDifference } from './compare.js';
import { PM_EXCLUSIVE } from './observation.js';
import { HUGE_PAGES, type Script, type Step } from './script.js';

/** What the real kernel says of a page or an area, after the same step. */
export type RealField = (where: string, field: string) => string | undefined;

/** Something in which the simulated kernel is meant to be another than the real one. */
export interface Deliberate {
  readonly name: string;
  /** What differs, and why it is left so. */
  readonly reason: string;
  /** Whether a difference after that step of the script is this one. */
  readonly explains: (difference: FieldDifference, script: Script, step: number, realField: RealField) => boolean;
  /**
   * More may differ by it afterwards: the rest of the script is not compared. `step`: then already, so that step is not compared either. `field`: nothing
   * else does, and all goes on. `frames`: nothing but which frames they are; they get new names, by which this step is compared, and all goes on.
   */
  readonly ends: 'step' | 'rest' | 'field' | 'frames';
}

const LEFT: readonly string[] = ['none', 'swap'];
const PRESENT: readonly string[] = ['anon', 'file', 'shmem'];
/** Steps that give a page of its own to who writes, or is about to. */
const WRITES: readonly Step['op'][] = ['write', 'poke', 'vm-write', 'mlock', 'mprotect'];
/** Steps that give memory up, one by one page. */
const givesUp = (step: Step): boolean => step.op === 'swap-out' || (step.op === 'madvise' && step.advice === 'free');

const collapses = (step: Step): boolean => step.op === 'madvise' && step.advice === 'collapse';
/** Frames are numbered as they appear: of two the new one has the larger number. */
const frameNumber = (frame: string): number => Number(frame.slice(1));

/** Some huge page's room is in the range. */
const emptiesTable = (step: Step): boolean =>
  step.op === 'madvise' &&
  step.advice === 'dontneed' &&
  Math.ceil(step.at / HUGE_PAGES) * HUGE_PAGES + HUGE_PAGES <= step.at + step.pages;

const inHugePage = (page: string, realField: RealField): boolean => realField(page, 'flags')?.endsWith(' thp') === true;
/** `102` and `100`. */
const onlyExclusive = (simulated: string, real: string): boolean =>
  (Number.parseInt(simulated, 16) ^ Number.parseInt(real, 16)) === PM_EXCLUSIVE;
const kilobytes = (sum: string): number => Number.parseInt(sum, 10);
/** `P0 area 0+512` has a huge page that was not split. */
const hasHugePage = (area: string, realField: RealField): boolean =>
  kilobytes(realField(area, 'smaps.anonHugePages') ?? '0') > 0;
/** Sums that are larger, and smaller, where one page is dirty with all those beside it. */
const DIRTY: readonly string[] = ['smaps.pssDirty', 'smaps.privateDirty', 'smaps.sharedDirty'];
const CLEAN: readonly string[] = ['smaps.lazyFree', 'smaps.privateClean', 'smaps.sharedClean'];

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
    name: 'huge-page-stays-in-one-piece',
    reason:
      'Who wants a part of a huge page splits his own entry since 4.5: the page, and the entries of relatives, stay as they are until memory is short. mm splits the page for all, as 3.1; also for MADV_FREE of all of it. pagemap says of a page in such an entry whether the first page of it is mapped once.',
    explains: ({ where, field, simulated, real }, { huge }, _at, realField) => {
      if (huge !== true) return false;
      if (field === 'flags') return real === `${simulated} head thp` || real === `${simulated} tail thp`;
      if (field === 'pagemap') return onlyExclusive(simulated, real) && inHugePage(where, realField);
      return field === 'smaps.anonHugePages' && kilobytes(real) > kilobytes(simulated);
    },
    ends: 'field',
  },
  {
    name: 'freed-huge-page-is-dirty-as-a-whole',
    reason:
      'MADV_FREE of all of a huge page leaves it in one piece, as one entry: the next write, to whatever page of it, makes it dirty as a whole, and all of it is kept. mm has split it, and keeps the pages that are written.',
    explains: ({ where, field, simulated, real }, { huge, steps }, at, realField) => {
      const freed = steps.slice(0, at).some((step) => step.op === 'madvise' && step.advice === 'free');
      if (huge !== true || !freed || !hasHugePage(where, realField)) return false;
      if (DIRTY.includes(field)) return kilobytes(real) > kilobytes(simulated);
      return CLEAN.includes(field) && kilobytes(real) < kilobytes(simulated);
    },
    ends: 'step',
  },
  {
    name: 'relative-has-the-rest-of-a-huge-page',
    reason:
      'A write to a page that nobody else maps, of a huge page whose other pages a relative maps, copies on newer kernels (seen on 6.18): who else has the page is known of the huge page only. mm writes in place. The sides are compared on, with the frames named anew.',
    explains: ({ where, field, simulated, real }, { huge, steps }, at, realField) =>
      huge === true &&
      WRITES.includes(steps[at].op) &&
      field === 'frame' &&
      [simulated, real].every((name) => name.startsWith('F')) &&
      !inHugePage(where, realField),
    ends: 'frames',
  },
  {
    name: 'huge-already-where-a-relative-split',
    reason:
      'MADV_COLLAPSE finds a huge entry that a relative did not split when he wanted a part of the page for himself, and leaves it. In mm the page was split for all, and is copied to a huge page of its own.',
    explains: ({ where, field, simulated, real }, { huge, steps }, at, realField) => {
      if (huge !== true || !collapses(steps[at]) || !inHugePage(where, realField)) return false;
      if (field === 'mapcount') return simulated === '1' && Number(real) > 1;
      return field === 'frame' && frameNumber(simulated) > frameNumber(real);
    },
    ends: 'step',
  },
  {
    name: 'part-of-a-shared-huge-page-is-left',
    reason:
      'MADV_PAGEOUT and MADV_FREE leave the pages of a huge page that relatives have a part of (seen on 6.18). In mm pages are single once the huge page is split, and those go that nobody else maps.',
    explains: ({ where, field, simulated, real }, { huge, steps }, at, realField) => {
      if (huge !== true || !givesUp(steps[at]) || !inHugePage(where, realField)) return false;
      if (field === 'kind') return real === 'anon' && (LEFT.includes(simulated) || simulated === 'zero');
      return field === 'flags' && / swapbacked (head|tail) thp$/.test(real) && !simulated.includes('swapbacked');
    },
    ends: 'step',
  },
  {
    name: 'split-huge-page-drops-zeros',
    reason:
      'When MADV_PAGEOUT or MADV_FREE split a huge page, newer kernels (6.12) map the zero page in the place of its pages that are all zeros. So does mm; but of a huge page that was split before, for another reason, it does not know any more, and swaps all pages out one by one.',
    explains: ({ field, simulated, real }, { huge, steps }, at) =>
      huge === true &&
      givesUp(steps[at]) &&
      field === 'kind' &&
      (simulated === 'anon' || LEFT.includes(simulated)) &&
      real === 'zero',
    ends: 'step',
  },
  {
    name: 'empty-table-is-given-back',
    reason:
      'MADV_DONTNEED of all that a page table maps gives the table back since 6.14, so that the next touch may find room for a huge page again. mm keeps it as long as the areas.',
    explains: ({ where, field, simulated, real }, { huge, steps }, at, realField) => {
      if (huge !== true || !steps.slice(0, at).some(emptiesTable)) return false;
      // Two zero pages: the small one, and the one of that size.
      if (field === 'pagemap') return simulated === '100' && real === '140' && realField(where, 'kind') === 'zero';
      return field === 'kind' && simulated === 'none' && (real === 'zero' || inHugePage(where, realField));
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
