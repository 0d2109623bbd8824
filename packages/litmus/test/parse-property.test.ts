// SPDX-License-Identifier: MIT
import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LitmusError } from '../src/error.js';
import { parseLitmus } from '../src/parse.js';
import { litmusTree } from './arbitrary-litmus.js';
import { sourceText, type Tree } from './source-text.js';

const corpus = new URL('../corpus/', import.meta.url);

/** What was parsed, without where it stood and what follows from the rest. */
function treeOf(source: string): Tree {
  const { source: _source, arrays: _arrays, conditionText: _text, ...tree } = parseLitmus(source);
  return withoutPlaces(tree);
}

const withoutPlaces = <T>(tree: T): T =>
  JSON.parse(
    JSON.stringify(tree, (key, value) =>
      key === 'at' ? { line: 0, column: 0 } : typeof value === 'bigint' ? `${value}n` : value,
    ),
  ) as T;

/** Either a test or an error that says where; anything else is a bug. */
function parseOrExplain(source: string): void {
  try {
    parseLitmus(source, 'some.litmus');
  } catch (error) {
    if (!(error instanceof LitmusError)) throw error;
    expect(error.message).toMatch(/^some\.litmus:\d+:\d+: .+\n {2}\d+ \| .*\n +\|[\t ]+\^$/s);
    const lines = source.split('\n');
    expect(error.line).toBeLessThanOrEqual(lines.length);
    expect(error.column).toBeLessThanOrEqual(lines[error.line - 1].length + 1);
  }
}

describe('any test', () => {
  test('is read back as it was written', () => {
    fc.assert(
      fc.property(litmusTree, (tree) => {
        expect(treeOf(sourceText(tree))).toEqual(withoutPlaces(tree));
      }),
    );
  });

  test('with a piece of it gone or doubled is read, or explained', () => {
    const cut = fc.tuple(fc.nat(), fc.nat(), fc.boolean());
    fc.assert(
      fc.property(litmusTree, cut, (tree, [a, b, twice]) => {
        const text = sourceText(tree);
        const [from, to] = [a % (text.length + 1), b % (text.length + 1)].sort((i, j) => i - j);
        parseOrExplain(text.slice(0, twice ? to : from) + text.slice(twice ? from : to));
      }),
    );
  });

  test('with any characters put in is read, or explained', () => {
    fc.assert(
      fc.property(litmusTree, fc.nat(), fc.string({ unit: 'binary' }), (tree, where, junk) => {
        const text = sourceText(tree);
        const offset = where % (text.length + 1);
        parseOrExplain(text.slice(0, offset) + junk + text.slice(offset));
      }),
    );
  });
});

describe('our own corpus', () => {
  // One of each kind: all would be a hundred thousand texts.
  const kinds = [
    'language-if-else',
    'language-array',
    'language-init-forms',
    'language-do-while-cmpxchg',
    'condition-operators',
    'srcu-overlapping',
  ];
  test.each(kinds)('%s, cut off after any character, is read or explained', (name) => {
    const text = readFileSync(new URL(`${name}.litmus`, corpus), 'utf8');
    for (let length = 0; length < text.length; length++) parseOrExplain(text.slice(0, length));
  });

  test('a test cut off in the middle of a thread is never read', () => {
    for (const file of readdirSync(corpus)) {
      const text = readFileSync(new URL(file, corpus), 'utf8');
      const end = text.lastIndexOf('\n}') + 1;
      expect(() => parseLitmus(text.slice(0, end), file), file).toThrow(LitmusError);
    }
  });
});

describe('what is too deep or too long says so', () => {
  const body = (code: string): string => `C deep\n{}\nP0(int *x)\n{\n${code}\n}\nexists (x=1)`;
  const many = 100_000;
  test.each([
    ['parentheses', body(`r0 = ${'('.repeat(many)}1${')'.repeat(many)};`), 'nested too deeply'],
    ['pointers', body(`r0 = ${'*'.repeat(many)}x;`), 'nested too deeply'],
    ['negations', body(`r0 = ${'!'.repeat(many)}1;`), 'nested too deeply'],
    ['casts', body(`r0 = ${'(int)'.repeat(many)}1;`), 'nested too deeply'],
    ['calls', body(`r0 = ${'f('.repeat(many)}1${')'.repeat(many)};`), 'nested too deeply'],
    ['indices', body(`r0 = ${'x['.repeat(many)}0${']'.repeat(many)};`), 'nested too deeply'],
    ['blocks', body(`${'{'.repeat(many)}${'}'.repeat(many)}`), 'nested too deeply'],
    ['branches', body(`${'if (1) '.repeat(many)};`), 'nested too deeply'],
    ['else if', body(`if (1) ; ${'else if (1) ; '.repeat(many)}`), 'nested too deeply'],
    ['loops', body(`${'while (1) '.repeat(many)};`), 'nested too deeply'],
    ['sums', body(`r0 = 1${' + 1'.repeat(many)};`), 'more than 1000 operators'],
    ['chained indices', body(`r0 = x${'[0]'.repeat(many)};`), 'more than 1000 operators'],
    ['conditions', `C deep\n{}\nP0(int *x) {}\nexists ${'('.repeat(many)}x=1${')'.repeat(many)}`, 'nested too deeply'],
    ['negated conditions', `C deep\n{}\nP0(int *x) {}\nexists (${'~'.repeat(many)}x=1)`, 'nested too deeply'],
    ['implications', `C deep\n{}\nP0(int *x) {}\nexists (x=1${' => x=1'.repeat(many)})`, 'nested too deeply'],
    ['conjunctions', `C deep\n{}\nP0(int *x) {}\nexists (x=1${' /\\ x=1'.repeat(many)})`, 'more than 1000 times'],
  ])('%s', (_kind, source, problem) => {
    expect(() => parseLitmus(source)).toThrow(problem);
  });

  test('comments may nest as deeply as they like', () => {
    const { threads } = parseLitmus(`C deep\n${'(*'.repeat(many)}${'*)'.repeat(many)}\n{}\nP0(int *x) {}`);
    expect(threads).toHaveLength(1);
  });
});
