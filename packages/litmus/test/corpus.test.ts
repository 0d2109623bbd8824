// SPDX-License-Identifier: MIT
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { found } from '../src/judge.js';
import { MACROS } from '../src/macros.js';
import { parseLitmus } from '../src/parse.js';
import { solve } from '../src/solve.js';
import { warnings } from '../src/warnings.js';

const folder = new URL('../corpus/', import.meta.url);
const files = readdirSync(folder);
const textOf = (file: string): string => readFileSync(new URL(file, folder), 'utf8');

/** Our own tests. Each says in a comment what LKMM makes of it and why; that was written before the solver existed. */
describe('our own corpus', () => {
  test.each(files)('%s shows what it declares', (file) => {
    const litmus = parseLitmus(textOf(file), file);
    expect(found(solve(litmus))).toBe(litmus.declared);
  });

  test('is as large as promised, and each test has its name, its licence, and a reason', () => {
    expect(files.length).toBeGreaterThanOrEqual(80);
    for (const file of files) {
      const text = textOf(file);
      expect(`${parseLitmus(text, file).name}.litmus`).toBe(file);
      expect(text, file).toMatch(
        /^C [\w-]+\n\n\(\*\n \* SPDX-License-Identifier: MIT\n \*\n \* Result: .+\n \*\n( \* .+\n)+ \*\)\n/,
      );
    }
  });

  test('uses every primitive that is no read-modify-write (primitives.test.ts tries those)', () => {
    const all = files.map(textOf).join();
    const single = ['load', 'store', 'fence', 'fenceAt', 'lock', 'unlock', 'trylock', 'isLocked'];
    for (const [name, { does }] of Object.entries(MACROS)) if (single.includes(does)) expect(all).toContain(`${name}(`);
  });

  test('has each verdict, and says of nothing that it is 0 by mistake', () => {
    const declared = new Set(files.map((file) => parseLitmus(textOf(file), file).declared));
    for (const verdict of ['Never', 'Sometimes', 'Always', 'DEADLOCK', 'Never DATARACE', 'Sometimes DATARACE'])
      expect(declared).toContain(verdict);
    const careless = files.filter((file) => warnings(parseLitmus(textOf(file), file)).length > 0);
    expect(careless).toEqual(['language-undeclared.litmus']);
  });

  /** What holds under a stronger model is what it is called stronger for: every final state of SC is one of TSO. */
  test('a stronger model has no final state that a weaker one lacks', () => {
    for (const file of files) {
      const litmus = parseLitmus(textOf(file), file);
      const states = (model: 'sc' | 'tso'): Set<string> =>
        new Set(
          solve(litmus, { model }).states.map((state) =>
            JSON.stringify(state, (_, value) => (typeof value === 'bigint' ? `${value}` : value)),
          ),
        );
      const weaker = states('tso');
      for (const state of states('sc')) expect(weaker, file).toContain(state);
    }
  });
});
