// SPDX-License-Identifier: MIT
import {
  type Experiment,
  formatResults,
  pagecacheExperiments,
  performExperiments,
  rmapExperiments,
} from '@lockless/experiments';
import type { CacheModel } from '@lockless/simulator';
import { EXIT, UsageError } from '../exit-code.js';
import type { Io } from '../io.js';
import { ExperimentProgressLine } from '../progress.js';

export type ExperimentSeries = 'pagecache' | 'rmap';

/** What is measured on the simulated machine. */
export const EXPERIMENTS: Readonly<Record<ExperimentSeries, readonly Experiment[]>> = {
  pagecache: pagecacheExperiments,
  rmap: rmapExperiments,
};

export interface ExperimentFlags {
  experiment?: readonly string[];
  caches: CacheModel;
  seeds: number;
  json?: true;
}

/** `lockless bench pagecache`, `lockless bench rmap`. An interrupt prints what was measured so far. */
export async function benchExperiments(series: ExperimentSeries, flags: ExperimentFlags, io: Io): Promise<number> {
  const experiments = chosen(EXPERIMENTS[series], flags.experiment);
  const abort = new AbortController();
  const ignoreInterrupt = io.onInterrupt(() => abort.abort());
  const progress = new ExperimentProgressLine(io.stderr);
  try {
    const results = await performExperiments(experiments, {
      caches: flags.caches,
      seeds: Array.from({ length: flags.seeds }, (_, i) => i + 1),
      onProgress: (at) => progress.show(at),
      signal: abort.signal,
    });
    progress.stop();
    io.stdout.write(`${flags.json ? JSON.stringify(results) : formatResults(experiments, results)}\n`);
    return results.complete ? EXIT.holds : EXIT.interrupted;
  } finally {
    progress.stop();
    ignoreInterrupt();
  }
}

function chosen(all: readonly Experiment[], names: readonly string[] | undefined): readonly Experiment[] {
  const unknown = names?.find((name) => !all.some((experiment) => experiment.name === name));
  if (unknown !== undefined)
    throw new UsageError(`--experiment: ${unknown} is none of ${all.map(({ name }) => name).join(', ')}`);
  return names === undefined ? all : all.filter(({ name }) => names.includes(name));
}
