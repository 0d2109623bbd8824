// SPDX-License-Identifier: MIT

/** One measured point, and how far repetitions lay apart. */
export interface ChartPoint {
  readonly x: number;
  readonly y: number;
  readonly lowest?: number;
  readonly highest?: number;
}

export interface ChartSeries {
  readonly name: string;
  readonly points: readonly ChartPoint[];
  /** 1 to 8: series of one colour belong together, whatever chart they are in. */
  readonly color: number;
  /** `measured` (default): a line with dots. `published`: rings, joined by dashes. `reference`: a thin grey line, nothing that anybody measured. */
  readonly kind?: 'measured' | 'published' | 'reference';
}

export interface ChartAxis {
  readonly title: string;
  readonly log?: boolean;
  /** Where a linear axis begins, unless a value lies below; default 0. */
  readonly from?: number;
}

/** Lines over a common axis. */
export interface LineChart {
  readonly title: string;
  readonly x: ChartAxis;
  readonly y: ChartAxis;
  readonly series: readonly ChartSeries[];
}

/** Maps values to a stretch of the picture, and knows where to draw ticks. */
export interface Scale {
  readonly at: (value: number) => number;
  readonly ticks: readonly number[];
}

/** An axis over the values, from one end of a stretch to the other. */
export function scaleOf(axis: ChartAxis, values: readonly number[], from: number, to: number): Scale {
  const [low, high, ticks] = axis.log ? logarithmic(values) : linear(values, axis.from ?? 0);
  const place = axis.log ? Math.log : (value: number): number => value;
  const span = place(high) - place(low) || 1;
  return { at: (value) => from + ((place(value) - place(low)) / span) * (to - from), ticks };
}

type Range = readonly [low: number, high: number, ticks: readonly number[]];

/** Ticks at 1, 2 and 5 times powers of ten, or fewer of them when there are many. */
function logarithmic(values: readonly number[]): Range {
  const low = Math.min(...values);
  const high = Math.max(...values);
  for (const steps of [[1, 2, 5], [1, 3], [1]]) {
    const ticks = powers(low, high, steps);
    const inside = ticks.filter((tick) => tick >= low * 0.999 && tick <= high * 1.001);
    if (inside.length <= 7 || steps.length === 1) return [low / 1.08, high * 1.08, inside];
  }
  return [low, high, []];
}

function powers(low: number, high: number, steps: readonly number[]): number[] {
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++)
    for (const step of steps) ticks.push(Number(`${step}e${power}`));
  return ticks;
}

/** From there or below to a round number above. */
function linear(values: readonly number[], from: number): Range {
  const low = Math.min(from, ...values);
  const high = Math.max(...values, low + Number.EPSILON);
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough) ?? 10);
  const count = Math.ceil((high - low) / step - 1e-9);
  return [
    low,
    low + count * step,
    Array.from({ length: count + 1 }, (_, i) => Number((low + i * step).toPrecision(12))),
  ];
}

/** Keeps labels apart: moves them from where they belong as little as is needed, within the stretch. */
export function apart(wanted: readonly number[], gap: number, low: number, high: number): number[] {
  const order = wanted.map((_, i) => i).sort((a, b) => wanted[a] - wanted[b]);
  const placed = order.map((i) => wanted[i]);
  for (let round = 0; round < 100; round++) {
    for (let i = 1; i < placed.length; i++) {
      const missing = gap - (placed[i] - placed[i - 1]);
      if (missing <= 0) continue;
      placed[i - 1] -= missing / 2;
      placed[i] += missing / 2;
    }
    for (let i = 0; i < placed.length; i++)
      placed[i] = Math.min(Math.max(placed[i], low + i * gap), high - (placed.length - 1 - i) * gap);
  }
  const result: number[] = [];
  order.forEach((i, place) => {
    result[i] = placed[place];
  });
  return result;
}
