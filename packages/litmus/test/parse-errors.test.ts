// SPDX-License-Identifier: MIT
import { expect, test } from 'vitest';
import { LitmusError } from '../src/error.js';
import { parseLitmus } from '../src/parse.js';

/** A test with this as the body of its only thread. */
const body = (code: string): string => `C t\n{}\nP0(int *x)\n{\n\t${code}\n}\nexists (x=1)\n`;
/** A test with this behind its only thread. */
const final = (text: string): string => `C t\n{ int a[2]; }\nP0(int *x) {}\n${text}`;
const init = (text: string): string => `C t\n{ ${text} }\nP0(int *x) {}\nexists (x=1)`;
const thread = (text: string): string => `C t\n{}\n${text}\nexists (x=1)`;

function errorOf(source: string): LitmusError {
  try {
    parseLitmus(source, 't.litmus');
  } catch (error) {
    if (error instanceof LitmusError) return error;
    throw error;
  }
  throw new Error(`read without complaint:\n${source}`);
}

/** What can be wrong, by name. */
const WRONG: readonly (readonly [string, string])[] = [
  // The first line and the init block.
  ['nothing', ''],
  ['no first line', 'P0(int *x) {}'],
  ['another language', 'AArch64 MP\n{}\n'],
  ['no name', 'C\n{}\n'],
  ['a binary file', '\u0000\u0001ELF'],
  ['no init block', 'C t\nexists (x=1)'],
  ['an open comment in front', 'C t\n(* never closed\n{}'],
  ['an init block that ends', 'C t\n{ int x = 1;'],
  ['no value', init('int x = ;')],
  ['no variable', init('int * = 1;')],
  ['no semicolon', init('int x = 1 int y = 2;')],
  ['a value twice', init('x=1; int y; int x=2;')],
  ['a register of no thread', init('3:r1=x;')],
  ['a register without name', init('0:=x;')],
  ['an address of a number', init('int *x = &1;')],
  ['ATOMIC_INIT without number', init('atomic_t x = ATOMIC_INIT(y);')],
  ['an array of no length', init('int x[0];')],
  ['an array of too many values', init('int x[2] = {1, 2, 3};')],
  ['a malformed number', init('x=1z;')],
  ['a number that is no whole one', init('x=1.5;')],
  // Threads.
  ['no thread', 'C t\n{}\nexists (x=1)'],
  ['no P0', thread('P1(int *x) {}')],
  ['a thread left out', thread('P0(int *x) {}\nP2(int *x) {}')],
  ['a function', thread('int f(int *x) { }')],
  ['no parameters', thread('P0 {}')],
  ['a parameter that is no pointer', thread('P0(int x) {}')],
  ['a parameter without name', thread('P0(int *) {}')],
  ['a parameter without type', thread('P0(*x) {}')],
  ['no comma', thread('P0(int *x; int *y) {}')],
  ['no body', thread('P0(int *x)')],
  ['an open body', 'C t\n{}\nP0(int *x)\n{\n\tWRITE_ONCE(*x, 1);\nexists (x=1)'],
  ['an open comment', body('/* never closed')],
  ['a comment of the other kind', body('(* comment *) r0 = 1;')],
  // Statements.
  ['no semicolon behind a call', body('WRITE_ONCE(*x, 1)')],
  ['no semicolon behind a load', body('r1 = READ_ONCE(*x) r2 = 1;')],
  ['no closing parenthesis', body('WRITE_ONCE(*x, 1;')],
  ['no argument', body('WRITE_ONCE(*x, );')],
  ['no right side', body('r1 = ;')],
  ['no operand', body('r1 = 1 + ;')],
  ['no left side', body('= 1;')],
  ['a constant on the left', body('1 = r1;')],
  ['a call on the left', body('READ_ONCE(*x) = 1;')],
  ['if without parentheses', body('if r1 == 1 r2 = 1;')],
  ['if without statement', body('if (r1)')],
  ['else alone', body('else r1 = 1;')],
  ['an assignment for a comparison', body('if (r1 = 1) r2 = 1;')],
  ['an assignment in an expression', body('while ((r1 = READ_ONCE(*x)) == 0) ;')],
  ['do without while', body('do r1 = 1; r2 = 1;')],
  ['for with commas', body('for (i = 0, i < 3, i++) ;')],
  ['goto', body('goto out;')],
  ['switch', body('switch (r1) {}')],
  ['break', body('while (1) { break; }')],
  ['continue', body('while (1) continue;')],
  ['return in a branch', body('if (r1) return;')],
  ['return before the end', body('return; r1 = 1;')],
  ['return with a value', body('return 1;')],
  ['a conditional expression', body('r1 = r2 ? 1 : 2;')],
  ['a member', body('r1 = READ_ONCE(x->next);')],
  ['a dot', body('r1 = x.next;')],
  ['an increment in an expression', body('r1 = ++r2;')],
  ['an increment behind an operand', body('r1 = r2++;')],
  ['a call through a pointer', body('(*x)(1);')],
  ['a local array', body('int r[2];')],
  ['a declaration without name', body('int = 1;')],
  ['a string', body('printk("x");')],
  ['a preprocessor line', body('#define A')],
  // Conditions.
  ['an unknown quantifier', final('exits (x=1)')],
  ['an open condition', final('exists (x=1')],
  ['an empty condition', final('exists ()')],
  ['no condition', final('exists')],
  ['no value', final('exists (x=)')],
  ['no comparison', final('exists (0:r1)')],
  ['another comparison', final('exists (0:r1 < 2)')],
  ['C operators', final('exists (0:r1=1 && x=1)')],
  ['text behind it', final('exists (x=1) exists (x=2)')],
  ['a thread that is not there', final('exists (1:r1=1)')],
  ['a thread that is not there, filtered', final('filter (4:r1=1) exists (x=1)')],
  ['an open list', final('locations [x; y')],
  ['a list with commas', final('locations [x, y] exists (x=1)')],
  ['a whole array', final('exists (a=1)')],
  ['an element too far', final('exists (a[2]=1)')],
  ['an element of no array', final('exists (x[1]=1)')],
];

