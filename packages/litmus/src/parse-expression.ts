// SPDX-License-Identifier: MIT
import type { BinaryOperator, Expression, Position } from './ast.js';
import type { Cursor } from './cursor.js';
import { elementName } from './parse-init.js';

/** What a thread's code is read with. */
export interface Scope {
  readonly cursor: Cursor;
  /** Names of the thread's parameters: what looks like a type may be one. */
  readonly parameters: ReadonlySet<string>;
  /** Lengths of the arrays, by their names. */
  readonly arrays: ReadonlyMap<string, number>;
}

/** How tightly the operators of C bind. */
const PRECEDENCE: ReadonlyMap<string, number> = new Map<BinaryOperator, number>([
  ['||', 1],
  ['&&', 2],
  ['|', 3],
  ['^', 4],
  ['&', 5],
  ['==', 6],
  ['!=', 6],
  ['<', 7],
  ['<=', 7],
  ['>', 7],
  ['>=', 7],
  ['<<', 8],
  ['>>', 8],
  ['+', 9],
  ['-', 9],
  ['*', 10],
  ['/', 10],
  ['%', 10],
]);

/** More operators in one expression than this make a tree too deep to walk. */
const MAX_OPERATORS = 1000;

const NAMED_CONSTANTS: Readonly<Record<string, bigint>> = { NULL: 0n, true: 1n, false: 0n };

const TYPE_WORDS: ReadonlySet<string> = new Set(
  'int char long short unsigned signed void volatile const struct union enum bool _Bool float double static register auto _Atomic __int128'.split(
    ' ',
  ),
);

/** Words of C that are neither names nor statements of ours. */
export const RESERVED: ReadonlySet<string> = new Set(
  'if else while do for return break continue goto switch case default sizeof typedef extern'.split(' '),
);

/** Whether a name is one of a type: C's own, the kernel's `..._t`, `u32`. */
export function isType(name: string, { parameters }: Scope): boolean {
  if (TYPE_WORDS.has(name)) return true;
  return (/_t$/.test(name) || /^_{0,2}[us](8|16|32|64)$/.test(name)) && !parameters.has(name);
}

export function expression(scope: Scope): Expression {
  return binary(scope, 1);
}

function binary(scope: Scope, lowest: number): Expression {
  const { cursor } = scope;
  let left = unary(scope);
  for (let operators = 0; ; operators++) {
    const token = cursor.peek();
    const precedence = PRECEDENCE.get(token.text);
    if (precedence === undefined || precedence < lowest) return left;
    if (operators === MAX_OPERATORS) cursor.reject(`an expression with more than ${MAX_OPERATORS} operators`);
    cursor.next();
    const right = cursor.nested(() => binary(scope, precedence + 1));
    left = { kind: 'binary', operator: token.text as BinaryOperator, left, right, at: token.at };
  }
}

export function unary(scope: Scope): Expression {
  const { cursor } = scope;
  const { at } = cursor;
  const operand = (): Expression => {
    cursor.next();
    return cursor.nested(() => unary(scope));
  };
  if (cursor.is('*')) return { kind: 'dereference', pointer: operand(), at };
  if (cursor.is('&')) return { kind: 'addressOf', of: operand(), at };
  if (cursor.is('+')) return operand();
  if (cursor.is('-')) return negated(operand(), at);
  for (const operator of ['~', '!'] as const) {
    if (cursor.is(operator)) return { kind: 'unary', operator, operand: operand(), at };
  }
  if (cursor.is('++') || cursor.is('--'))
    cursor.reject(`"${cursor.peek().text}" may only be a statement of its own here`);
  if (cursor.is('(') && isCast(scope)) {
    cast(scope);
    return cursor.nested(() => unary(scope));
  }
  return postfix(scope, primary(scope));
}

const negated = (operand: Expression, at: Position): Expression =>
  operand.kind === 'constant'
    ? { kind: 'constant', value: -operand.value, at }
    : { kind: 'unary', operator: '-', operand, at };

/** What an operand may begin with, besides names and numbers. */
const OPERAND: ReadonlySet<string> = new Set(['(', '*', '&', '-', '+', '~', '!']);

