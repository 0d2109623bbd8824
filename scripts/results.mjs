// SPDX-License-Identifier: MIT
// @ts-check
// docs/results.md and its pictures, from docs/results.json; given what `lockless bench pagecache --json`, `lockless bench rmap --json` and
// `lockless bench pagecache --experiment lookups --experiment direct-io --caches xeon --json` printed (some minutes on one core), writes that first.
//   node scripts/results.mjs [PAGECACHE.json RMAP.json XEON.json]
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lineChartSvg } from '@lockless/report';
import { charts } from './results-charts.mjs';
import { page } from './results-page.mjs';
import { isMain, repositoryRoot } from './workspaces.mjs';

const data = 'docs/results.json';
/** @typedef {import('@lockless/experiments').Results} Results */
/** @typedef {import('./results-charts.mjs').Recorded} Recorded */

/** What the runs wrote. @returns {Recorded} */
export const recorded = () => JSON.parse(readFileSync(join(repositoryRoot, data), 'utf8'));

/** @param {string} path @returns {Results} */
function readResults(path) {
  /** @type {Results} */
  const results = JSON.parse(readFileSync(path, 'utf8'));
  if (!results.complete) throw new Error(`${path}: the run was interrupted`);
  return results;
}

/** Every document that is made of them, by its path. @param {Recorded} results @returns {Map<string, string>} */
export function documentsOf(results) {
  const pictures = Object.entries(charts(results)).map(
    ([name, chart]) => /** @type {const} */ ([`docs/images/${name}.svg`, lineChartSvg(chart)]),
  );
  return new Map([['docs/results.md', page(results)], ...pictures]);
}

/** Six digits of each figure: more say nothing. @param {Results} results @returns {Results} */
function rounded(results) {
  /** @param {number} value */
  const six = (value) => Number(value.toPrecision(6));
  const figures = results.figures.map((figure) => ({
    ...figure,
    median: six(figure.median),
    lowest: six(figure.lowest),
    highest: six(figure.highest),
  }));
  return { ...results, figures };
}

if (isMain(import.meta.url)) {
  const [pagecache, rmap, xeon] = process.argv.slice(2).map((path) => rounded(readResults(path)));
  if (pagecache !== undefined && rmap !== undefined && xeon !== undefined) {
    const results = { pagecache, rmap, xeon };
    const lines = JSON.stringify(results).replaceAll('{"experiment"', '\n{"experiment"');
    writeFileSync(join(repositoryRoot, data), `${lines}\n`);
  }
  mkdirSync(join(repositoryRoot, 'docs/images'), { recursive: true });
  for (const [path, text] of documentsOf(recorded())) writeFileSync(join(repositoryRoot, path), text);
}
