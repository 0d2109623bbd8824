// SPDX-License-Identifier: MIT
import { expect, test } from 'vitest';
import { checkFileLength } from '../scripts/check-file-length.mjs';
import { plantedRepository, repositoryRoot } from './planted-repository.js';

/** A file of so many lines, most of them within a comment, which count too. */
const ofLines = (lines: number): string => `/*\n${' *\n'.repeat(lines - 3)} */\nexport {};\n`;

test('no file of the repository is too long', () => {
  expect(checkFileLength(repositoryRoot)).toEqual([]);
});

test.each([
  'packages/cpu/src/a.ts',
  'packages/rcu/test/a.test.ts',
  'scripts/a.mjs',
  'test/a.test.ts',
  'apps/x/src/a.js',
])('%s may have 300 lines, not 301', (path) => {
  expect(checkFileLength(plantedRepository({ [path]: ofLines(300) }))).toEqual([]);
  expect(checkFileLength(plantedRepository({ [path]: ofLines(301) }))).toEqual([
    `${path}: 301 lines, the limit is 300`,
  ]);
});

test('texts, data and what is built may be as long as they like', () => {
  const files = ['packages/cpu/README.md', 'packages/cpu/test/cases.txt', 'packages/cpu/dist/index.js'];
  expect(checkFileLength(plantedRepository(Object.fromEntries(files.map((file) => [file, ofLines(1000)]))))).toEqual(
    [],
  );
});
