// SPDX-License-Identifier: MIT

import { chartFrame, label, round } from './chart-frame.js';
import { apart, type ChartPoint, type ChartSeries, type LineChart, type Scale, scaleOf } from './line-chart.js';
import { escapeXml } from './xml.js';

const WIDTH = 760;
const HEIGHT = 440;
const LEFT = 66;
const TOP = 74;
const BOTTOM = 52;
/** Between names of lines. */
const NAME_GAP = 17;
const NAME_X = 14;
/** Of a letter of a name, about. */
const LETTER = 7.3;

/** A chart as a picture that needs nothing else. It follows the reader's light or dark ground. */
export function lineChartSvg(chart: LineChart): string {
  const names = Math.max(...chart.series.map(({ name }) => name.length)) * LETTER;
  const right = WIDTH - NAME_X - names - 16;
  const bottom = HEIGHT - BOTTOM;
  const points = chart.series.flatMap((series) => series.points);
  const ys = points.flatMap(({ y, lowest = y, highest = y }) => [y, lowest, highest]);
  const x = scaleOf(
    chart.x,
    points.map((point) => point.x),
    LEFT,
    right,
  );
  const y = scaleOf(chart.y, ys, bottom, TOP);
  const ends = chart.series.map(({ points: own }) => y.at(own[own.length - 1].y));
  const labels = apart(ends, NAME_GAP, TOP + 4, bottom - 4);
  return chartFrame(chart.title, chart.y.title, WIDTH, HEIGHT, [
    ...grid(y, right),
    ...abscissa(chart, x, bottom, right),
    ...chart.series.map((series, i) => draw(series, x, y, right, ends[i], labels[i])),
  ]);
}

function grid(y: Scale, right: number): string[] {
  return y.ticks.flatMap((tick) => [
    `<line class="grid" x1="${LEFT}" y1="${round(y.at(tick))}" x2="${round(right)}" y2="${round(y.at(tick))}"/>`,
    `<text class="value" x="${LEFT - 10}" y="${round(y.at(tick))}">${label(tick)}</text>`,
  ]);
}

/** Ticks stand where something was measured. */
function abscissa({ x: { title }, series }: LineChart, x: Scale, bottom: number, right: number): string[] {
  const ticks = [...new Set(series.flatMap(({ points }) => points.map((point) => point.x)))].sort((a, b) => a - b);
  return [
    `<line class="axis" x1="${LEFT}" y1="${bottom}" x2="${round(right)}" y2="${bottom}"/>`,
    ...ticks.map((tick) => `<text class="tick" x="${round(x.at(tick))}" y="${bottom + 19}">${label(tick)}</text>`),
    `<text class="x-title" x="${round(right)}" y="${bottom + 40}">${escapeXml(title)}</text>`,
  ];
}

function draw(series: ChartSeries, x: Scale, y: Scale, right: number, end: number, name: number): string {
  const { points, color, kind = 'measured' } = series;
  const at = (value: ChartPoint): string => `${round(x.at(value.x))} ${round(y.at(value.y))}`;
  const last = points[points.length - 1];
  const from = round(x.at(last.x) + 6);
  const to = round(right + NAME_X - 4);
  return [
    `<g class="series ${kind === 'reference' ? '' : `series-${color} `}${kind}">`,
    ...(kind === 'measured' ? [band(points, x, y)] : []),
    ...(points.length > 1 ? [`<path class="curve" d="M${points.map(at).join('L')}"/>`] : []),
    ...(kind === 'reference' ? [] : points.map((point) => dot(point, x, y, kind))),
    ...(Math.abs(name - end) > 2 || from < to - 16
      ? [`<line class="leader" x1="${from}" y1="${round(end)}" x2="${to}" y2="${round(name)}"/>`]
      : []),
    `<text x="${round(right + NAME_X)}" y="${round(name)}">${escapeXml(series.name)}</text>`,
    '</g>',
  ].join('');
}

function dot({ x: at, y: value }: ChartPoint, x: Scale, y: Scale, kind: 'measured' | 'published'): string {
  return `<circle class="dot" cx="${round(x.at(at))}" cy="${round(y.at(value))}" r="${kind === 'measured' ? 4 : 4.5}"/>`;
}

/** From the lowest to the highest of the repetitions. */
function band(points: readonly ChartPoint[], x: Scale, y: Scale): string {
  const upper = points.map((point) => `${round(x.at(point.x))} ${round(y.at(point.highest ?? point.y))}`);
  const lower = points.map((point) => `${round(x.at(point.x))} ${round(y.at(point.lowest ?? point.y))}`);
  return `<path class="band" d="M${[...upper, ...lower.reverse()].join('L')}Z"/>`;
}
