// SPDX-License-Identifier: MIT
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { inlineCalls } from '../src/inline/inline.js';
import type { Offered } from '../src/inline/offered.js';
import { assemble } from '../src/inline/written.js';

/*
 * Random modules whose functions call each other, in every place where a call is written out: they must do the same things in the same order afterwards.
 * `note(n)` notes that it was called and gives a number; names are few, so that those of one function are often those of another.
 */

const name = fc.constantFrom('a', 'b', 'v');
const atom = fc.oneof(name, fc.constantFrom('m', 'o.x', 'k', '3', '(-2)'));
const sign = fc.constantFrom('+', '*', '&', '<', '===', '&&', '||');
const small = fc.oneof(
  atom,
  atom.map((a) => `note(${a})`),
  fc.tuple(atom, sign, atom).map(([a, op, b]) => `(${a} ${op} ${b})`),
);
const argument = fc.oneof(
  small,
  fc.constantFrom('(m = 2)', '(v = 3)', '(true && a)', '(false ? m++ : v)', '[a].map((n) => (v = n))[0]'),
);
const call = fc.tuple(fc.nat(7), argument, argument).map(([n, a, b]) => `f${n}(${n % 2 ? `${a}, ${b}` : a})`);
const expression = fc.oneof(
  small,
  call,
  fc.tuple(call, sign, argument).map(([a, op, b]) => `(${a} ${op} ${b})`),
  fc.tuple(small, call, call).map(([c, a, b]) => `(${c} ? ${a} : ${b})`),
);

const { statement } = fc.letrec<{ statement: string }>((tie) => ({
  statement: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    expression.map((text) => `${text};`),
    expression.map((text) => `{ const w = ${text}; note(w); }`),
    expression.map((text) => `return ${text};`),
    fc.constantFrom('return;', 'a = v;', 'm++;', 'v += 1;'),
    fc.tuple(expression, tie('statement')).map(([c, a]) => `if (${c}) ${a}`),
    fc.tuple(expression, tie('statement'), tie('statement')).map(([c, a, b]) => `if (!${c}) ${a} else ${b}`),
    fc.tuple(expression, tie('statement')).map(([c, a]) => `for (let i = 0; i < 2; i++) { note(${c}); ${a} }`),
  ),
}));
const body = fc.oneof(
  expression.map((text) => `return ${text};`),
  fc.array(statement, { minLength: 1, maxLength: 3 }).map((list) => list.join('\n')),
);

const functions = fc.array(body, { minLength: 10, maxLength: 10 }).map((bodies) =>
  bodies.map((text, n) => {
    const uses = (local: string): boolean => new RegExp(`\\b${local}\\b`).test(text);
    const locals = `${n % 2 || !uses('b') ? '' : 'let b = 2;'}${uses('v') ? 'let v = 1;' : ''}`;
    const parameters = n % 2 ? 'a, b' : 'a';
    const only = locals === '' ? /^return (\(.*\));$/.exec(text)?.[1] : undefined;
    return `const f${n} = ${only ? `(${parameters}) => ${only}` : `function(${parameters}) {${locals}\n${text}\n}`};\n`;
  }),
);

/** What a module notes, and what its last function returns; each call costs, so that recursion ends. */
function run(text: string): unknown {
  const noted: unknown[] = [];
  let left = 300;
  const note = (value: unknown): unknown => {
    if (left-- === 0) throw new Error('enough');
    noted.push(value);
    return noted.length % 4;
  };
  const body = `${text.replace(/^export .*$/gm, '')}\nreturn f9(5, 6);`;
  let end: unknown;
  try {
    end = new Function('note', body)(note);
  } catch (error) {
    end = (error as Error).message;
  }
  return { noted, end };
}

const module = (all: readonly string[]): string => `let m = 0;\nconst o = { x: 1 };\nconst k = 4;\n${all.join('')}`;
const long = process.env.LOCKLESS_LONG !== undefined;
const none = new Map<string, Offered>();

test('a module does the same when calls are written out', () => {
  let changed = 0;
  fc.assert(
    fc.property(functions, (all) => {
      // No recursion: only those that come later are called.
      const text = module(
        all.map((one, n) => one.replace(/f(\d)\(/g, (call, to) => (Number(to) < n ? call : 'note('))),
      );
      const { code } = inlineCalls(text, { k: { number: 4 } }, none);
      if (/\$\$\d/.test(code)) changed++;
      expect(run(code)).toEqual(run(text));
    }),
    { numRuns: long ? 300 : 30 },
  );
  expect(changed).toBeGreaterThan(5);
});

test('functions that call themselves, or each other, stay as they are', () => {
  const text = `const f0 = (a) => (a < 1 ? 0 : f1(a - 1));\nconst f1 = (a) => (a < 1 ? 1 : f0(a - 1));\nconst f9 = function(a) { return f0(a) + f1(a); };\n`;
  expect(run(inlineCalls(text, {}, none).code)).toEqual(run(text));
});

test('what is written out is readable, and known to be of the function that it is of', () => {
  const text = `const check = function(bad, what) {
  if (bad) note(what);
};
const half = function(a) {
  if (a < 0) return 0;
  note(a);
  return a / 2;
};
const f9 = function(a) {
  check(a === 3, "three");
  const v = half(a + 1);
  return v;
};
`;
  const { code, maps } = inlineCalls(text, {}, none);
  expect(code.slice(code.indexOf('const f9')).replace(/\$\$\d+/g, '')).toBe(`const f9 = function(a) {
  if ((a === 3)) note("three");
  let v;
done: {
if ((a + 1) < 0) { v = 0; break done; }
note((a + 1));
v = (a + 1) / 2;
}
  return v;
};

`);
  const { mappings } = maps[0] as ReturnType<typeof assemble>['map'];
  const at = code.slice(0, code.indexOf('note((a + 1))')).split('\n').length - 1;
  expect(mappings[at][0][2]).toBe(text.split('\n').indexOf('  note(a);'));
});

test('functions, numbers and variables for each CPU of another package', () => {
  const own = `const own = { x: 7 };\nconst at = 3 * 4;\nconst of = definePerCpuWord();\nconst read = (a) => own.x + a + at;\nexport { read, at, of };\n`;
  const values = { at: { number: 12 }, of: { perCpu: [64, 16] as const } };
  const offering = inlineCalls(own, values, none);
  expect(offering.code).toContain('export { own$out as $own };');
  const text = `import { read as read$in, at as at$in, of as of$in } from "other";\nconst read = read$in, at = at$in, of = of$in;\nconst f9 = (a) => read(at) + of(a);\n`;
  const { code } = inlineCalls(text, {}, new Map([['other', offering.offered]]));
  expect(code).toContain('import { $own as $own$in } from "other";\nconst $own = $own$in;\n');
  expect(code).toContain('const f9 = (a) => ($own.x + 12 + 12) + (64 + a * 16);');
});

test('a map of what is copied leads to each word', () => {
  const before = 'one\ntwo three\n';
  const pieces = [
    { text: 'new ', at: 4, copied: false },
    { text: 'two three', at: 4, copied: true },
  ];
  const { code, map } = assemble(pieces, before, 'before');
  expect(code).toBe('new two three');
  expect(map.mappings[0].at(-1)).toEqual([8, 0, 1, 4]);
});
