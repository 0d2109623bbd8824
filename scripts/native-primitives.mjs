// SPDX-License-Identifier: MIT
// @ts-check
// The table of docs/native/engine.md: what each primitive is natively, from NATIVE_PRIMITIVES of @lockless/cpu/native. Needs a build.
//   node scripts/native-primitives.mjs [--write]
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { NATIVE_PRIMITIVES } from '@lockless/cpu/native';
import { isMain, repositoryRoot } from './workspaces.mjs';

export const engineDocument = join(repositoryRoot, 'docs/native/engine.md');

const TABLE = /(<!-- native primitives -->\n\n)[\s\S]*?(<!-- end -->)/;

/** Primitives that are performed in the same way, for the same reason, in one row. @returns {string} */
function table() {
  /** @type {Map<string, string[]>} */
  const rows = new Map();
  for (const { name, fastBy, strictBy, because } of NATIVE_PRIMITIVES) {
    const row = [fastBy, strictBy === fastBy ? 'the same' : strictBy, because].join(' | ');
    rows.set(row, [...(rows.get(row) ?? []), `\`${name}\``]);
  }
  const lines = [...rows].map(([row, names]) => `| ${names.join(', ')} | ${row} |`);
  return ['| primitive | fast (x86) | strict | why fast is enough |', '|---|---|---|---|', ...lines, ''].join('\n');
}

/** The document with its table as it should be. @param {string} markdown @returns {string} */
export const withTable = (markdown) => markdown.replace(TABLE, (_, head, tail) => `${head}${table()}\n${tail}`);

if (isMain(import.meta.url)) {
  const before = readFileSync(engineDocument, 'utf8');
  const after = withTable(before);
  if (after === before) process.exit();
  console.log(`docs/native/engine.md ${process.argv.includes('--write') ? 'written' : 'differs'}`);
  if (process.argv.includes('--write')) writeFileSync(engineDocument, after);
  else process.exitCode = 1;
}
