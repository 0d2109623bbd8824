// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';
import {
  compareScript,
  deliberateDifferences,
  type FieldDifference,
  kernelHasHugePages,
  kernelSide,
  parseScript,
  reasonAgainstKernel,
  type Script,
  simulatedSide,
} from '../src/index.js';

const difference = (where: string, field: string, simulated: string, real: string): FieldDifference => {
  return { where, field, simulated, real };
};

interface Example {
  /** The smallest script that shows it, at its last step. */
  readonly script: string;
  readonly shown: readonly FieldDifference[];
  /** What the real kernel says besides, by `P0 page 0: flags`. */
  readonly real?: Readonly<Record<string, string>>;
  /** What looks alike and is not it, at the same step. */
  readonly others: readonly FieldDifference[];
  /** Scripts in which the same fields differ for another reason. */
  readonly elsewhere: readonly string[];
}

const HUGE = 'arena huge\nP0 mmap 0+512 rw private\nP0 madvise 0+512 huge\n';

const EXAMPLES: Readonly<Record<string, Example>> = {
  'mremap-of-several-areas': {
    script: 'P0 mmap 0+2 rw private\nP0 mremap 1+2 8+2',
    shown: [difference('step', 'result', 'EFAULT', 'ok')],
    others: [difference('step', 'result', 'ok', 'EFAULT'), difference('P0 page 8', 'kind', 'none', 'anon')],
    elsewhere: ['P0 mmap 0+2 rw private\nP0 mremap 1+2 8+3', 'P0 mmap 0+2 rw private\nP0 mprotect 1+2 r'],
  },
  'reading-pins-unshare': {
    script: 'P0 mmap 0+1 rw private\nP0 write 0\nP0 fork P1\nP1 vm-read P0 0',
    shown: [difference('P0 page 0', 'frame', 'F1', 'F2')],
    others: [difference('P1 page 0', 'frame', 'F1', 'F2'), difference('P0 page 0', 'kind', 'anon', 'none')],
    elsewhere: [
      'P0 mmap 0+1 rw private\nP0 write 0\nP0 fork P1\nP1 peek P0 0',
      'P0 mmap 0+1 rw private\nP0 write 0\nP0 fork P1\nP1 vm-write P0 0',
    ],
  },
  'unlocked-by-flag-alone': {
    script: 'P0 mmap 0+2 rw private\nP0 mlock 0+2\nP0 mremap 0+1 7+1 dontunmap\nP0 swap-out 0+2',
    shown: [difference('P0 page 1', 'kind', 'swap', 'anon'), difference('P0 page 1', 'kind', 'none', 'shmem')],
    others: [
      difference('P0 page 1', 'kind', 'anon', 'swap'),
      difference('P0 page 1', 'kind', 'swap', 'none'),
      difference('P0 page 1', 'flags', 'uptodate mmap anon', 'uptodate mmap anon swapbacked'),
    ],
    elsewhere: [
      'P0 mmap 0+2 rw private\nP0 mremap 0+1 7+1 dontunmap\nP0 mlock 0+2\nP0 swap-out 0+2',
      'P0 mmap 0+2 rw private\nP0 mlock 0+2\nP0 mremap 0+1 7+1\nP0 swap-out 0+2',
      'P0 mmap 0+2 rw private\nP0 mlock 0+2\nP0 mremap 0+1 7+1 dontunmap\nP0 munlock 0+2',
    ],
  },
  'relative-has-the-rest-of-a-huge-page': {
    script: `${HUGE}P0 write 0\nP0 fork P1\nP1 write 3\nP0 write 3`,
    shown: [difference('P0 page 3', 'frame', 'F4', 'F514')],
    others: [difference('P0 page 3', 'frame', 'F4', 'zero'), difference('P0 page 4', 'frame', 'F5', 'F9')],
    real: { 'P0 page 4: flags': 'uptodate mmap anon swapbacked tail thp' },
    elsewhere: [`${HUGE}P0 write 0\nP0 fork P1\nP1 write 3\nP0 read 3`, 'P0 mmap 0+4 rw private\nP0 write 3'],
  },
  'huge-already-where-a-relative-split': {
    script: `${HUGE}P0 write 0\nP0 fork P1\nP0 write 0\nP1 madvise 0+512 collapse`,
    shown: [difference('P0 page 1', 'mapcount', '1', '2'), difference('P0 page 1', 'frame', 'F514', 'F2')],
    others: [
      difference('P0 page 1', 'mapcount', '2', '1'),
      difference('P0 page 1', 'frame', 'F2', 'F514'),
      difference('P0 page 2', 'mapcount', '1', '2'),
      difference('P0 page 1', 'kind', 'none', 'anon'),
    ],
    real: { 'P0 page 1: flags': 'uptodate mmap anon swapbacked tail thp' },
    elsewhere: [
      `${HUGE}P0 write 0\nP0 fork P1\nP0 write 0\nP1 madvise 0+512 huge`,
      'P0 mmap 0+2 rw private\nP0 madvise 0+2 collapse',
    ],
  },
  'part-of-a-shared-huge-page-is-left': {
    script: `${HUGE}P0 write 0\nP0 fork P1\nP1 munmap 0+4\nP0 write 300\nP0 swap-out 0+2`,
    shown: [difference('P0 page 1', 'kind', 'swap', 'anon')],
    others: [difference('P0 page 2', 'kind', 'swap', 'anon'), difference('P0 page 1', 'kind', 'anon', 'swap')],
    real: { 'P0 page 1: flags': 'uptodate mmap anon swapbacked tail thp' },
    elsewhere: [`${HUGE}P0 write 0\nP0 munmap 0+4`, 'P0 mmap 0+2 rw private\nP0 write 1\nP0 swap-out 0+2'],
  },
  'split-huge-page-drops-zeros': {
    script: `${HUGE}P0 write 0\nP0 munmap 8+1\nP0 swap-out 0+2`,
    shown: [difference('P0 page 1', 'kind', 'swap', 'zero'), difference('P0 page 4', 'kind', 'anon', 'zero')],
    others: [difference('P0 page 1', 'kind', 'zero', 'swap'), difference('P0 page 1', 'kind', 'file', 'zero')],
    elsewhere: [`${HUGE}P0 write 0\nP0 munmap 0+1`, 'P0 mmap 0+1 rw private\nP0 swap-out 0+1'],
  },
  'huge-page-stays-in-one-piece': {
    script: `${HUGE}P0 write 0\nP0 fork P1\nP1 munmap 0+1`,
    shown: [
      difference('P1 page 1', 'flags', 'uptodate', 'uptodate tail thp'),
      difference('P0 area 0+512', 'smaps.anonHugePages', '0 kB', '2048 kB'),
      difference('P0 page 1', 'pagemap', '100', '102'),
    ],
    others: [
      difference('P1 page 1', 'flags', 'uptodate tail thp', 'uptodate'),
      difference('P1 page 1', 'flags', 'uptodate', 'mmap tail thp'),
      difference('P0 area 0+512', 'smaps.anonHugePages', '2048 kB', '0 kB'),
      difference('P0 area 0+512', 'smaps.rss', '0 kB', '2048 kB'),
      difference('P0 page 1', 'pagemap', '100', '142'),
      difference('P0 page 2', 'pagemap', '100', '102'),
    ],
    real: { 'P0 page 1: flags': 'uptodate mmap anon swapbacked tail thp' },
    elsewhere: ['P0 mmap 0+2 rw private\nP0 write 0\nP0 munmap 0+1'],
  },
  'freed-huge-page-is-dirty-as-a-whole': {
    script: `${HUGE}P0 write 0\nP0 madvise 0+512 free\nP0 write 0`,
    shown: [
      difference('P0 area 0+512', 'smaps.pssDirty', '4 kB', '2048 kB'),
      difference('P0 area 0+512', 'smaps.privateClean', '2044 kB', '0 kB'),
      difference('P0 area 0+512', 'smaps.lazyFree', '2044 kB', '0 kB'),
    ],
    others: [
      difference('P0 area 0+512', 'smaps.pssDirty', '2048 kB', '4 kB'),
      difference('P0 area 0+512', 'smaps.rss', '4 kB', '2048 kB'),
      difference('P1 area 0+512', 'smaps.lazyFree', '2044 kB', '0 kB'),
    ],
    real: { 'P0 area 0+512: smaps.anonHugePages': '2048 kB' },
    elsewhere: [`${HUGE}P0 write 0\nP0 write 0`, `${HUGE}P0 write 0\nP0 madvise 0+512 dontneed\nP0 write 0`],
  },
  'empty-table-is-given-back': {
    script: `${HUGE}P0 write 0\nP0 madvise 0+1 dontneed\nP0 madvise 0+512 dontneed\nP0 read 0`,
    shown: [difference('P0 page 0', 'pagemap', '100', '140'), difference('P0 page 1', 'kind', 'none', 'zero')],
    others: [difference('P0 page 1', 'pagemap', '100', '140'), difference('P0 page 1', 'kind', 'zero', 'none')],
    real: { 'P0 page 0: kind': 'zero' },
    elsewhere: [`${HUGE}P0 write 0\nP0 madvise 1+511 dontneed\nP0 read 0`, `${HUGE}P0 madvise 0+512 dontneed`],
  },
  'areas-joined-otherwise': {
    script: 'P0 mmap 0+2 rw private\nP0 write 0\nP0 fork P1\nP1 mmap 2+2 rw private',
    shown: [difference('P1 area 0+4', 'mapped', 'rw-p anonymous', 'absent')],
    others: [difference('P1 area 0+4', 'smaps.rss', '4 kB', '0 kB'), difference('P1 page 0', 'mapped', 'x', 'absent')],
    elsewhere: [],
  },
};