test('every message is as the file of all messages shows it', async () => {
  const texts = WRONG.map(([name, source]) => {
    const error = errorOf(source);
    expect(error.message.startsWith(`t.litmus:${error.line}:${error.column}: ${error.problem}\n`)).toBe(true);
    return `${name}\n${error.message}\n`;
  });
  await expect(texts.join('\n')).toMatchFileSnapshot('parse-errors.txt');
});

test.each([
  [
    'a tab before it',
    body('r1 = READ_ONCE(*x) r2;'),
    't.litmus:5:21: expected ";" after the statement, found "r2"\n  5 | \tr1 = READ_ONCE(*x) r2;\n    | \t                   ^',
  ],
  [
    'the end of the file',
    'C t\n{}\nP0(int *x) {}\nexists (x=1',
    't.litmus:4:12: expected ")" after the condition, found the end of the file\n  4 | exists (x=1\n    |            ^',
  ],
  [
    'a long line',
    `C t\n{}\nP0(int *x) { ${'r1 = 1; '.repeat(50)}r2 = ; }`,
    `t.litmus:3:419: expected an expression, found ";"\n  3 |  = 1; ${'r1 = 1; '.repeat(6)}r2 = ; }\n    | ${' '.repeat(59)}^`,
  ],
  [
    'lines that end in CR LF',
    'C t\r\n{}\r\nP0(int *x) { r1 }\r\n',
    't.litmus:3:17: expected ";" after the statement, found "}"\n  3 | P0(int *x) { r1 }\n    |                 ^',
  ],
])('the excerpt shows %s', (_name, source, expected) => {
  expect(errorOf(source).message).toBe(expected);
});
