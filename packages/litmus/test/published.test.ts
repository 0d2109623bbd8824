// SPDX-License-Identifier: MIT
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { finalStates, observation } from '../src/output.js';
import { parseLitmus } from '../src/parse.js';
import { solve } from '../src/solve.js';

/**
 * The kernel's own litmus tests and others, with what herd7 says of them. They have other licences than ours and are not in the repository:
 * LITMUS_TESTS names a folder with them and a table verdicts.tsv (path, declared, observation, states, positive, negative, race, final states).
 */
const FOLDER = process.env.LITMUS_TESTS;

const rows =
  FOLDER === undefined
    ? []
    : readFileSync(join(FOLDER, 'verdicts.tsv'), 'utf8')
        .trimEnd()
        .split('\n')
        .slice(1)
        .map((line) => line.split('\t'));

/** What nothing determines has a number that says nothing. */
const anonymous = (states: string): string => states.replace(/=S\d+;/g, '=S;');

describe.skipIf(FOLDER === undefined)('published tests have the verdicts of herd7 (LITMUS_TESTS)', () => {
  test.each(rows)('%s', (path, declared, ...expected) => {
    const litmus = parseLitmus(readFileSync(join(FOLDER ?? '', path), 'utf8'), path);
    const outcome = solve(litmus);
    const { positive, negative, flags, states } = outcome;
    const race = flags.includes('data-race') ? 'yes' : 'no';
    expect(litmus.declared ?? '-').toBe(declared);
    expect([observation(outcome), states.length, positive, negative, race].map(String)).toEqual(expected.slice(0, 5));
    // The table leaves out the states where they are very many.
    const listed = expected[5] ?? '';
    if (listed !== '') expect(anonymous(finalStates(outcome).sort().join(' | '))).toBe(anonymous(listed));
  });
});
