// SPDX-License-Identifier: GPL-2.0-only

/** What repeated measurements say together. */
export interface Spread {
  readonly median: number;
  /** The 10th and the 90th percentile. */
  readonly low: number;
  readonly high: number;
  readonly samples: number;
}

/** The value below which that share of the values lies, interpolated between neighbours. Throws RangeError when there are none. */
export function percentile(values: ArrayLike<number>, share: number): number {
  if (values.length === 0) throw new RangeError('a percentile of nothing');
  const sorted = Float64Array.from(values).sort();
  const place = (sorted.length - 1) * share;
  const below = Math.floor(place);
  const above = Math.ceil(place);
  return sorted[below] + (sorted[above] - sorted[below]) * (place - below);
}

export const median = (values: ArrayLike<number>): number => percentile(values, 0.5);

export const spread = (values: ArrayLike<number>): Spread => ({
  median: median(values),
  low: percentile(values, 0.1),
  high: percentile(values, 0.9),
  samples: values.length,
});

/**
 * How many times `over` each of `values` is, round by round, so that what disturbs a whole round disturbs both. A round that lacks either (NaN) is
 * left out. Throws RangeError when no round is left.
 */
export function ratios(values: readonly number[], over: readonly number[]): Spread {
  return spread(values.map((value, round) => value / over[round]).filter(Number.isFinite));
}
