// SPDX-License-Identifier: GPL-2.0-only
import type { Rec } from '@lockless/recording';
import { describe, expect, it } from 'vitest';
import { simulate } from '../src/index.js';
import { expectHolds, measureOf } from './bundled.js';
import { DATA, exec, exit, file, recording, STACK_TOP, thread, touch } from './small.js';

const END = 1000;
/** Where the data lie in the file: exec brings its begin in. */
const FAR = 400;

/** The tracer reads this path out of the program's memory, from the disk. */
const open: Rec = {
  kind: 'open',
  tid: 1,
  start: 20,
  end: END - 10,
  ofd: 1,
  file: 0,
  flags: [],
  size: (FAR + 8) * 4096,
  buffers: [{ page: DATA, offset: 0, length: 8 }],
};

/** Before, while and after it waits for the disk, another thread of the program writes to the stack. */
const PAGES = 100;
const image = exec();
const maps = image.maps.map((area) => {
  if (area.kind === 'stack') return { ...area, from: area.to - PAGES };
  return area.from === DATA ? { ...area, index: FAR } : area;
});
const writes = Array.from({ length: PAGES }, (_, i) => touch(2, 21 + i, STACK_TOP - 1 - i, 'write'));

describe('what the tracer reads of the program', () => {
  it.each([1, 2])('takes no fault from the count of another thread, seed %i', async (seed) => {
    const records = [{ ...image, maps }, thread(2, 10), open, ...writes, exit(2, END - 20, false), exit(1, END)];
    const source = recording(records, [file(0, FAR + 8)]);
    const result = await simulate(source, { seed, cpus: 2 });
    expectHolds(result);
    expect(result.machine.diskReads).toBeGreaterThan(0);
    expect(measureOf(result, 'faults.anonymous')).toMatchObject({ simulated: PAGES, real: PAGES });
    // Of the page that it read itself no fault is counted.
    expect(measureOf(result, 'faults.file').simulated).toBe(0);
  });
});
