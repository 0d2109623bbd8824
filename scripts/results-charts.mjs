// SPDX-License-Identifier: MIT
// @ts-check
/** @import { Figure, Published, Results } from '@lockless/experiments' */
/** @import { ChartPoint, ChartSeries, LineChart } from '@lockless/report' */
import { PUBLISHED_FAULTS, PUBLISHED_GANG, PUBLISHED_SDET, PUBLISHED_WRITERS } from '@lockless/experiments';

/** @typedef {{ readonly pagecache: Results, readonly rmap: Results, readonly xeon: Results }} Recorded what docs/results.json holds */

/** One colour for one design, in every chart. */
const COLORS = {
  'tree-lock': 2,
  nonewrefs: 4,
  'freeze-refs': 1,
  lockless: 1,
  get_user_pages: 2,
  get_user_pages_fast: 1,
  'pte-chain': 2,
  objrmap: 4,
  anonmm: 3,
  'anon-vma': 1,
};
/** @param {string} design */
const colorOf = (design) => COLORS[/** @type {keyof typeof COLORS} */ (design)] ?? 5;

/** The figures of one experiment in one unit, looked up by design and size. */
export class Measured {
  /** @param {Results} results @param {string} experiment @param {string} unit */
  constructor({ figures }, experiment, unit) {
    /** @type {readonly Figure[]} */
    this.figures = figures.filter((figure) => figure.experiment === experiment && figure.unit === unit);
    if (this.figures.length === 0) throw new Error(`nothing was measured of ${experiment} in ${unit}`);
    this.designs = [...new Set(this.figures.map(({ design }) => design))];
    this.sizes = [...new Set(this.figures.map(({ at }) => at))];
  }

  /** @param {string} design @param {number} at @returns {Figure} */
  find(design, at) {
    const found = this.figures.find((figure) => figure.design === design && figure.at === at);
    if (found === undefined) throw new Error(`nothing was measured of ${design} at ${at}`);
    return found;
  }

  /** @param {string} design @param {number} at */
  median(design, at) {
    return this.find(design, at).median;
  }

  /** @param {string} design @param {(at: number) => number} [base] what 1 is, at each size @returns {ChartPoint[]} */
  points(design, base = () => 1) {
    return this.sizes.map((at) => {
      const { median, lowest, highest } = this.find(design, at);
      const one = base(at);
      return { x: at, y: median / one, lowest: lowest / one, highest: highest / one };
    });
  }

  /** Lines of all designs, each in terms of `base`. @param {(design: string, at: number) => number} [base] @returns {ChartSeries[]} */
  lines(base = () => 1) {
    return this.designs.map((design) => ({
      name: design,
      color: colorOf(design),
      points: this.points(design, (at) => base(design, at)),
    }));
  }

  /** In terms of itself at the smallest size. @returns {ChartSeries[]} */
  relative() {
    return this.lines((design) => this.median(design, this.sizes[0] ?? 1));
  }
}

/**
 * Published figures in terms of what they are at the smallest size.
 * @param {Published} published @param {boolean} [inverse] less is better: seconds @returns {ChartSeries[]}
 */
function publishedLines({ values }, inverse = false) {
  return Object.entries(values).map(([design, pairs]) => {
    const one = pairs[0]?.[1] ?? 1;
    return {
      name: `published, ${design}`,
      color: colorOf(design),
      kind: 'published',
      points: pairs.map(([x, value]) => ({ x, y: inverse ? one / value : value / one })),
    };
  });
}

/** As many times as fast on n CPUs. @param {readonly number[]} sizes @returns {ChartSeries} */
const ideal = (sizes) => ({
  name: 'n times',
  color: 1,
  kind: 'reference',
  points: [sizes[0] ?? 1, sizes[sizes.length - 1] ?? 1].map((n) => ({ x: n, y: n })),
});

const cpus = { title: 'CPUs', log: true };
const timesOne = { log: true };

