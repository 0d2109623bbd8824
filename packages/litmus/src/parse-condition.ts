// SPDX-License-Identifier: MIT
import type { Condition, Litmus, Place } from './ast.js';
import type { Cursor } from './cursor.js';
import { elementName, index, registerPlace, symbolOrNumber } from './parse-init.js';
import { type Proposition, propositionText } from './proposition.js';

/** More than this in one chain of `/\` or `\/` makes a tree too deep to walk. */
const MAX_CHAIN = 1000;

/** The tokens, how many threads the test has, and the lengths of its arrays. */
interface Scope {
  readonly cursor: Cursor;
  readonly threads: number;
  readonly arrays: ReadonlyMap<string, number>;
}

type Final = Pick<Litmus, 'locations' | 'filter' | 'quantifier' | 'condition' | 'conditionText'>;

/** What stands behind the threads: `locations [...]`, `filter (...)`, `exists (...)`; each may be left out. */
export function finalSection(scope: Scope): Final {
  const { cursor } = scope;
  const locations = cursor.accept('locations') ? locationList(scope) : [];
  const filter = cursor.accept('filter') ? desugar(proposition(scope)) : null;
  const quantifier = quantify(cursor);
  // Without a condition, herd takes the one that always holds.
  const wanted: Proposition = quantifier === null ? { kind: 'true' } : proposition(scope);
  cursor.accept(';');
  if (cursor.peek().kind !== 'end') cursor.fail('the end of the file after the condition');
  return {
    locations,
    filter,
    quantifier: quantifier ?? 'forall',
    condition: desugar(wanted),
    conditionText: `${quantifier ?? 'forall'} (${propositionText(wanted)})`,
  };
}

/** `exists`, `~exists`, `forall`, or the older `final`; null where nothing follows. */
function quantify(cursor: Cursor): Litmus['quantifier'] | null {
  if ((cursor.is('~') || cursor.is('not')) && cursor.is('exists', 1)) {
    cursor.next();
    cursor.next();
    return '~exists';
  }
  if (cursor.accept('exists') || cursor.accept('final')) return 'exists';
  if (cursor.accept('forall')) return 'forall';
  if (cursor.is('(')) return 'exists';
  if (cursor.peek().kind !== 'end') cursor.fail('"exists", "~exists" or "forall"');
  return null;
}

function locationList(scope: Scope): Place[] {
  const { cursor } = scope;
  cursor.expect('[', 'after "locations"');
  const places: Place[] = [];
  while (!cursor.accept(']')) {
    places.push(place(scope));
    // A type may follow, for what wants to print values by it.
    while (cursor.peek().kind === 'name' || cursor.is('*')) cursor.next();
    if (!cursor.is(']')) cursor.expect(';', 'or "]" after a location');
  }
  return places;
}

function proposition(scope: Scope): Proposition {
  const { cursor } = scope;
  return chain(cursor, 'or', () => chain(cursor, 'and', () => implication(scope)));
}

function chain(cursor: Cursor, kind: 'and' | 'or', operand: () => Proposition): Proposition {
  const symbol = kind === 'and' ? '/\\' : '\\/';
  let left = operand();
  for (let length = 0; cursor.accept(symbol); length++) {
    if (length === MAX_CHAIN) cursor.reject(`a condition with more than ${MAX_CHAIN} times ${symbol}`);
    left = { kind, left, right: operand() };
  }
  return left;
}

/** `=>` binds more tightly than `/\`, as in herd, and to the right. */
function implication(scope: Scope): Proposition {
  const { cursor } = scope;
  const left = negation(scope);
  if (!cursor.accept('=>')) return left;
  return { kind: 'implies', left, right: cursor.nested(() => implication(scope)) };
}

function negation(scope: Scope): Proposition {
  const { cursor } = scope;
  if (cursor.accept('~') || cursor.accept('not')) return { kind: 'not', operand: cursor.nested(() => negation(scope)) };
  if (cursor.accept('(')) {
    const inner = cursor.nested(() => proposition(scope));
    cursor.expect(')', 'after the condition');
    return inner;
  }
  if (cursor.accept('true')) return { kind: 'true' };
  if (cursor.accept('false')) return { kind: 'false' };
  return atom(scope);
}

/** `0:r1=1`, `x=1`, `[x]=1`, `0:r1=y`, `0:r1=1:r2`, `x!=1`. */
function atom(scope: Scope): Proposition {
  const { cursor } = scope;
  const where = place(scope);
  if (cursor.is('!=') || cursor.is('<>')) {
    cursor.next();
    return { kind: 'not', operand: { kind: 'atom', place: where, operator: '=', value: value(scope) } };
  }
  if (!cursor.accept('==') && !cursor.accept('=')) cursor.fail('"=" or "!=" after a location');
  return { kind: 'atom', place: where, operator: '=', value: value(scope) };
}

/** Another place where it is written as one, else a number or an address. */
function value(scope: Scope): (Condition & { kind: 'atom' })['value'] {
  const { cursor } = scope;
  const register = registerPlace(cursor, scope.threads);
  if (register !== null) return register;
  if (cursor.is('[')) return place(scope);
  if (cursor.accept('*')) return { thread: null, name: cursor.name('the name of a variable').text };
  const symbol = symbolOrNumber(cursor, cursor.accept('&'));
  return 'address' in symbol && scope.arrays.has(symbol.address) ? { address: elementName(symbol.address, 0) } : symbol;
}

/** `0:r1`, `x`, `[x]`, `x[1]`. */
function place(scope: Scope): Place {
  const { cursor } = scope;
  const register = registerPlace(cursor, scope.threads);
  if (register !== null) return register;
  const { at } = cursor;
  const bracket = cursor.accept('[');
  const { text } = cursor.name('a location such as "x" or a register such as "0:r1"');
  const element = cursor.is('[') ? index(cursor) : null;
  if (bracket) cursor.expect(']', 'after the name of a location');
  const length = scope.arrays.get(text);
  if (element === null) {
    if (length !== undefined)
      cursor.reject(`${text} is an array: expected one of its elements, such as "${text}[0]"`, at);
    return { thread: null, name: text };
  }
  if (length === undefined) cursor.reject(`${text} is no array`, at);
  else if (element >= length) cursor.reject(`there is no element ${element}: ${text} has ${length}`, at);
  return { thread: null, name: elementName(text, element) };
}

/** Without what only the text needs. */
function desugar(from: Proposition): Condition {
  switch (from.kind) {
    case 'atom':
      return from;
    case 'true':
      return { kind: 'true' };
    case 'false':
      return { kind: 'not', operand: { kind: 'true' } };
    case 'not':
      return { kind: 'not', operand: desugar(from.operand) };
    case 'implies':
      return { kind: 'or', left: { kind: 'not', operand: desugar(from.left) }, right: desugar(from.right) };
    default:
      return { kind: from.kind, left: desugar(from.left), right: desugar(from.right) };
  }
}
