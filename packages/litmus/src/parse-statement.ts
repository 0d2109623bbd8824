// SPDX-License-Identifier: MIT
import type { BinaryOperator, Expression, Position, Statement, Thread } from './ast.js';
import type { Cursor } from './cursor.js';
import { expression, isArray, isType, RESERVED, type Scope, unary } from './parse-expression.js';
import { elementName } from './parse-init.js';

const COMPOUND: ReadonlySet<string> = new Set(['+=', '-=', '*=', '/=', '%=', '&=', '|=', '^=', '<<=', '>>=']);

/** What a statement may begin with, besides names. */
const BEGIN: ReadonlySet<string> = new Set(['*', '(', '++', '--', '&', '-', '+', '~', '!']);

const EARLY_RETURN = '"return" may only end a thread: use if and else';

const UNSUPPORTED: Readonly<Record<string, string>> = {
  goto: '"goto" is not supported: use a loop, or if and else',
  switch: '"switch" is not supported: use if and else',
  break: '"break" is not supported: let the condition of the loop say when it ends',
  return: EARLY_RETURN,
  continue: '"continue" is not supported: use if and else',
};

/** `P0(int *x, atomic_t *y) { ... }`. */
export function thread(cursor: Cursor, number: number, arrays: ReadonlyMap<string, number>): Thread {
  const { at } = cursor;
  if (!cursor.is(`P${number}`)) {
    const found = cursor.peek();
    if (found.kind === 'name' && /^P\d+$/.test(found.text))
      cursor.fail(`thread P${number}: threads are numbered in order`);
    cursor.fail(number === 0 ? 'thread P0' : `thread P${number} or a condition`);
  }
  cursor.next();
  const parameters = parameterList(cursor);
  const scope: Scope = { cursor, parameters: new Set(parameters.map(({ name }) => name)), arrays };
  cursor.expect('{', 'before the body of the thread');
  // A thread that is given an array is given all of its elements.
  const named = parameters.flatMap(({ name, type }) =>
    isArray(name, scope)
      ? Array.from({ length: arrays.get(name) ?? 1 }, (_, index) => ({ name: elementName(name, index), type }))
      : [{ name, type }],
  );
  return { parameters: named, body: body(scope), at };
}

function parameterList(cursor: Cursor): Thread['parameters'] {
  cursor.expect('(', 'before the parameters of the thread');
  const parameters: { name: string; type: string }[] = [];
  if (cursor.accept(')')) return parameters;
  if (cursor.is('void') && cursor.is(')', 1)) {
    cursor.next();
    cursor.next();
    return parameters;
  }
  do parameters.push(parameter(cursor));
  while (cursor.accept(','));
  if (!cursor.is(')')) cursor.fail('"," or ")" after a parameter');
  cursor.next();
  return parameters;
}

function parameter(cursor: Cursor): { name: string; type: string } {
  const words = [cursor.name('the type of a parameter').text];
  while (cursor.peek().kind === 'name' || cursor.is('*')) words.push(cursor.next().text);
  const name = words.pop() ?? '';
  if (!words.includes('*') || name === '*')
    cursor.fail('a pointer and a name, such as "int *x": a thread is given the addresses of what it shares');
  return { name, type: words.join(' ') };
}

/** A thread's code. `return` may end it, and says nothing that the end does not. */
function body(scope: Scope): Statement[] {
  const { cursor } = scope;
  const result: Statement[] = [];
  while (!cursor.accept('}')) {
    checkOpen(scope);
    if (cursor.is('return')) {
      const { at } = cursor.next();
      cursor.expect(';', 'after "return": a thread has no value');
      if (!cursor.is('}')) cursor.reject(EARLY_RETURN, at);
    } else for (const each of statement(scope)) result.push(each);
  }
  return result;
}

/** Statements up to the closing brace; the opening one has been read. */
function block(scope: Scope): Statement[] {
  const { cursor } = scope;
  const result: Statement[] = [];
  while (!cursor.accept('}')) {
    checkOpen(scope);
    for (const each of statement(scope)) result.push(each);
  }
  return result;
}

/** Stops where the rest of the test begins although a brace is missing. */
function checkOpen({ cursor, parameters }: Scope): void {
  const { kind, text } = cursor.peek();
  const beyond =
    (/^P\d+$/.test(text) || /^(exists|forall|filter|locations)$/.test(text)) &&
    !parameters.has(text) &&
    (cursor.is('(', 1) || cursor.is('[', 1));
  if (kind === 'end' || beyond) cursor.fail('a statement or "}"');
}

/** One statement; a declaration may be several or none. */
function statement(scope: Scope): Statement[] {
  const { cursor } = scope;
  const { text, at } = cursor.peek();
  switch (text) {
    case ';':
      cursor.next();
      return [];
    case '{':
      cursor.next();
      return cursor.nested(() => block(scope));
    case 'if':
      return [conditional(scope)];
    case 'while':
      return [whileLoop(scope)];
    case 'do':
      return [doLoop(scope)];
    case 'for':
      return forLoop(scope);
  }
  if (Object.hasOwn(UNSUPPORTED, text)) cursor.reject(UNSUPPORTED[text], at);
  if (RESERVED.has(text)) cursor.fail('a statement');
  const result = simple(scope);
  cursor.expect(';', 'after the statement');
  return result;
}

