// SPDX-License-Identifier: MIT
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { strip } from '../src/index.js';

/*
 * Random operations, as text. The generator, driven to its end, and the function that it is translated to must do the same things in the same order and
 * give the same result. `op(n, ...)` notes that it was called and evaluates to a number; what it was given comes first.
 */

/** An expression that may stand wherever an assignment expression may: arguments, branches, the right side of `=`. */
const { expression } = fc.letrec<{ expression: string; operand: string; call: string }>((tie) => ({
  call: fc
    .tuple(
      fc.nat(9),
      fc.array(tie('expression'), { maxLength: 2 }),
      fc.constantFrom('op', '(0, op)', '(null ?? op)', 'o.op', '(o)["op"]'),
    )
    .map(([n, args, callee]) => `${callee}(${[n, ...args].join(', ')})`),
  operand: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.nat(9).map(String),
    fc
      .tuple(tie('call'), fc.constantFrom('', ' ', '\n', ' /* c */ ', ' // c\n'))
      .map(([call, space]) => `(yield*${space}${call})`),
    fc
      .tuple(tie('operand'), fc.constantFrom('+', '*', '&&', '||', '-', ',', '<', '??'), tie('operand'))
      .map(([a, sign, b]) => `((${a}) ${sign} (${b}))`),
    fc.tuple(fc.constantFrom('!', '-', 'typeof ', 'void ', '+'), tie('operand')).map(([sign, a]) => `${sign}(${a})`),
    fc.array(tie('expression'), { maxLength: 2 }).map((list) => `[${list.join(', ')}].length`),
    tie('expression').map((inner) => `\`\${${inner}}\``),
    tie('expression').map((inner) => `({ a: ${inner}, ['x' + (${inner})]: 1 }).a`),
  ),
  expression: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    tie('operand'),
    tie('call').map((call) => `yield* ${call}`),
    fc.tuple(tie('operand'), tie('call'), tie('call')).map(([a, b, c]) => `yield* ${a} ? ${b} : ${c}`),
    fc.tuple(tie('operand'), tie('expression'), tie('expression')).map(([a, b, c]) => `${a} ? ${b} : ${c}`),
    tie('expression').map((inner) => `v = ${inner}`),
    tie('expression').map((inner) => `yield* inner(function* () { return ${inner}; })`),
  ),
}));

const { statements } = fc.letrec<{ statement: string; statements: string }>((tie) => ({
  statement: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.tuple(expression, fc.constantFrom(';', '\n')).map(([text, end]) => text.replace(/^(?=[{(`[+-])/, ';') + end),
    expression.map((text) => `{ const w = ${text}; note(w); }`),
    fc.tuple(expression, tie('statement'), tie('statement')).map(([c, a, b]) => `if (${c}) { ${a} } else { ${b} }`),
    fc
      .tuple(expression, tie('statements'))
      .map(([c, body]) => `for (let i = 0; i < 2 && (note(${c}), true); i++) { ${body} }`),
    tie('statements').map(
      (body) => `try { ${body} throw new Error('x'); } catch { note('caught'); } finally { yield* op(7) }`,
    ),
    expression.map((text) => `if (v === 3) return ${text};`),
    fc.tuple(expression, tie('statements')).map(([c, body]) => `switch (${c}) { case 1: ${body}\ndefault: ${body} }`),
  ),
  statements: fc.array(tie('statement'), { maxLength: 3 }).map((list) => list.join('\n')),
}));

/** Runs the text and tells all that it did. `drive` makes a value of what `body` returns. */
function outcome(text: string, operation: string, drive: string): unknown[] {
  const notes: unknown[] = [];
  const program = `
    const note = (x) => { notes.push(x); return x; };
    ${operation}
    const o = { op };
    let v = 0;
    ${text}
    try { note(${drive}); } catch (error) { note(String(error)); }
  `;
  new Function('notes', program)(notes);
  return notes;
}

const GENERATOR = `
  function* op(n, ...args) { note([n, ...args].join()); v++; return n + args.length; }
  function* inner(body) { note('in'); const x = yield* body(); note('out'); return x; }
  const drive = (g) => { for (;;) { const { done, value } = g.next(); if (done) return value; } };`;
const FUNCTION = `
  function op(n, ...args) { note([n, ...args].join()); v++; return n + args.length; }
  function inner(body) { note('in'); const x = body(); note('out'); return x; }`;

const numRuns = process.env.LOCKLESS_LONG === undefined ? 100 : 2000;

test('a function does what the generator did', () => {
  let delegations = 0;
  fc.assert(
    fc.property(statements, expression, (body, result) => {
      const text = `function* body() { ${body}\nreturn ${result}; }`;
      delegations += text.split('yield*').length - 1;
      const expected = outcome(text, GENERATOR, 'drive(body())');
      const { code } = strip(text, { file: 'random.js' });
      expect(code).not.toMatch(/yield|function\*/);
      expect(outcome(code, FUNCTION, 'body()')).toEqual(expected);
    }),
    { numRuns },
  );
  expect(delegations).toBeGreaterThan(numRuns);
});
