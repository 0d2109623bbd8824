// SPDX-License-Identifier: MIT
import { describe, expect, test } from 'vitest';
import type { Condition, Expression, Statement } from '../src/ast.js';
import { parseLitmus } from '../src/parse.js';

const bodyOf = (code: string, parameters = 'int *x, int *y', init = ''): readonly Statement[] =>
  parseLitmus(`C t\n{${init}}\nP0(${parameters})\n{\n${code}\n}\nexists (x=1)`).threads[0].body;

/** An expression as text, with parentheses around every operation. */
function show(of: Expression): string {
  switch (of.kind) {
    case 'constant':
      return String(of.value);
    case 'name':
      return of.name;
    case 'dereference':
      return `*${show(of.pointer)}`;
    case 'addressOf':
      return `&${show(of.of)}`;
    case 'unary':
      return `${of.operator}${show(of.operand)}`;
    case 'binary':
      return `(${show(of.left)}${of.operator}${show(of.right)})`;
    case 'call':
      return `${of.name}[${of.arguments.map(show).join(' ')}]`;
  }
}

/** Statements as text, one construct per bracket. */
function outline(statements: readonly Statement[]): string {
  const line = (of: Statement): string => {
    switch (of.kind) {
      case 'assign':
        return `${of.register}=${show(of.value)}`;
      case 'store':
        return `*${show(of.pointer)}=${show(of.value)}`;
      case 'expression':
        return show(of.expression);
      case 'if':
        return `if ${show(of.condition)} {${outline(of.then)}} {${outline(of.otherwise)}}`;
      default:
        return `${of.kind} ${show(of.condition)} {${outline(of.body)}}`;
    }
  };
  return statements.map(line).join('; ');
}

const conditionOf = (text: string) => parseLitmus(`C t\n{}\nP0(int *x) {}\nP1(int *x) {}\n${text}`);

describe('expressions', () => {
  test.each([
    ['1 + 2 * 3 - 4', '((1+(2*3))-4)'],
    ['1 << 2 + 3 < 4 == 5 & 6 ^ 7 | 8 && 9 || 10', '((((((((1<<(2+3))<4)==5)&6)^7)|8)&&9)||10)'],
    ['a - b - c', '((a-b)-c)'],
    ['a % b / c', '((a%b)/c)'],
    ['-1 - -r0', '(-1--r0)'],
    ['- (1)', '-1'],
    ['+1', '1'],
    ['~a & !b', '(~a&!b)'],
    ['**x', '**x'],
    ['*(x)', '*x'],
    ['*x * *y', '(*x**y)'],
    ['&r0', '&r0'],
    ['0x10 + 010u + 7UL', '((16+10)+7)'],
    ['NULL', '0'],
    ['READ_ONCE(*x) + f()', '(READ_ONCE[*x]+f[])'],
    ['(a == 1) != (b > 2)', '((a==1)!=(b>2))'],
  ])('%s', (source, expected) => {
    expect(outline(bodyOf(`r9 = ${source};`))).toBe(`r9=${expected}`);
  });

  test.each([
    '(int)a',
    '(intptr_t)a',
    '(intptr_t *)a',
    '(char **)a',
    '(void *)a',
    '(struct page *)a',
    '(unsigned long)a',
    '(volatile int *)a',
    '(const struct page **)a',
    '(foo)a',
    '(foo *)a',
    '(u64)a',
    '(int)(intptr_t)(a)',
    '((int)a)',
  ])('the cast %s changes nothing', (source) => {
    expect(outline(bodyOf(`r9 = ${source};`))).toBe('r9=a');
  });

  test('a parenthesis that is no cast stays what it is', () => {
    expect(outline(bodyOf('r0 = (foo_t) * 2; r1 = (x) + 1; r2 = (bar) - 1;', 'int *foo_t, int *x'))).toBe(
      'r0=(foo_t*2); r1=(x+1); r2=(bar-1)',
    );
  });
});