/** `(int)`, `(struct page *)`, `(foo *)`; `(foo_t)` where an operand follows, `(foo)` where a name or a number follows. */
function isCast(scope: Scope): boolean {
  const { cursor, parameters } = scope;
  const first = cursor.peek(1);
  if (first.kind !== 'name' || parameters.has(first.text)) return false;
  if (TYPE_WORDS.has(first.text)) return true;
  let ahead = 2;
  while (cursor.is('*', ahead)) ahead++;
  if (!cursor.is(')', ahead)) return false;
  const after = cursor.peek(ahead + 1);
  if (ahead > 2 || after.kind === 'number' || (after.kind === 'name' && !RESERVED.has(after.text))) return true;
  return isType(first.text, scope) && OPERAND.has(after.text);
}

/** Types carry no meaning: passed over. */
function cast({ cursor }: Scope): void {
  cursor.expect('(', 'before a type');
  while (cursor.peek().kind === 'name' || cursor.is('*')) cursor.next();
  cursor.expect(')', 'after the type of a cast');
}

function primary(scope: Scope): Expression {
  const { cursor } = scope;
  const { kind, text, at } = cursor.peek();
  if (kind === 'number') return { kind: 'constant', value: cursor.number('a number'), at };
  if (cursor.accept('(')) {
    const inner = cursor.nested(() => expression(scope));
    if (cursor.is('=')) cursor.reject('an assignment is a statement of its own here, not a part of an expression');
    cursor.expect(')', 'after the expression');
    return inner;
  }
  if (text === ')' && cursor.is('*', -1))
    cursor.reject('expected an expression, found ")": within a thread, comments are /* ... */ and // ...');
  if (kind !== 'name') cursor.fail('an expression');
  if (RESERVED.has(text)) cursor.fail('an expression');
  cursor.next();
  if (Object.hasOwn(NAMED_CONSTANTS, text)) return { kind: 'constant', value: NAMED_CONSTANTS[text], at };
  return { kind: 'name', name: isArray(text, scope) ? elementName(text, 0) : text, at };
}

export const isArray = (name: string, { arrays, parameters }: Scope): boolean =>
  arrays.has(name) && parameters.has(name);

function postfix(scope: Scope, base: Expression): Expression {
  const { cursor } = scope;
  let result: Expression = base;
  for (let length = 0; ; length++) {
    if (length === MAX_OPERATORS) cursor.reject(`an expression with more than ${MAX_OPERATORS} operators`);
    const { text } = cursor.peek();
    if (text === '(') {
      if (result.kind !== 'name') return cursor.reject('only a primitive can be called, by its name');
      result = { kind: 'call', name: result.name, arguments: callArguments(scope), at: result.at };
    } else if (text === '[') {
      result = { kind: 'dereference', pointer: element(scope, result), at: result.at };
    } else if (text === '.' || text === '->') {
      cursor.reject('members of structs are not supported: give each of them a variable of its own');
    } else if (text === '?') {
      cursor.reject('"?:" is not supported: use if and else');
    } else return result;
  }
}

function callArguments(scope: Scope): Expression[] {
  const { cursor } = scope;
  cursor.expect('(', 'before the arguments');
  const result: Expression[] = [];
  if (cursor.accept(')')) return result;
  do result.push(cursor.nested(() => expression(scope)));
  while (cursor.accept(','));
  if (!cursor.is(')')) cursor.fail('"," or ")" after an argument');
  cursor.next();
  return result;
}

/** Address of an element of an array. */
function element(scope: Scope, base: Expression): Expression {
  const { cursor } = scope;
  const { at } = cursor.expect('[', 'before an index');
  const index = cursor.nested(() => expression(scope));
  cursor.expect(']', 'after an index');
  if (index.kind !== 'constant') return { kind: 'binary', operator: '+', left: base, right: index, at };
  const array = base.kind === 'name' && base.name.endsWith('[0]') ? base.name.slice(0, -3) : null;
  const length = array === null ? 1 : (scope.arrays.get(array) ?? 1);
  if (index.value < 0n || index.value >= length)
    cursor.reject(`there is no element ${index.value}: the length is ${length}`, at);
  return array === null ? base : { kind: 'name', name: elementName(array, index.value), at: base.at };
}
