// SPDX-License-Identifier: MIT
import { expect, test } from 'vitest';
import { type BarChart, barChartSvg } from '../src/index.js';

const chart: BarChart = {
  title: 'Lookups <fast>',
  axis: { title: 'ns' },
  bars: [
    { name: 'one', value: 10, lowest: 8, highest: 14, color: 1 },
    { name: 'two', value: 40, color: 2 },
  ],
  mark: { value: 20, name: 'aim' },
};

/** Where bars begin, and how long they are. */
const bars = (svg: string): { x: number; width: number }[] =>
  [...svg.matchAll(/<rect fill="currentColor" x="([\d.]+)" y="[\d.]+" width="([\d.]+)"/g)].map(([, x, width]) => ({
    x: Number(x),
    width: Number(width),
  }));

test('bars are as long as their values, from a common beginning at 0', () => {
  const [one, two] = bars(barChartSvg(chart));
  expect(one!.x).toBe(two!.x);
  expect(two!.width / one!.width).toBeCloseTo(4, 1);
});

test('on a logarithmic axis equal factors are equal lengths', () => {
  const log = {
    ...chart,
    axis: { title: 'ns', log: true },
    bars: [1, 10, 100].map((value, i) => ({ name: `${value}`, value, color: i + 1 })),
  };
  const [one, ten, hundred] = bars(barChartSvg(log));
  expect(hundred!.width - ten!.width).toBeCloseTo(ten!.width - one!.width, 0);
});

test('it has names, values, a mark, and text that is no markup', () => {
  const svg = barChartSvg(chart);
  expect(svg).toContain('Lookups &lt;fast&gt;');
  for (const text of ['>one<', '>two<', '>10<', '>40<', '>aim<']) expect(svg).toContain(text);
  expect(svg).not.toMatch(/NaN|undefined/);
});