describe('statements', () => {
  test.each([
    ['int r1;', ''],
    ['int r1, *r2 = x, r3 = 1;', 'r2=x; r3=1'],
    ['struct page *r1 = x; unsigned long r2 = 2; foo_t r3 = 3; foo *r4 = y; intptr_t r5;', 'r1=x; r2=2; r3=3; r4=y'],
    ['r1 = 1; r2 = r1;', 'r1=1; r2=r1'],
    ['*x = 1; **x = 2; *(x) = 3; *(int *)r1 = 4;', '*x=1; **x=2; *x=3; *r1=4'],
    ['r1 += 2; r1 <<= 3; *x -= 1; r1 %= 2;', 'r1=(r1+2); r1=(r1<<3); *x=(*x-1); r1=(r1%2)'],
    ['r1++; --r1; (*x)++; ++*x;', 'r1=(r1+1); r1=(r1-1); *x=(*x+1); *x=(*x+1)'],
    ['(void)f(x); ;;', 'f[x]'],
    ['{ r1 = 1; { r2 = 2; } }', 'r1=1; r2=2'],
    ['if (r1) r2 = 1;', 'if r1 {r2=1} {}'],
    ['if (r1) if (r2) r3 = 1; else r3 = 2;', 'if r1 {if r2 {r3=1} {r3=2}} {}'],
    ['if (r1) { } else if (r2) { r3 = 1; } else r3 = 2;', 'if r1 {} {if r2 {r3=1} {r3=2}}'],
    ['if (spin_trylock(x)) spin_unlock(x);', 'if spin_trylock[x] {spin_unlock[x]} {}'],
    ['while (READ_ONCE(*x) == 0) cpu_relax();', 'while (READ_ONCE[*x]==0) {cpu_relax[]}'],
    ['do r1 = 1; while (r1);', 'doWhile r1 {r1=1}'],
    ['do { r1 = 1; } while (r1); r2 = 2;', 'doWhile r1 {r1=1}; r2=2'],
    ['for (int i = 0; i < 3; i++) r1 = i;', 'i=0; while (i<3) {r1=i; i=(i+1)}'],
    ['for (;;) ;', 'while 1 {}'],
    ['r1 = 1; return;', 'r1=1'],
    ['/* a */ r1 = 1; // b\n r2 = (*x); /* (* */', 'r1=1; r2=*x'],
  ])('%s', (code, expected) => {
    expect(outline(bodyOf(code))).toBe(expected);
  });

  test('know where they stand', () => {
    const [first, second] = bodyOf('\tr1 = 1;\n  if (r1) *x = r1;');
    expect(first.at).toEqual({ line: 5, column: 2 });
    expect(second.at).toEqual({ line: 6, column: 3 });
    expect(second.kind === 'if' && second.then[0].at).toEqual({ line: 6, column: 11 });
  });
});

describe('the frame of a test', () => {
  test('what stands between the name and the first brace is passed over', () => {
    const source = `C  Some/name+with[brackets]*  \n"a text (* { of one line"\nCycle=Rfe PodRR\nPrefetch=0:x=F\n(* { (* *) " *)\nC another name\n{x=1;}\nP0(int *x) {}\n`;
    expect(parseLitmus(source)).toMatchObject({
      name: 'Some/name+with[brackets]*',
      initial: [{ place: { thread: null, name: 'x' }, value: { constant: 1n }, at: { line: 7, column: 2 } }],
    });
  });

  test('comments may stand between, before and behind threads', () => {
    const source = `(* first *) C t\n{ (* in here *) x=1; (* (* nested *) *) }\n(* P1(int *x) *)\nP0(int *x) // one\n{ }\n(* two *)\nP1(int *x) /* three */ { r1 = (*x); }\n(* four *)\nexists (* five *) (x=1 (* six *) /\\ y=2) (* seven *)\n(* eight *)\n`;
    const { threads, conditionText } = parseLitmus(source);
    expect(threads.map(({ body }) => outline(body))).toEqual(['', 'r1=*x']);
    expect(conditionText).toBe('exists ([x]=1 /\\ [y]=2)');
  });

  test('a byte order mark and CR LF are no obstacle', () => {
    expect(parseLitmus('\u{feff}C t\r\n\r\n{}\r\nP0(int *x)\r\n{\r\n}\r\nexists (x=1)\r\n').name).toBe('t');
  });

  test.each([
    ['int x = 1', { thread: null, name: 'x' }, { constant: 1n }],
    ['x', { thread: null, name: 'x' }, { constant: 0n }],
    ['[x] = -3', { thread: null, name: 'x' }, { constant: -3n }],
    ['int *x = &y', { thread: null, name: 'x' }, { address: 'y' }],
    ['int *x = y', { thread: null, name: 'x' }, { address: 'y' }],
    ['*x = y', { thread: null, name: 'x' }, { address: 'y' }],
    ['int **x = NULL', { thread: null, name: 'x' }, { constant: 0n }],
    ['atomic_t x = ATOMIC_INIT(7)', { thread: null, name: 'x' }, { constant: 7n }],
    ['struct srcu_struct x', { thread: null, name: 'x' }, { constant: 0n }],
    ['0:r1 = x', { thread: 0, name: 'r1' }, { address: 'x' }],
    ['P0:r1 = 0x1f', { thread: 0, name: 'r1' }, { constant: 31n }],
    ['int *0:r1 = x', { thread: 0, name: 'r1' }, { address: 'x' }],
    ['int 0:r1', { thread: 0, name: 'r1' }, { constant: 0n }],
  ])('init: %s', (text, place, value) => {
    const { initial } = parseLitmus(`C t\n{ ${text} }\nP0(int *x) {}`);
    expect(initial).toEqual([{ place, value, at: { line: 2, column: 3 } }]);
  });

  test('parameters keep their types, and may be none', () => {
    const parameters = (text: string) => parseLitmus(`C t\n{}\nP0(${text}) {}`).threads[0].parameters;
    expect(parameters('')).toEqual([]);
    expect(parameters('void')).toEqual([]);
    expect(parameters('volatile int* x, struct srcu_struct *s, int **p')).toEqual([
      { name: 'x', type: 'volatile int *' },
      { name: 's', type: 'struct srcu_struct *' },
      { name: 'p', type: 'int * *' },
    ]);
  });

  test('elements of an array are variables of their own, everywhere', () => {
    const source =
      'C t\n{ int a[2] = {3, b}; int b[1]; int *p = a; }\nP0(int *a, int *p)\n{ a[1] = *a; r1 = a[0] + a[r2]; *p = &a[1]; }\nexists (a[1]=b /\\ 0:r1=a)';
    const { arrays, initial, threads, condition, conditionText } = parseLitmus(source);
    expect(arrays).toEqual([
      { name: 'a', length: 2 },
      { name: 'b', length: 1 },
    ]);
    expect(initial.map(({ place, value }) => [place.name, Object.values(value)[0]])).toEqual([
      ['a[0]', 3n],
      ['a[1]', 'b[0]'],
      ['b[0]', 0n],
      ['p', 'a[0]'],
    ]);
    expect(threads[0].parameters.map(({ name }) => name)).toEqual(['a[0]', 'a[1]', 'p']);
    expect(outline(threads[0].body)).toBe('*a[1]=*a[0]; r1=(*a[0]+*(a[0]+r2)); *p=&*a[1]');
    expect(condition).toMatchObject({ left: { place: { name: 'a[1]' }, value: { address: 'b[0]' } } });
    expect(conditionText).toBe('exists (a[1]=b[0] /\\ 0:r1=a[0])');
  });
});

