// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';
import { simulate, truthOf } from '../src/index.js';
import { bundled, measureOf } from './bundled.js';
import { CODE, exec, exit, recording, touch } from './small.js';

describe('the timeline of a run', () => {
  it('has up to 200 samples; time and work done never go back; all columns are as long', async () => {
    const source = bundled('python-start');
    const { timeline, operationsTotal, memory } = await simulate(source, { seed: 4 });
    const { time, operations, spaces, cpus: _, ...columns } = timeline;
    expect(time.length).toBeGreaterThan(150);
    expect(time.length).toBeLessThanOrEqual(201);
    for (const ascending of [time, operations, columns.faults, columns.gracePeriods])
      expect(ascending).toEqual([...ascending].sort((a, b) => a - b));
    expect(operations.at(-1)).toBeGreaterThan(operationsTotal * 0.98);
    for (const column of [operations, ...Object.values(columns).filter(Array.isArray)])
      expect(column.length).toBe(time.length);
    expect(Math.min(...columns.free)).toBe(memory.lowestFree);
    expect(spaces.length).toBe(source.header.spaces.length);
    for (const { simulated, real } of spaces) {
      expect(simulated.length).toBe(time.length);
      expect(real.length).toBe(time.length);
    }
  });

  it('the real side never shows more than the real peak, and reaches most of it', async () => {
    const source = bundled('python-start');
    const result = await simulate(source, { seed: 4 });
    const [{ rssPeak }] = truthOf(source).spaces;
    const [{ real }] = result.timeline.spaces;
    const highest = Math.max(...real.map((pages) => pages ?? 0));
    expect(highest).toBeLessThanOrEqual(rssPeak.file + rssPeak.anon);
    expect(highest).toBeGreaterThan((rssPeak.file + rssPeak.anon) * 0.9);
    for (const kind of ['file', 'anon'])
      expect(measureOf(result, `rss.${kind}.overTime`).agreement).toBeGreaterThan(0.98);
  });

  it('a program of three steps has three samples', async () => {
    const source = recording([exec(), touch(1, 2, CODE, 'exec'), exit(1, 9)]);
    const { timeline, verdict } = await simulate(source, { memory: { pages: 1024 } });
    expect(verdict).toBe('holds');
    expect(timeline.operations).toEqual([1, 2, 3]);
    expect(timeline.spaces[0].simulated.at(-1)).toBeNull();
  });
});
