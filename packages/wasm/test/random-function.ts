// SPDX-License-Identifier: MIT
import fc from 'fast-check';

/*
 * Random functions of the subset, as text. Variables a and b are parameters, v and w are the function's own, i counts; `words` has 64 words. Loops end by themselves.
 */

const variable = fc.constantFrom('a', 'b', 'v', 'w');
const number = fc.oneof(fc.integer({ min: -9, max: 70 }), fc.constantFrom(65_535, -(2 ** 20))).map(String);

interface Texts {
  int: string;
  condition: string;
  statement: string;
}

const of = (tie: fc.LetrecTypedTie<Texts>): { [K in keyof Texts]: fc.Arbitrary<Texts[K]> } => {
  const int = tie('int');
  const condition = tie('condition');
  const statement = tie('statement');
  const address = int.map((e) => `(${e} & 63)`);
  const two = (...operators: string[]): fc.Arbitrary<string> =>
    fc.tuple(int, fc.constantFrom(...operators), int).map(([x, o, y]) => `(${x} ${o} ${y})`);
  const block = fc.array(statement, { minLength: 1, maxLength: 3 }).map((all) => `{ ${all.join(' ')} }`);
  return {
    int: fc.oneof(
      { maxDepth: 3 },
      variable,
      number,
      two('+', '-', '&', '|', '^', '<<', '>>'),
      two('+', '-').map((sum) => `(${sum} | 0)`),
      fc.tuple(int, fc.integer({ min: 1, max: 31 })).map(([x, n]) => `(${x} >>> ${n})`),
      fc.tuple(int, fc.integer({ min: 1, max: 9 })).map(([x, n]) => `(${x} % ${n})`),
      fc.tuple(int, fc.integer({ min: -5, max: 99 })).map(([x, n]) => `(${x} * ${n})`),
      fc.tuple(int, int).map(([x, y]) => `Math.imul(${x}, ${y})`),
      int.map((x) => `(~${x})`),
      int.map((x) => `(- ${x})`),
      address.map((at) => `attached.words[${at}]`),
      fc
        .tuple(fc.constantFrom('add', 'sub', 'and', 'or', 'xor', 'exchange'), address, int)
        .map(([name, at, x]) => `Atomics.${name}(attached.words, ${at}, ${x})`),
      fc.tuple(address, int, int).map(([at, x, y]) => `Atomics.compareExchange(attached.words, ${at}, ${x}, ${y})`),
      fc.tuple(condition, int, int).map(([c, x, y]) => `(${c} ? ${x} : ${y})`),
      fc
        .tuple(fc.constantFrom('first', 'second', 'twice', 'TABLE[attached.words[3] & 1].run'), int, int)
        .map(([f, x, y]) => `${f}(${x}, ${y})`),
      int.map((x) => `NUMBERS[${x} & 3]`),
    ),
    condition: fc.oneof(
      { maxDepth: 2 },
      two('<', '>', '<=', '>=', '===', '!=='),
      fc.tuple(int, fc.constantFrom('<', '>=', '==='), int).map(([x, o, y]) => `((${x} >>> 0) ${o} (${y} >>> 0))`),
      fc.tuple(condition, fc.constantFrom('&&', '||'), condition).map(([x, o, y]) => `(${x} ${o} ${y})`),
      condition.map((x) => `!${x}`),
    ),
    statement: fc.oneof(
      { maxDepth: 2 },
      fc.tuple(variable, fc.constantFrom('=', '+=', '-=', '^='), int).map(([x, o, e]) => `${x} ${o} ${e};`),
      variable.map((x) => `${x}++;`),
      fc.tuple(address, fc.constantFrom('=', '+=', '|='), int).map(([at, o, e]) => `attached.words[${at}] ${o} ${e};`),
      fc
        .tuple(condition, block, fc.option(block))
        .map(([c, x, y]) => `if (${c}) ${x}${y === null ? '' : ` else ${y}`}`),
      fc
        .tuple(fc.nat(4), block, condition)
        .map(([n, body, c]) => `for (let i = 0; i < ${n}; i++) { ${body} if (${c}) continue; v = (v + i) | 0; }`),
      fc.tuple(condition, block).map(([c, body]) => `for (;;) { ${body} if (${c}) break; break; }`),
      fc
        .tuple(fc.nat(), block, condition, block)
        .map(([n, x, c, y]) => `out${n}: { ${x} if (${c}) break out${n}; ${y} }`),
      fc.tuple(block, fc.nat(3)).map(([body, n]) => `{ let k = 0; do { ${body} k += 1; } while (k < ${n}); }`),
      fc.tuple(condition, int).map(([c, x]) => `if (${c}) return ${x};`),
      fc.tuple(int, variable).map(([x, y]) => `{ const c = ${x}; ${y} = (c ^ ${y}); }`),
    ),
  };
};

const { int, statement } = fc.letrec<Texts>(of);
const functionText = (name: string, body: string, result: string): string =>
  `export function ${name}(a, b) { let v = 1, w = b; ${body} return ${result}; }`;

/** A module of some functions f0, f1, ..., and what they call. */
export const randomModule = (functions: number): fc.Arbitrary<string> =>
  fc.array(fc.tuple(fc.array(statement, { maxLength: 5 }), int), { minLength: functions, maxLength: functions }).map(
    (
      bodies,
    ) => `export const attached = { words: new Int32Array(new SharedArrayBuffer(65536)), thisCpu: { id: 0, fence: 0 } };
const first = (x, y) => ((x ^ y) & 1023) - x;
const second = function (x, y) { let sum = 0; for (let n = x & 3; n > 0; n--) sum = (sum + y) | 0; if (sum > 5) return sum - 1; return attached.words[sum & 63]; };
const withTwo = (f) => (x, y) => (f(x, y) + f(y, x)) | 0;
const twice = withTwo(second);
const TABLE = [{ run: first }, { run: twice }];
const NUMBERS = [7, 0, -3, 1000000];
${bodies.map(([statements, result], at) => functionText(`f${at}`, statements.join(' '), result)).join('\n')}
`,
  );
