// SPDX-License-Identifier: GPL-2.0-only
import type { CacheModel } from '@lockless/simulator';

/** What every run of an experiment is given. */
export interface Setting {
  readonly seed: number;
  readonly caches: CacheModel;
}

/** Something that is measured for several designs at several sizes. */
export interface Experiment {
  readonly name: string;
  /** What it does, in one sentence. */
  readonly title: string;
  /** What `at` counts. */
  readonly axis: string;
  readonly designs: readonly string[];
  readonly at: readonly number[];
  /** One run on a machine of its own. *Returns* what was measured, by unit. */
  readonly measure: (design: string, at: number, setting: Setting) => Readonly<Record<string, number>>;
}

/** What the runs of several seeds measured. */
export interface Figure {
  readonly experiment: string;
  readonly design: string;
  readonly at: number;
  readonly unit: string;
  readonly median: number;
  readonly lowest: number;
  readonly highest: number;
}

/** All figures, and what they were measured with. */
export interface Results {
  readonly caches: CacheModel;
  readonly seeds: readonly number[];
  readonly figures: readonly Figure[];
  /** False: not all figures are there. */
  readonly complete: boolean;
}

export interface ExperimentProgress {
  readonly experiment: string;
  readonly design: string;
  readonly at: number;
  /** Of all runs. */
  readonly done: number;
  readonly total: number;
}

export interface PerformOptions {
  readonly caches?: CacheModel;
  /** Each run is made with these seeds; default 1 to 5. */
  readonly seeds?: readonly number[];
  readonly onProgress?: (at: ExperimentProgress) => void;
  /** Ends it between two runs; what was measured so far is the result. */
  readonly signal?: AbortSignal;
}

/** Makes every run of every experiment. Lets other work go on between two runs. */
export async function performExperiments(
  experiments: readonly Experiment[],
  { caches = 'altix', seeds = [1, 2, 3, 4, 5], onProgress, signal }: PerformOptions = {},
): Promise<Results> {
  const points = experiments.flatMap((experiment) =>
    experiment.designs.flatMap((design) => experiment.at.map((at) => ({ experiment, design, at }))),
  );
  const figures: Figure[] = [];
  let done = 0;
  for (const { experiment, design, at } of points) {
    const measured: Readonly<Record<string, number>>[] = [];
    for (const seed of seeds) {
      onProgress?.({ experiment: experiment.name, design, at, done, total: points.length * seeds.length });
      await new Promise((resolve) => setImmediate(resolve));
      if (signal?.aborted) return { caches, seeds, figures, complete: false };
      measured.push(experiment.measure(design, at, { seed, caches }));
      done++;
    }
    for (const unit of Object.keys(measured[0]))
      figures.push({
        experiment: experiment.name,
        design,
        at,
        unit,
        ...spread(measured.map((values) => values[unit])),
      });
  }
  return { caches, seeds, figures, complete: true };
}

/** The one in the middle, and the two at the ends: a handful of seeds says no more. */
function spread(values: readonly number[]): Pick<Figure, 'median' | 'lowest' | 'highest'> {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return {
    median: (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2,
    lowest: sorted[0],
    highest: sorted[sorted.length - 1],
  };
}
