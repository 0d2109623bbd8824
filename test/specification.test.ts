// SPDX-License-Identifier: MIT
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { declared } from '../scripts/specification/functions.mjs';
import { sections } from '../scripts/specification/rows.mjs';
import { implementationOf } from '../scripts/specification.mjs';

const page = readFileSync(new URL('../docs/specification.md', import.meta.url), 'utf8');
const all = declared();
const rows = sections.flatMap(({ rows }) => rows);

/** Cells of each row of the page, without the header lines. */
const lines = page
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| kernel |'))
  .map((line) => line.slice(2, -2).split(' | '));

describe('docs/specification.md', () => {
  it('has a row for each that the documents name, and no cell without a word', () => {
    expect(lines).toHaveLength(rows.length);
    for (const cells of lines) {
      expect(cells, cells[0]).toHaveLength(6);
      for (const cell of cells) expect(cell.trim(), cells[0]).not.toBe('');
    }
  });

  it.each(rows.map((row, i) => [row.names, row, lines[i] ?? []] as const))(
    '%s is where the page says',
    (_, row, cells) => {
      for (const name of row.names.split(', ')) expect(cells[0]).toContain(name);
      const found = implementationOf(row, all);
      expect(found.length > 0 || row.missing !== undefined).toBe(true);
      for (const { name, package: folder, file } of found)
        expect(cells[2]).toContain(`[${name}](../packages/${folder}/src/${file})`);
    },
  );
});
