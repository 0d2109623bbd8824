// SPDX-License-Identifier: MIT
// @ts-check
// docs/specification.md: everything that the five documents name, where it is implemented, and what executes it: scenarios, replays, comparisons
// with the kernel. The names are in specification/rows.mjs; what executes them is found out by running it. Needs a build.
//   node scripts/specification.mjs [--write]
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { camelCase, declared } from './specification/functions.mjs';
import { sections } from './specification/rows.mjs';
import { execute } from './specification/runs.mjs';
import { isMain, repositoryRoot } from './workspaces.mjs';

/** @typedef {import('./specification/rows.mjs').Row} Row @typedef {import('./specification/functions.mjs').Found} Found */
/** @typedef {import('./specification/runs.mjs').Executed} Executed */

const page = join(repositoryRoot, 'docs/specification.md');
const BEGIN = '<!-- table: node scripts/specification.mjs --write -->';
const END = '<!-- /table -->';
const NAMED = 3;

/**
 * What implements a row. Throws when there is nothing by that name.
 * @param {Row} row @param {Map<string, Found[]>} all @returns {Found[]}
 */
export function implementationOf(row, all) {
  if (row.missing !== undefined) return [];
  const places = row.at?.map((at) => at.split('#')) ?? row.names.split(', ').map((name) => ['', camelCase(name)]);
  return places.flatMap(([file = '', name = '']) => {
    const known = all.get(name) ?? all.get(name.replace(/^_+/, '')) ?? [];
    const found = known.filter((one) => file === '' || one.file === file);
    if (found.length === 0)
      throw new Error(`nothing is called ${name}${file === '' ? '' : ` in ${file}`} (${row.names})`);
    return found;
  });
}

/** @param {Found} found @returns {string} */
const keyOf = ({ package: folder, file, name }) => `${folder}/${file}#${name}`;

const packages = readdirSync(join(repositoryRoot, 'packages')).filter((folder) =>
  existsSync(join(repositoryRoot, 'packages', folder, 'test')),
);

/** Tests that name the function. @param {readonly Found[]} found @returns {string[]} */
function testsOf(found) {
  const names = new RegExp(`\\b(?:${found.map(({ name }) => name).join('|')})\\b`);
  return packages.flatMap((folder) => {
    const tests = join(repositoryRoot, 'packages', folder, 'test');
    return readdirSync(tests)
      .filter((file) => file.endsWith('.test.ts') && names.test(readFileSync(join(tests, file), 'utf8')))
      .map((file) => `${folder}/test/${file}`);
  });
}

/** @param {Row} row @returns {string} */
const namesOf = ({ names }) =>
  names
    .split(', ')
    .map((name) => (name.startsWith('version') ? name : `\`${name}\``))
    .join(', ');

/** The first few, and how many more. @param {readonly string[]} all @returns {string} */
const some = (all) =>
  all
    .slice(0, NAMED)
    .map((name) => `\`${name}\``)
    .join(', ') + (all.length > NAMED ? ` and ${all.length - NAMED} more` : '');

/** @param {Row} row @param {Found[]} found @param {Executed} executed @param {string} inside @returns {string} */
function line(row, found, executed, inside) {
  if (row.missing !== undefined)
    return `| ${namesOf(row)} | ${row.documents} | not there: ${row.missing} | – | – | – |`;
  const keys = found.map(keyOf);
  /** @param {Map<string, string[]>} by */
  const those = (by) => [...new Set(keys.flatMap((key) => by.get(key) ?? []))];
  const simulated = [
    ...those(executed.compared)
      .filter((by) => by === 'recordings')
      .map(() => 'run'),
    ...those(executed.simulated),
  ];
  const tests = testsOf(found);
  const compared = those(executed.compared);
  const cells = [
    namesOf(row),
    row.documents,
    [...new Set(found.map(({ name, file, package: folder }) => `[${name}](../packages/${folder}/src/${file})`))].join(
      ', ',
    ) + (row.note === undefined ? '' : `; ${row.note}`),
    some(those(executed.scenarios)) || row.scenario || '',
    [some(simulated), simulated.length === 0 && tests.length > 0 ? `tests: ${some(tests)}` : '']
      .filter(Boolean)
      .join('; ') ||
      row.simulated ||
      '',
    compared.join(', ') || row.kernel || `no: ${inside}`,
  ];
  const empty = cells.indexOf('');
  if (empty >= 0) problems.push(`${row.names}: nothing in column ${empty + 1}`);
  return `| ${cells.join(' | ')} |`;
}

/** @type {string[]} */
export const problems = [];

/** @param {Executed} executed @returns {string} */
export function table(executed) {
  const all = declared();
  return sections
    .map(({ title, kernel, rows }) =>
      [
        `## ${title}`,
        '',
        '| kernel | documents | implemented by | scenarios | simulated | compared with the kernel |',
        '|---|---|---|---|---|---|',
        ...rows.map((row) => line(row, implementationOf(row, all), executed, kernel)),
      ].join('\n'),
    )
    .join('\n\n');
}

if (isMain(import.meta.url)) {
  const text = table(await execute((what) => process.stderr.write(`\r\x1b[K${what}`)));
  process.stderr.write('\r\x1b[K');
  if (process.argv.includes('--write')) {
    const before = readFileSync(page, 'utf8');
    const begin = before.indexOf(BEGIN) + BEGIN.length;
    writeFileSync(page, `${before.slice(0, begin)}\n\n${text}\n\n${before.slice(before.indexOf(END))}`);
  } else process.stdout.write(`${text}\n`);
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  process.exitCode = problems.length > 0 ? 1 : 0;
}
