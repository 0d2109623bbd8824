// SPDX-License-Identifier: MIT
import { readFileSync } from 'node:fs';
import { scenarios } from '@lockless/scenarios';
import { describe, expect, it } from 'vitest';
import { rowsOf, section } from '../scripts/scenarios.mjs';

/** All of them are run by `npm run scenarios`, which CI does; here the first, and with `LOCKLESS_LONG` every fiftieth. */
const EVERY = process.env.LOCKLESS_LONG === undefined ? scenarios.length : 50;

const page = readFileSync(new URL('../docs/scenarios.md', import.meta.url), 'utf8');
const sections = new Map(
  page
    .slice(page.indexOf('\n### '), page.indexOf('<!-- /catalogue -->'))
    .split(/\n(?=### )/)
    .filter((text) => text.startsWith('### '))
    .map((text) => [text.slice(4, text.indexOf('\n')), text.trim()]),
);
/** Cells of the row that leaves this out, by model. */
const cells = (text: string, without: string): string[] =>
  text
    .split('\n')
    .find((line) => line.startsWith(`| ${without} |`))
    ?.split(' | ')
    .slice(1)
    .map((cell) => cell.replace(/ \|$/, '')) ?? [];

describe('docs/scenarios.md', () => {
  it('has every scenario, in the order of the catalogue', () => {
    expect([...sections.keys()]).toEqual(scenarios.map(({ name }) => name));
    expect(page).not.toContain('not as claimed');
  });

  it.each(scenarios.map((s) => [s.name, s] as const))('says of %s what the catalogue claims', (name, scenario) => {
    const text = sections.get(name) ?? '';
    expect(text).toContain(scenario.summary);
    for (const found of cells(text, '—')) expect(found).toMatch(/^holds \([\d,]+\)$/);
    expect(cells(text, '—')).toHaveLength(3);
    for (const guard of scenario.guards) {
      const found = cells(text, `\`${guard.name}\``);
      const claims = [guard.without.sc, guard.without.tso, guard.without.lkmm];
      expect(found).toHaveLength(3);
      claims.forEach((claim, i) => {
        if (claim === 'holds') expect(found[i]).toMatch(/^holds \([\d,]+\)$/);
        else expect(found[i].startsWith(`**${claim.kind}**`), `${guard.name}: ${found[i]}`).toBe(true);
      });
    }
  });

  it.each(scenarios.filter((_, i) => i % EVERY === 0).map((s) => [s.name, s] as const))(
    'gives of %s the numbers of a run',
    async (name, scenario) => {
      expect(sections.get(name)).toBe(section(scenario, await rowsOf(scenario)));
    },
    120_000,
  );
});
