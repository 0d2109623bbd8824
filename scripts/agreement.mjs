// SPDX-License-Identifier: MIT
// The README's table of simulated against real numbers, from runs of the bundled recordings with the command line's defaults. Runs are
// deterministic, so the table is too: test/agreement.long.test.ts holds the README to it.
//   node scripts/agreement.mjs [--write]
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { readRecording } from '@lockless/recording';
import { simulate } from '@lockless/replay';

const NAMES = ['git-status', 'gcc-hello', 'python-start', 'sqlite-threads'];
const COLUMNS = [
  ['faults.total', 'page faults'],
  ['faults.anonymous', 'anonymous'],
  ['faults.file', 'file'],
  ['faults.cow', 'copy-on-write'],
  ['pagecache.added', 'pages added to the cache'],
  ['rss.file.exit', 'resident at exit, file'],
  ['rss.anon.exit', 'anonymous'],
];
const BEGIN = '<!-- agreement: node scripts/agreement.mjs --write -->';
const END = '<!-- /agreement -->';

const number = (n) => n.toLocaleString('en-US');

/** One number where both sides agree, item by item; else simulated / real. */
function cell({ simulated, real, agreement }) {
  if (agreement === 1) return number(simulated);
  return `${number(simulated)} / ${number(real)}`;
}

/** The table, as Markdown. */
export async function agreementTable() {
  const rows = [];
  for (const name of NAMES) {
    const recording = await readRecording(fileURLToPath(new URL(`../recordings/${name}.lkr.gz`, import.meta.url)));
    const { comparison } = await simulate(recording, { path: name });
    const measures = new Map(comparison.measures.map((measure) => [measure.name, measure]));
    rows.push(`| \`${name}\` | ${COLUMNS.map(([key]) => cell(measures.get(key))).join(' | ')} |`);
  }
  return [
    `| recording | ${COLUMNS.map(([, title]) => title).join(' | ')} |`,
    `|---|${COLUMNS.map(() => '--:').join('|')}|`,
    ...rows,
  ].join('\n');
}

/** The README with its table replaced. */
export function withTable(readme, table) {
  const begin = readme.indexOf(BEGIN);
  const end = readme.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`README.md: expected ${BEGIN} … ${END}`);
  return `${readme.slice(0, begin + BEGIN.length)}\n\n${table}\n\n${readme.slice(end)}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const table = await agreementTable();
  process.stdout.write(`${table}\n`);
  const path = fileURLToPath(new URL('../README.md', import.meta.url));
  if (process.argv.includes('--write')) writeFileSync(path, withTable(readFileSync(path, 'utf8'), table));
}