describe('conditions', () => {
  test.each([
    ['exists (0:r1=1 /\\ x=2)', 'exists (0:r1=1 /\\ [x]=2)'],
    ['exists 0:r1=1', 'exists (0:r1=1)'],
    ['(x=1)', 'exists ([x]=1)'],
    ['final (x=1)', 'exists ([x]=1)'],
    ['~exists (x=1)', '~exists ([x]=1)'],
    ['~ exists x=1;', '~exists ([x]=1)'],
    ['forall (x=1 \\/ x=2 /\\ y=3)', 'forall ([x]=1 \\/ [x]=2 /\\ [y]=3)'],
    ['forall ((x=1 \\/ x=2) /\\ y=3)', 'forall (([x]=1 \\/ [x]=2) /\\ [y]=3)'],
    ['exists (x!=1 /\\ ~y=2 /\\ not (z=3 \\/ z=4))', 'exists (not ([x]=1) /\\ not ([y]=2) /\\ not ([z]=3 \\/ [z]=4))'],
    ['exists (x<>1)', 'exists (not ([x]=1))'],
    ['exists (x==1)', 'exists ([x]=1)'],
    ['exists (x=1 /\\ y=2 => z=3)', 'exists ([x]=1 /\\ ([y]=2 => [z]=3))'],
    [
      'exists (0:r1=1:r2 /\\ [x]=[y] /\\ 0:r1=x /\\ 0:r1=-1 /\\ P1:r1=0x10)',
      'exists (0:r1=1:r2 /\\ [x]=[y] /\\ 0:r1=x /\\ 0:r1=-1 /\\ 1:r1=16)',
    ],
    ['exists (true)', 'exists (true)'],
    ['forall (false \\/ x=1)', 'forall (false \\/ [x]=1)'],
    ['', 'forall (true)'],
    ['locations [x; 0:r1; y*;]', 'forall (true)'],
  ])('%s', (source, expected) => {
    expect(conditionOf(source).conditionText).toBe(expected);
  });

  test('=> becomes what it means', () => {
    const atom = (name: string): Condition => ({
      kind: 'atom',
      place: { thread: null, name },
      operator: '=',
      value: { constant: 1n },
    });
    expect(conditionOf('exists (x=1 => y=1 => z=1)').condition).toEqual({
      kind: 'or',
      left: { kind: 'not', operand: atom('x') },
      right: { kind: 'or', left: { kind: 'not', operand: atom('y') }, right: atom('z') },
    });
  });

  test('locations and filter come before the condition', () => {
    const { locations, filter, quantifier } = conditionOf('locations [x; 0:r1; int]\nfilter (1:r2=3)\nforall (x=1)');
    expect(locations).toEqual([
      { thread: null, name: 'x' },
      { thread: 0, name: 'r1' },
      { thread: null, name: 'int' },
    ]);
    expect(filter).toMatchObject({ kind: 'atom', place: { thread: 1, name: 'r2' } });
    expect(quantifier).toBe('forall');
  });
});

describe('the declared result', () => {
  const declared = (comment: string): string | null =>
    parseLitmus(`C t\n(*\n${comment}\n *)\n{}\nP0(int *x) {}`).declared;
  test.each([
    [' * Result: Never', 'Never'],
    [' * Result: Sometimes DATARACE', 'Sometimes DATARACE'],
    [' * Result: DEADLOCK', 'DEADLOCK'],
    [' * Result: Never, as P0 waits', 'Never'],
    [' * Result: Never\n * Result: Always', 'Never'],
    ['Result: Never', null],
    [' * The Result: Never', null],
  ])('%s', (comment, expected) => {
    expect(declared(comment)).toBe(expected);
  });

  test('on the line that opens the comment', () => {
    expect(parseLitmus('C t\n(* Result: Never *)\n{}\nP0(int *x) {}').declared).toBe('Never');
  });
});