/** Every chart, by the name of its file. @param {Recorded} results @returns {Record<string, LineChart>} */
export function charts({ pagecache, rmap, xeon }) {
  /** @param {string} experiment @param {string} unit */
  const cache = (experiment, unit) => new Measured(pagecache, experiment, unit);
  /** @param {string} experiment @param {string} unit */
  const way = (experiment, unit) => new Measured(rmap, experiment, unit);
  const lookups = cache('lookups', 'lookups/µs');
  const faults = cache('faults', 'faults/µs');
  const scripts = way('scripts', 'scripts/ms');
  const pins = cache('pins', 'requests/µs');
  const patterns = /** @type {const} */ ([
    ['lookups', 'own pages', 1],
    ['shared-pages', 'any pages', 3],
    ['hot-page', 'one page', 2],
  ]);
  const log = { log: true };
  return {
    lookups: {
      title: 'Lookups of cached pages: the lock falls, lockless rises',
      x: cpus,
      y: { ...timesOne, title: 'lookups per second, times those of one CPU, logarithmic' },
      series: [
        ideal(lookups.sizes),
        ...lookups.relative(),
        ...new Measured(xeon, 'lookups', 'lookups/µs')
          .relative()
          .filter(({ name }) => name === 'tree-lock')
          .map((series) => ({ ...series, name: 'tree-lock, xeon', color: 6 })),
      ],
    },
    faults: {
      title: 'Read faults of a cached file, as in June 2005',
      x: { title: 'processes, each on a CPU of its own', log: true },
      y: { ...timesOne, title: 'faults per second, times those of one process, logarithmic' },
      series: [
        ideal(faults.sizes),
        ...faults.relative().filter(({ name }) => name !== 'nonewrefs'),
        ...publishedLines(PUBLISHED_FAULTS, true),
      ],
    },
    patterns: {
      title: 'freeze-refs: what is left is the count of the page',
      x: cpus,
      y: { ...timesOne, title: 'lookups per second, times those of one CPU, logarithmic' },
      series: patterns.map(([experiment, name, color]) => {
        const found = cache(experiment, 'lookups/µs');
        return { name, color, points: found.points('freeze-refs', () => found.median('freeze-refs', 1)) };
      }),
    },
    writers: {
      title: 'Writers of one file: the lock that is left',
      x: cpus,
      y: { title: 'pages per second, times those of one CPU' },
      series: [...cache('writers', 'pages/µs').relative(), ...publishedLines(PUBLISHED_WRITERS)],
    },
    gang: {
      title: 'Several pages in one lookup, 4 CPUs',
      x: { title: 'pages in one lookup', log: true },
      y: { ...timesOne, title: 'pages per second, times those of single lookups, logarithmic' },
      series: [...cache('gang', 'pages/µs').relative(), ...publishedLines(PUBLISHED_GANG)],
    },
    pins: {
      title: 'Pages pinned by threads of one process',
      x: cpus,
      y: { ...timesOne, title: 'pages per second, times those of get_user_pages on one CPU, logarithmic' },
      series: pins.lines(() => pins.median('get_user_pages', 1)),
    },
    sharing: {
      title: 'page_remove_rmap() of a page that several processes map',
      x: { title: 'processes', log: true },
      y: { ...log, title: 'ns of simulated time, logarithmic' },
      series: way('sharing', 'page_remove_rmap: ns').lines(),
    },
    bookkeeping: {
      title: 'Memory of the reverse mapping',
      x: { title: 'processes that map the same 64 pages of a file', log: true },
      y: { title: 'bytes for each mapping, struct page not counted' },
      series: way('sharing', 'bytes/mapping').lines(),
    },
    reclaim: {
      title: 'try_to_unmap() of a page that one of many areas has',
      x: { title: 'areas of the file', log: true },
      y: { ...log, title: 'ns of simulated time for each page, logarithmic' },
      series: way('reclaim-many-areas', 'try_to_unmap: ns/page').lines(),
    },
    scripts: {
      title: 'Short-lived processes on several CPUs, against chains',
      x: cpus,
      y: { title: 'throughput, % of that with pte-chain', from: 80 },
      series: [
        ...scripts.lines((_, at) => scripts.median('pte-chain', at) / 100).filter(({ name }) => name !== 'pte-chain'),
        ...Object.entries(PUBLISHED_SDET.values)
          .filter(([design]) => scripts.designs.includes(design))
          .map(
            ([design, pairs]) =>
              /** @type {ChartSeries} */ ({
                name: `published, ${design}`,
                color: colorOf(design),
                kind: 'published',
                points: pairs.map(([x, y]) => ({ x, y })),
              }),
          ),
      ],
    },
  };
}
