// SPDX-License-Identifier: MIT
// @ts-check
/** @import { NativeFigure, NativeResults } from '@lockless/native-bench' */
/** @import { Bar, BarChart, LineChart } from '@lockless/report' */

/** The figures of one measure of one experiment, in the order in which they were measured. */
export class Measured {
  /** @param {NativeResults} results @param {string} experiment @param {string} measure */
  constructor({ figures }, experiment, measure) {
    /** @type {readonly NativeFigure[]} */
    this.figures = figures.filter((figure) => figure.experiment === experiment && figure.measure === measure);
  }

  get subjects() {
    return [...new Set(this.figures.map(({ subject }) => subject))];
  }

  /** @param {string} subject @param {number} [at] @returns {NativeFigure | undefined} */
  of(subject, at) {
    return this.figures.find((figure) => figure.subject === subject && (at === undefined || figure.at === at));
  }
}

/** One colour for each kind of thing. @param {string} subject */
function colorOf(subject) {
  if (subject.includes('tree_lock')) return 2;
  if (subject.includes('by hand')) return 4;
  if (/(^|, )wasm/.test(subject)) return 5;
  if (/^native|lockless|^own pages, peek|^one page, peek|FileCache/.test(subject)) return 1;
  return 6;
}

/** @param {Measured} measured @param {(figure: NativeFigure) => boolean} [chosen] @returns {Bar[]} */
const barsOf = ({ figures }, chosen = () => true) =>
  figures.filter(chosen).map(({ subject, median, low, high }) => ({
    name: subject,
    value: median,
    lowest: low,
    highest: high,
    color: colorOf(subject),
  }));

/** @param {NativeResults} results @returns {Record<string, BarChart>} */
export function barCharts(results) {
  return {
    lookup: {
      title: 'A lookup of a cached page, one thread',
      axis: { title: 'ns, logarithmic; thin lines from the 10th to the 90th percentile of the rounds', log: true },
      bars: barsOf(new Measured(results, 'lookup', 'ns')),
    },
    scaling: {
      title: 'Two threads at the same time',
      axis: { title: 'lookups of both, times those of one thread alone' },
      bars: barsOf(new Measured(results, 'two threads', 'two threads, × one')),
      mark: { value: 1, name: 'one thread' },
    },
    files: {
      title: 'Pages of a file of four times the budget, two threads',
      axis: { title: 'reads of 4 KiB per ms, both threads; the operating system has the whole file in memory' },
      bars: barsOf(new Measured(results, 'files', 'reads/ms, two threads')),
    },
  };
}

/** @param {NativeResults} results @returns {Record<string, LineChart>} */
export function lineCharts(results) {
  const measured = new Measured(results, 'working set', 'ns');
  return {
    'working-set': {
      title: 'A lookup, by the number of pages',
      x: { title: 'pages, all equally likely', log: true },
      y: { title: 'ns' },
      series: measured.subjects.map((subject, i) => ({
        name: subject,
        color: [1, 4, 3, 6][i % 4] ?? 1,
        points: measured.figures
          .filter((figure) => figure.subject === subject)
          .map(({ at = 0, median, low, high }) => ({ x: at, y: median, lowest: low, highest: high })),
      })),
    },
  };
}