const read = (text: string): Script => parseScript(text, 'example');

describe.each(deliberateDifferences)('$name', ({ name, explains }) => {
  const { script, shown, others, elsewhere, real = {} } = EXAMPLES[name];
  const isIt = (text: string, of: FieldDifference): boolean => {
    const { steps } = read(text);
    return explains(of, read(text), steps.length - 1, (where, field) => real[`${where}: ${field}`]);
  };

  it('is what it says', () => expect(shown.map((of) => isIt(script, of))).not.toContain(false));

  it('is nothing that looks alike', () => {
    for (const other of others) expect(isIt(script, other)).toBe(false);
    for (const text of elsewhere) expect(isIt(text, shown[0])).toBe(false);
  });
});

const reason = reasonAgainstKernel();
describe.skipIf(reason !== null)(`on the kernel that runs${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  const here = Object.entries(EXAMPLES).filter(([, { script }]) => read(script).huge !== true || kernelHasHugePages());
  it.each(here)('%s is to be seen', (name, { script }) => {
    const { difference: found, deliberate } = compareScript(read(script), simulatedSide(), kernelSide());
    expect(found).toBeNull();
    expect(deliberate).toContain(name);
  });

  it('another difference is found all the same', () => {
    const script = read(EXAMPLES['areas-joined-otherwise'].script);
    const simulated = simulatedSide();
    const { difference: found } = compareScript(
      script,
      {
        name: 'misreading',
        run: (of) => {
          const { observations, broken } = simulated.run(of);
          return { observations: observations.map((seen, i) => (i === 3 ? { ...seen, value: 9 } : seen)), broken };
        },
      },
      kernelSide(),
    );
    expect(found?.fields).toEqual([difference('step', 'value read', 'of step 9', 'zero')]);
  });
});
