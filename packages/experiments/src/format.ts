// SPDX-License-Identifier: GPL-2.0-only
import type { Experiment, Figure, Results } from './experiment.js';

/** The results as tables, one for each experiment and unit; medians. */
export function formatResults(experiments: readonly Experiment[], { caches, seeds, figures }: Results): string {
  const tables = experiments.flatMap((experiment) => {
    const own = figures.filter((figure) => figure.experiment === experiment.name);
    const units = [...new Set(own.map(({ unit }) => unit))];
    return units.map((unit) =>
      table(
        experiment,
        unit,
        own.filter((figure) => figure.unit === unit),
      ),
    );
  });
  const runs = seeds.length === 1 ? `seed ${seeds[0]}` : `medians of ${seeds.length} seeds`;
  return [`caches of ${caches}, ${runs}`, ...tables].join('\n\n');
}

function table({ name, title, axis }: Experiment, unit: string, figures: readonly Figure[]): string {
  const columns = [...new Set(figures.map(({ at }) => at))];
  const designs = [...new Set(figures.map(({ design }) => design))];
  const of = (design: string, at: number): string => {
    const found = figures.find((figure) => figure.design === design && figure.at === at);
    return found === undefined ? '' : number(found.median);
  };
  const width = Math.max(axis.length, ...designs.map(({ length }) => length));
  const line = (head: string, cells: readonly string[]): string =>
    [head.padEnd(width), ...cells.map((cell) => cell.padStart(8))].join('  ');
  return [
    `${name}, ${unit}: ${title}`,
    line(axis, columns.map(String)),
    ...designs.map((design) =>
      line(
        design,
        columns.map((at) => of(design, at)),
      ),
    ),
  ].join('\n');
}

/** Three digits. */
const number = (value: number): string =>
  value >= 100 ? Math.round(value).toLocaleString('en-US') : Number(value.toPrecision(3)).toString();
