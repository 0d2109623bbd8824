// SPDX-License-Identifier: MIT
// @ts-check
// docs/native/results.md, its pictures and the tables of docs/native/webassembly.md, from docs/native/results.json; with --measure, measures first
// and writes that (three to four minutes, on a machine that does nothing else). Needs a build.
//   node scripts/native-results.mjs [--measure]
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { barChartSvg, lineChartSvg } from '@lockless/report';
import { barCharts, lineCharts } from './native-results-charts.mjs';
import { page, wasmTables } from './native-results-page.mjs';
import { isMain, repositoryRoot } from './workspaces.mjs';

/** @typedef {import('@lockless/native-bench').NativeResults} NativeResults */

const DATA = 'docs/native/results.json';
const WASM = 'docs/native/webassembly.md';
/** @param {string} path */
const read = (path) => readFileSync(join(repositoryRoot, path), 'utf8');
/** @param {string} path @param {string} text */
const write = (path, text) => writeFileSync(join(repositoryRoot, path), text);

/** What was measured last. @returns {NativeResults} */
export const recorded = () => JSON.parse(read(DATA));

/** A document with what is between `<!-- NAME -->` and `<!-- end -->` replaced. @param {string} document @param {Record<string, string>} blocks */
const withBlocks = (document, blocks) =>
  document.replace(/<!-- ([\w ]+) -->\n[\s\S]*?<!-- end -->/g, (all, name) =>
    blocks[name] === undefined ? all : `<!-- ${name} -->\n\n${blocks[name]}\n\n<!-- end -->`,
  );

/** Every document that is made of them, by its path. @param {NativeResults} results @returns {Map<string, string>} */
export function documentsOf(results) {
  const pictures = [
    ...Object.entries(barCharts(results)).map(([name, chart]) => /** @type {const} */ ([name, barChartSvg(chart)])),
    ...Object.entries(lineCharts(results)).map(([name, chart]) => /** @type {const} */ ([name, lineChartSvg(chart)])),
  ];
  return new Map([
    ['docs/native/results.md', page(results)],
    [WASM, withBlocks(read(WASM), wasmTables(results))],
    ...pictures.map(([name, svg]) => /** @type {const} */ ([`docs/native/images/${name}.svg`, svg])),
  ]);
}

/** Four digits of each figure: more say nothing. @param {unknown} value */
const four = (value) => (typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value);

function measure() {
  try {
    import.meta.resolve('lmdb');
  } catch {
    // No devDependency: see packages/native-bench/src/subjects/lmdb.ts.
    spawnSync('npm', ['install', '--no-save', '--no-audit', '--no-fund', 'lmdb@3.5.6'], {
      cwd: repositoryRoot,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  }
  const program = join(repositoryRoot, 'apps/lockless/dist/cli.js');
  const stdio = /** @type {import('node:child_process').StdioOptions} */ (['ignore', 'pipe', 'inherit']);
  const run = spawnSync(process.execPath, [program, 'bench', 'native', '--json'], { stdio, encoding: 'utf8' });
  if (run.status !== 0) throw new Error(`lockless bench native ended with ${run.status}`);
  const text = JSON.stringify(JSON.parse(run.stdout), (_, value) => four(value));
  write(DATA, `${text.replaceAll('{"experiment"', '\n{"experiment"')}\n`);
}

if (isMain(import.meta.url)) {
  mkdirSync(join(repositoryRoot, 'docs/native/images'), { recursive: true });
  if (process.argv.includes('--measure')) measure();
  for (const [path, text] of documentsOf(recorded())) write(path, text);
}
