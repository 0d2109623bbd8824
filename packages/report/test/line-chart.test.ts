// SPDX-License-Identifier: MIT
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type LineChart, lineChartSvg } from '../src/index.js';
import { apart, scaleOf } from '../src/line-chart.js';

const chart: LineChart = {
  title: 'Lookups <of> "pages"',
  x: { title: 'CPUs', log: true },
  y: { title: 'lookups & more', log: true },
  series: [
    { name: 'lock', color: 2, points: [1, 2, 4].map((x) => ({ x, y: 1 / x, lowest: 0.9 / x, highest: 1.1 / x })) },
    { name: 'published', color: 2, kind: 'published', points: [{ x: 4, y: 0.3 }] },
    { name: 'n times', color: 1, kind: 'reference', points: [1, 4].map((x) => ({ x, y: x })) },
  ],
};
const count = (text: string, pattern: RegExp): number => [...text.matchAll(pattern)].length;

describe('a line chart', () => {
  it('has a line for each series with more than one point, a dot for each that was measured or published', () => {
    const svg = lineChartSvg(chart);
    expect(count(svg, /<path class="curve"/g)).toBe(2);
    expect(count(svg, /<circle/g)).toBe(4);
    expect(count(svg, /<path class="band"/g)).toBe(1);
    expect(svg).toContain('<text class="title" x="20" y="30">Lookups &lt;of&gt; &quot;pages&quot;</text>');
    expect(svg).toContain('lookups &amp; more');
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  });

  it('has ticks where something was measured, and follows a dark ground', () => {
    const svg = lineChartSvg(chart);
    expect([...svg.matchAll(/<text class="tick"[^>]*>([^<]*)</g)].map(([, text]) => text)).toEqual(['1', '2', '4']);
    expect(svg).toContain('@media (prefers-color-scheme:dark)');
  });

  it('puts higher values higher, and everything inside the picture', () => {
    const value = fc.double({ min: 1e-3, max: 1e6, noNaN: true });
    const points = fc.uniqueArray(fc.tuple(fc.integer({ min: 1, max: 1024 }), value), {
      minLength: 1,
      selector: ([x]) => x,
    });
    const property = fc.property(points, fc.boolean(), (pairs, log) => {
      const sorted = pairs.map(([x, y]) => ({ x, y })).sort((a, b) => a.x - b.x);
      const svg = lineChartSvg({ ...chart, y: { title: '', log }, series: [{ name: 's', color: 1, points: sorted }] });
      const dots = [...svg.matchAll(/cx="([-\d.]+)" cy="([-\d.]+)"/g)].map(([, x, y]) => ({
        x: Number(x),
        y: Number(y),
      }));
      expect(dots).toHaveLength(sorted.length);
      for (const { x, y } of dots) {
        expect(x).toBeGreaterThanOrEqual(66);
        expect(x).toBeLessThan(760);
        expect(y).toBeGreaterThanOrEqual(73.9);
        expect(y).toBeLessThanOrEqual(388.1);
      }
      sorted.forEach((point, i) => {
        if (i > 0 && point.y > sorted[i - 1].y) expect(dots[i].y).toBeLessThanOrEqual(dots[i - 1].y);
      });
    });
    fc.assert(property);
  });

  it('has a few round ticks, whatever the values', () => {
    const values = fc.array(fc.double({ min: 1e-4, max: 1e7, noNaN: true }), { minLength: 2, maxLength: 20 });
    const property = fc.property(values, fc.boolean(), (all, log) => {
      const { ticks, at } = scaleOf({ title: '', log }, all, 0, 100);
      expect(ticks.length).toBeLessThanOrEqual(12);
      for (const tick of ticks) {
        expect(at(tick)).toBeGreaterThanOrEqual(-1e-6);
        expect(at(tick)).toBeLessThanOrEqual(100 + 1e-6);
      }
    });
    fc.assert(property);
  });

  it('keeps names apart, in their order, and leaves those alone that are', () => {
    const property = fc.property(
      fc.array(fc.double({ min: 0, max: 300, noNaN: true }), { maxLength: 10 }),
      (wanted) => {
        const placed = apart(wanted, 17, 0, 300);
        const sorted = [...placed].sort((a, b) => a - b);
        sorted.forEach((y, i) => {
          if (i > 0) expect(y - sorted[i - 1]).toBeGreaterThan(14);
        });
        for (const y of placed) expect(y >= -1e-9 && y <= 300 + 1e-9).toBe(true);
      },
    );
    fc.assert(property);
    expect(apart([200, 10, 100], 17, 0, 300)).toEqual([200, 10, 100]);
  });
});
