// SPDX-License-Identifier: GPL-2.0-only
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CpuLanes } from '../src/cpu-lanes.js';

describe('the lanes of the CPUs', () => {
  it('are exact while there are few slices, and close what still runs', () => {
    const lanes = new CpuLanes(2);
    lanes.switched(0, 10, 'git/7');
    lanes.switched(1, 12, 'sh/8');
    lanes.switched(0, 30, null);
    lanes.switched(0, 40, 'kswapd');
    lanes.switched(0, 45, null);
    expect(lanes.at(50)).toEqual([
      {
        cpu: 0,
        slices: [
          { task: 'git/7', from: 10, to: 30 },
          { task: 'kswapd', from: 40, to: 45 },
        ],
      },
      { cpu: 1, slices: [{ task: 'sh/8', from: 12, to: 50 }] },
    ]);
  });

  it('show as one slice a task that goes on at once, and none that had no time', () => {
    const lanes = new CpuLanes(1);
    for (const [time, task] of [
      [0, 'a'],
      [5, null],
      [5, 'a'],
      [9, null],
      [9, 'b'],
      [9, null],
    ] as const)
      lanes.switched(0, time, task);
    expect(lanes.at(20)[0].slices).toEqual([{ task: 'a', from: 0, to: 9 }]);
  });

  it('show what had most of each interval when there are many', () => {
    const lanes = new CpuLanes(1);
    // "big" has nine tenths of the first half and a fifth of the second, which is idle for the rest.
    for (let i = 0; i < 20_000; i++) {
      const share = i < 10_000 ? 9 : 2;
      lanes.switched(0, i * 10, 'big');
      lanes.switched(0, i * 10 + share, i < 10_000 ? 'small' : null);
      lanes.switched(0, i * 10 + 10, null);
    }
    const [{ slices }] = lanes.at(200_000);
    expect(slices.map(({ task }) => task)).toEqual(['big']);
    expect(slices[0].from).toBe(0);
    expect(Math.abs(slices[0].to - 100_000)).toBeLessThan(500);
  });

  it('keep short stays on a CPU that mostly idles', () => {
    const lanes = new CpuLanes(1);
    for (let i = 0; i < 2500; i++) {
      lanes.switched(0, i * 10_000, 'short');
      lanes.switched(0, i * 10_000 + 100, null);
    }
    const [{ slices }] = lanes.at(25_000_000);
    expect(slices.length).toBeGreaterThan(1000);
    for (const { from, to } of slices) expect(to - from).toBeLessThan(300);
  });

  it('are few, in order and within the run, however long it is', () => {
    const stay = fc.record({ cpu: fc.nat(63), task: fc.constantFrom(null, 'a', 'b', 'c'), gap: fc.nat(2000) });
    const run = fc.record({
      cpus: fc.integer({ min: 1, max: 64 }),
      stays: fc.array(stay, { maxLength: 60 }),
      times: fc.integer({ min: 1, max: 400 }),
    });
    fc.assert(
      fc.property(run, ({ cpus, stays, times }) => {
        const lanes = new CpuLanes(cpus);
        let now = 0;
        for (let i = 0; i < times; i++)
          for (const { cpu, task, gap } of stays) {
            now += gap;
            lanes.switched(cpu % cpus, now, task);
          }
        const all = lanes.at(now);
        expect(all.length).toBe(cpus);
        expect(all.reduce((sum, { slices }) => sum + slices.length, 0)).toBeLessThanOrEqual(2000);
        for (const { slices } of all) {
          let last = 0;
          for (const { from, to } of slices) {
            expect(from).toBeGreaterThanOrEqual(last);
            expect(to).toBeGreaterThan(from);
            last = to;
          }
          expect(last).toBeLessThanOrEqual(now);
        }
      }),
      { numRuns: 60 },
    );
  });
});