function conditional(scope: Scope): Statement {
  const { cursor } = scope;
  const { at } = cursor.next();
  const condition = parenthesized(scope, 'if');
  const then = cursor.nested(() => statement(scope));
  const otherwise = cursor.accept('else') ? cursor.nested(() => statement(scope)) : [];
  return { kind: 'if', condition, then, otherwise, at };
}

function whileLoop(scope: Scope): Statement {
  const { cursor } = scope;
  const { at } = cursor.next();
  const condition = parenthesized(scope, 'while');
  return { kind: 'while', condition, body: cursor.nested(() => statement(scope)), at };
}

function doLoop(scope: Scope): Statement {
  const { cursor } = scope;
  const { at } = cursor.next();
  const body = cursor.nested(() => statement(scope));
  cursor.expect('while', 'after the body of "do"');
  const condition = parenthesized(scope, 'while');
  cursor.expect(';', 'after "do ... while (...)"');
  return { kind: 'doWhile', condition, body, at };
}

/** `for (a; b; c) d` is `a; while (b) { d; c; }`. */
function forLoop(scope: Scope): Statement[] {
  const { cursor } = scope;
  const { at } = cursor.next();
  cursor.expect('(', 'after "for"');
  const first = cursor.is(';') ? [] : simple(scope);
  cursor.expect(';', 'after the first part of "for"');
  const condition: Expression = cursor.is(';') ? { kind: 'constant', value: 1n, at: cursor.at } : expression(scope);
  cursor.expect(';', 'after the condition of "for"');
  const step = cursor.is(')') ? [] : simple(scope);
  cursor.expect(')', 'after the last part of "for"');
  const body = cursor.nested(() => statement(scope));
  return [...first, { kind: 'while', condition, body: [...body, ...step], at }];
}

function parenthesized(scope: Scope, word: string): Expression {
  const { cursor } = scope;
  cursor.expect('(', `after "${word}"`);
  const condition = cursor.nested(() => expression(scope));
  if (cursor.is('=')) cursor.reject('an assignment is a statement of its own here, not a part of an expression');
  cursor.expect(')', `after the condition of "${word}"`);
  return condition;
}

/** What may stand before `;`, or in the head of `for`: a declaration, an assignment, a call. */
function simple(scope: Scope): Statement[] {
  const { cursor } = scope;
  if (startsDeclaration(scope)) return declaration(scope);
  const { at, text, kind } = cursor.peek();
  if (kind === 'end' || (kind === 'symbol' && !BEGIN.has(text))) cursor.fail('a statement');
  if (text === '++' || text === '--') {
    cursor.next();
    const target = unary(scope);
    return [assignment(scope, target, step(target, text, at), at)];
  }
  const target = expression(scope);
  const operator = cursor.peek();
  if (operator.text === '++' || operator.text === '--') {
    cursor.next();
    return [assignment(scope, target, step(target, operator.text, operator.at), at)];
  }
  if (operator.text === '=') {
    cursor.next();
    return [assignment(scope, target, expression(scope), at)];
  }
  if (COMPOUND.has(operator.text)) {
    cursor.next();
    const binary = operator.text.slice(0, -1) as BinaryOperator;
    const value: Expression = {
      kind: 'binary',
      operator: binary,
      left: target,
      right: expression(scope),
      at: operator.at,
    };
    return [assignment(scope, target, value, at)];
  }
  return [{ kind: 'expression', expression: target, at }];
}

const step = (target: Expression, operator: string, at: Position): Expression => ({
  kind: 'binary',
  operator: operator === '++' ? '+' : '-',
  left: target,
  right: { kind: 'constant', value: 1n, at },
  at,
});

function assignment({ cursor }: Scope, target: Expression, value: Expression, at: Position): Statement {
  if (target.kind === 'name') return { kind: 'assign', register: target.name, value, at };
  if (target.kind === 'dereference') return { kind: 'store', pointer: target.pointer, value, at };
  return cursor.reject('only a variable or what a pointer leads to can be assigned', target.at);
}

/** `int r1`, `struct page *p`, `foo_t r`, `foo r`, `foo *r = ...`. */
function startsDeclaration(scope: Scope): boolean {
  const { cursor } = scope;
  const { kind, text } = cursor.peek();
  if (kind !== 'name' || scope.parameters.has(text)) return false;
  if (isType(text, scope) || cursor.peek(1).kind === 'name') return true;
  let ahead = 1;
  while (cursor.is('*', ahead)) ahead++;
  return ahead > 1 && cursor.peek(ahead).kind === 'name' && ['=', ';', ','].includes(cursor.peek(ahead + 1).text);
}

function declaration(scope: Scope): Statement[] {
  const { cursor } = scope;
  // All words but the last, which is the first variable: types carry no meaning.
  while (cursor.peek().kind === 'name' && (cursor.peek(1).kind === 'name' || cursor.is('*', 1))) cursor.next();
  const result: Statement[] = [];
  do {
    while (cursor.is('*') || (cursor.peek().kind === 'name' && cursor.peek(1).kind === 'name')) cursor.next();
    if (isType(cursor.peek().text, scope)) cursor.next();
    const { text: register, at } = cursor.name('the name of a variable');
    if (cursor.is('[')) cursor.reject('a local array is not supported: declare the array in the init block');
    if (cursor.accept('=')) result.push({ kind: 'assign', register, value: expression(scope), at });
  } while (cursor.accept(','));
  return result;
}
