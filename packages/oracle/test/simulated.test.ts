// SPDX-License-Identifier: GPL-2.0-only
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Observation, parseScript, scripts, simulatedSide } from '../src/index.js';
import { sumsOf } from '../src/smaps.js';

/** What is seen after each step. */
function observe(...lines: string[]): readonly Observation[] {
  const { observations, broken } = simulatedSide().run(parseScript(lines.join('\n'), 'test'));
  expect(broken).toBeNull();
  return observations;
}
const page = (seen: Observation, process: number, at: number) =>
  seen.processes.find((each) => each.process === process)?.pages.find((each) => each.page === at);

/* The vectors of kernel-facts 5.6, measured on Linux 6.18. */
describe('the simulated side', () => {
  it('shows copy-on-write as /proc does', () => {
    const [, read, first, , forked, childWrites, parentWrites, other] = observe(
      'P0 mmap 0+8 rw private',
      'P0 read 0',
      'P0 write 0',
      'P0 write 1',
      'P0 fork P1',
      'P1 write 0',
      'P0 write 0',
      'P0 write 1',
    );
    expect(page(read, 0, 0)).toMatchObject({ kind: 'zero', mapcount: 0, mincore: true });
    expect(read.processes[0].areas[0].smaps.rss).toBe(0);
    expect(page(first, 0, 0)).toMatchObject({ kind: 'anon', mapcount: 1 });
    expect(forked.processes[1].areas[0].smaps).toMatchObject({ rss: 8, pss: 4, sharedDirty: 8, anonymous: 8 });
    expect(childWrites.processes[1].areas[0].smaps).toMatchObject({ pss: 6, sharedDirty: 4, privateDirty: 4 });
    expect(page(parentWrites, 0, 0)?.frame).toBe(page(first, 0, 0)?.frame);
    expect(page(other, 0, 1)?.frame).not.toBe(page(forked, 0, 1)?.frame);
  });

  it('brings in only what a locked area grew by', () => {
    const grown = observe('P0 mmap 0+1 rw private', 'P0 mlock 0+1', 'P0 fork P1', 'P0 mremap 0+1 0+2').at(
      -1,
    ) as Observation;
    // The page that was there stays shared: mremap() makes the new pages present, and writes no others.
    expect(page(grown, 0, 0)).toMatchObject({ kind: 'anon', mapcount: 2 });
    expect(page(grown, 0, 1)).toMatchObject({ kind: 'anon', mapcount: 1 });
  });

  it('shows files: fault-around, dirt, msync, truncation', () => {
    const [mapped, read, written, synced, truncated, beyond] = observe(
      'file 0 disk 16',
      'P0 mmap 0+16 rw shared file 0 from 0',
      'P0 read 3',
      'P0 write 3',
      'P0 msync 0+16 sync',
      'P0 truncate 0 2',
      'P0 read 3',
    );
    expect(page(mapped, 0, 3)).toMatchObject({ kind: 'none', mincore: true });
    expect(read.processes[0].areas[0].smaps).toMatchObject({ rss: 64, privateClean: 64 });
    expect(page(written, 0, 3)).toMatchObject({ kind: 'file', dirty: true });
    expect(written.processes[0].areas[0].smaps).toMatchObject({ privateDirty: 4, pssDirty: 4 });
    expect(page(synced, 0, 3)?.dirty).toBe(false);
    expect(synced.processes[0].areas[0].smaps.privateDirty).toBe(0);
    expect(page(truncated, 0, 3)).toMatchObject({ kind: 'none', mincore: false });
    expect(beyond.result).toBe(7);
  });

  it('tells what a read saw: the step that wrote it', () => {
    const seen = observe(
      'file 0 memory 4',
      'P0 mmap 0+4 rw private',
      'P0 mmap 4+4 rw shared file 0 from 0',
      'P0 mmap 8+4 rw private file 0 from 0',
      'P0 write 1', // step 4
      'P0 read 1',
      'P0 write 5', // step 6
      'P0 read 9',
      'P0 write 9', // step 8
      'P0 read 5',
      'P0 read 9',
      'P0 read 6',
      'P0 read 20',
    );
    expect(seen.map(({ value }) => value)).toEqual([0, 0, 0, 0, 4, 0, 6, 0, 6, 8, 0, 0]);
    expect(seen.at(-1)?.result).toBe(11);
  });

  it('performs every generated script, and leaves nothing behind', () => {
    const side = simulatedSide();
    fc.assert(
      fc.property(scripts(), (script) => {
        const { observations, broken } = side.run(script);
        expect(broken).toBeNull();
        expect(observations).toHaveLength(script.steps.length);
      }),
      { numRuns: 25 },
    );
  });
});

describe('sums of an area', () => {
  it('cuts shares off page by page, then the sum', () => {
    const pss = (mapcount: number): number =>
      sumsOf(Array(10).fill({ mapcount, dirty: true, anonymous: true }), false).pss;
    expect([1, 2, 3, 4, 5, 6, 7].map(pss)).toEqual([40, 20, 13, 10, 7, 6, 5]);
  });
});
