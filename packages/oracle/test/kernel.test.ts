// SPDX-License-Identifier: GPL-2.0-only
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  compareScript,
  formatDifference,
  kernelHasHugePages,
  kernelSide,
  parseScript,
  reasonAgainstKernel,
  type Script,
  searchDifference,
  simulatedSide,
} from '../src/index.js';

const reason = reasonAgainstKernel();
/** More with `LOCKLESS_SEEDS=n`: docs/testing.md. */
const SEEDS = Math.max(1, Number(process.env.LOCKLESS_SEEDS ?? 1));
const LONG = process.env.LOCKLESS_LONG !== undefined;
const SCRIPTS = LONG ? 20 : 10;
const HUGE_SCRIPTS = LONG ? 4 : 2;

const everyStep: Script = parseScript(
  readFileSync(new URL('every-step.txt', import.meta.url), 'utf8'),
  'every-step.txt',
);

it('the script with every step can be performed on mm', () => {
  expect(simulatedSide().run(everyStep).broken).toBeNull();
});

describe.skipIf(reason !== null)(
  `against the kernel that runs${reason === null ? '' : ` (skipped: ${reason})`}`,
  () => {
    it('every step once', () => {
      const { steps, difference } = compareScript(everyStep, simulatedSide(), kernelSide());
      expect(difference && formatDifference(everyStep, difference)).toBeNull();
      expect(steps).toBe(everyStep.steps.length);
    });

    it('no batch of pages on their way to an LRU list holds a page when a step begins', () => {
      // 6.18 copies a page in a batch instead of writing to it: here that of the pages whose last locked mapping went away.
      const script = parseScript(
        'P0 mmap 0+7 rw private\nP0 mlock 2+2\nP0 fork P1\nP0 munmap 3+1\nP1 write 3',
        'unlocked page',
      );
      const { difference } = compareScript(script, simulatedSide(), kernelSide());
      expect(difference && formatDifference(script, difference)).toBeNull();
    });

    it.each([
      // It would read ahead; which of the steps after it finds those pages depends on the disk.
      [
        'pread of one on a disk',
        'file 0 disk 16',
        'shared file 0 from 0',
        'P0 pread 0 6\nP0 munlock 0+1\nP0 munlock 0+1',
      ],
      ['a fault beside one on a disk', 'file 0 disk 16', 'shared file 0 from 0', 'P0 read 7'],
      [
        'a file that ext4 writes when it is closed',
        'file 0 disk 16',
        'private file 0 from 0',
        'P0 truncate 0 0\nP0 pwrite 0 0\nP0 swap-out 0+1\nP0 read 0',
      ],
      ['a fault beside one of a memfd', 'file 0 memory 16', 'shared file 0 from 0', 'P0 pread 0 6\nP0 read 7'],
      ['one that a relative shares', '', 'shared', 'P0 fork P1\nP1 munmap 0+16\nP0 read 7\nP0 swapoff'],
    ])(
      'dirty pages of files that were paged out leave no mark, and those of files in memory are in swap: %s',
      (_, file, of, then) => {
        const text = `${file}\nP0 mmap 0+16 rw ${of}\nP0 write 6\nP0 read 0\nP0 swap-out 0+16\n${then}`;
        const script = parseScript(text, 'paged out');
        for (let i = 0; i < 4; i++) {
          const { difference } = compareScript(script, simulatedSide(), kernelSide());
          expect(difference && formatDifference(script, difference)).toBeNull();
        }
      },
    );

    it(`${SCRIPTS * SEEDS} generated scripts`, async () => {
      const { found } = await searchDifference({
        simulated: simulatedSide(),
        real: kernelSide(),
        count: SCRIPTS * SEEDS,
        seed: 2608,
      });
      expect(found && formatDifference(found.script, found.difference)).toBeNull();
    });

    it.skipIf(process.env.LOCKLESS_LONG === undefined || !kernelHasHugePages())(
      `${HUGE_SCRIPTS * SEEDS} generated scripts with huge pages`,
      async () => {
        const sides = { simulated: simulatedSide(), real: kernelSide() };
        const { found } = await searchDifference({ ...sides, count: HUGE_SCRIPTS * SEEDS, seed: 2608, huge: 100 });
        expect(found && formatDifference(found.script, found.difference)).toBeNull();
      },
    );

    it('a difference is found here too', async () => {
      const simulated = simulatedSide({ zeroPageReads: 0 });
      const { found } = await searchDifference({
        simulated,
        real: kernelSide(),
        count: 200,
        seed: 4,
        longest: 12,
        effort: 100,
      });
      expect(found?.script.steps).toHaveLength(2);
    });
  },
);
