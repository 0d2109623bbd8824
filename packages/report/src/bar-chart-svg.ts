// SPDX-License-Identifier: MIT
import { chartFrame, label, round } from './chart-frame.js';
import { scaleOf } from './line-chart.js';
import { escapeXml } from './xml.js';

/** One bar, and how far repetitions lay apart. */
export interface Bar {
  readonly name: string;
  readonly value: number;
  readonly lowest?: number;
  readonly highest?: number;
  /** 1 to 8, as of a line chart's series. */
  readonly color: number;
}

/** Bars beside each other, from the left. */
export interface BarChart {
  readonly title: string;
  readonly axis: { readonly title: string; readonly log?: boolean };
  readonly bars: readonly Bar[];
  /** A value that is marked by a line through all bars, and what it is. */
  readonly mark?: { readonly value: number; readonly name: string };
}

const WIDTH = 760;
const TOP = 74;
const ROW = 30;
const THICK = 16;
const BOTTOM = 34;
/** Of a letter of a name, about, and of a value. */
const LETTER = 6.9;
const DIGIT = 8;

/** A chart as a picture that needs nothing else; it follows the reader's light or dark ground. A logarithmic axis begins a little below the least value. */
export function barChartSvg({ title, axis, bars, mark }: BarChart): string {
  const left = 28 + Math.max(0, ...bars.map(({ name }) => name.length)) * LETTER;
  const right = Math.max(70, ...bars.map(({ value }) => 16 + label(value).length * DIGIT));
  const bottom = TOP + bars.length * ROW;
  const height = bottom + BOTTOM;
  const values = bars.flatMap(({ value, lowest = value, highest = value }) => [value, lowest, highest]);
  const low = axis.log ? Math.min(...values, Number.MAX_VALUE) / 2 : 0;
  const { at, ticks } = scaleOf(
    { ...axis, from: 0 },
    [...values, low, ...(mark ? [mark.value] : [])],
    left,
    WIDTH - right,
  );
  const line = (name: string, x: number): string =>
    `<line class="${name}" x1="${round(x)}" y1="${TOP - 8}" x2="${round(x)}" y2="${bottom}"/>`;
  return chartFrame(title, axis.title, WIDTH, height, [
    ...ticks.flatMap((tick) => [
      line('grid', at(tick)),
      `<text class="tick" x="${round(at(tick))}" y="${bottom + 19}">${label(tick)}</text>`,
    ]),
    ...bars.flatMap((bar, i) => draw(bar, at, left, TOP + i * ROW + (ROW - THICK) / 2)),
    ...(mark === undefined
      ? []
      : [
          line('axis', at(mark.value)),
          `<text class="tick" x="${round(at(mark.value))}" y="${TOP - 12}">${escapeXml(mark.name)}</text>`,
        ]),
  ]);
}

function draw(
  { name, value, lowest = value, highest = value, color }: Bar,
  at: (value: number) => number,
  left: number,
  y: number,
): string[] {
  const middle = y + THICK / 2;
  const width = Math.max(1, at(value) - left);
  return [
    `<text class="value" x="${round(left - 10)}" y="${middle}">${escapeXml(name)}</text>`,
    `<g class="series series-${color}">`,
    `<rect fill="currentColor" x="${round(left)}" y="${y}" width="${round(width)}" height="${THICK}" rx="2"/>`,
    `<line class="axis" x1="${round(at(lowest))}" y1="${middle}" x2="${round(at(highest))}" y2="${middle}"/>`,
    `<text x="${round(Math.max(at(value), at(highest)) + 8)}" y="${middle}">${label(value)}</text>`,
    '</g>',
  ];
}
