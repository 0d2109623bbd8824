// SPDX-License-Identifier: MIT
import type { InitialValue, Litmus, Place, Position } from './ast.js';
import type { Cursor } from './cursor.js';
import { placeText } from './proposition.js';

interface Initial {
  readonly initial: { readonly place: Place; readonly value: InitialValue; readonly at: Position }[];
  readonly arrays: { readonly name: string; readonly length: number }[];
}

const MAX_ELEMENTS = 256n;
const ZERO: InitialValue = { constant: 0n };

/** `{ int x = 1; int *y = &x; 0:r1 = y; }`. What is not mentioned is 0. */
export function initBlock(cursor: Cursor): Pick<Litmus, 'initial' | 'arrays'> {
  const result: Initial = { initial: [], arrays: [] };
  cursor.expect('{', 'before the initial values');
  while (!cursor.accept('}')) {
    if (!cursor.accept(';')) {
      entry(cursor, result);
      if (!cursor.is('}')) cursor.expect(';', 'or "}" after an initial value');
    }
  }
  const arrays = new Set(result.arrays.map(({ name }) => name));
  const pointsTo = (value: InitialValue): InitialValue =>
    'address' in value && arrays.has(value.address) ? { address: elementName(value.address, 0) } : value;
  return { ...result, initial: result.initial.map((each) => ({ ...each, value: pointsTo(each.value) })) };
}

function entry(cursor: Cursor, result: Initial): void {
  const { at } = cursor;
  // Types carry no meaning: pass over all words but the name.
  while (cursor.peek().kind === 'name' && (['name', 'number'].includes(cursor.peek(1).kind) || cursor.is('*', 1)))
    cursor.next();
  while (cursor.accept('*'));
  const [place, length] = target(cursor);
  const taken = (name: string): boolean =>
    result.initial.some((other) => other.place.thread === place.thread && other.place.name === name);
  if (taken(place.name) || taken(elementName(place.name, 0)))
    cursor.reject(`${placeText(place)} is given an initial value twice`, at);
  if (length !== null) {
    result.arrays.push({ name: place.name, length });
    const values = cursor.accept('=') ? elements(cursor, length) : Array.from({ length }, () => ZERO);
    for (const [index, value] of values.entries())
      result.initial.push({ place: { thread: null, name: elementName(place.name, index) }, value, at });
  } else result.initial.push({ place, value: cursor.accept('=') ? initialValue(cursor) : ZERO, at });
}

/** `x`, `[x]`, `0:r1`, `x[2]` with its length. */
function target(cursor: Cursor): [Place, number | null] {
  const register = registerPlace(cursor);
  if (register !== null) return [register, null];
  if (cursor.accept('[')) {
    const { text } = cursor.name('the name of a variable');
    cursor.expect(']', 'after the name');
    return [{ thread: null, name: text }, null];
  }
  const { text: name } = cursor.name('a variable such as "x" or a register such as "0:r1"');
  if (!cursor.accept('[')) return [{ thread: null, name }, null];
  const { at } = cursor;
  const length = cursor.number('the length of the array');
  if (length < 1n || length > MAX_ELEMENTS) cursor.reject(`expected an array of 1 to ${MAX_ELEMENTS} elements`, at);
  cursor.expect(']', 'after the length of the array');
  return [{ thread: null, name }, Number(length)];
}

function elements(cursor: Cursor, length: number): InitialValue[] {
  const { at } = cursor.expect('{', 'before the values of the array');
  const values: InitialValue[] = [];
  do values.push(initialValue(cursor));
  while (cursor.accept(','));
  cursor.expect('}', 'after the values of the array');
  if (values.length !== length)
    cursor.reject(`the array has ${length} elements, and ${values.length} values are given`, at);
  return values;
}

/** A number, `ATOMIC_INIT(1)`, or the address of a variable: `&x` or `x`. */
function initialValue(cursor: Cursor): InitialValue {
  if (cursor.is('ATOMIC_INIT')) {
    cursor.next();
    cursor.expect('(', 'after "ATOMIC_INIT"');
    const constant = cursor.number('a number');
    cursor.expect(')', 'after the number');
    return { constant };
  }
  return symbolOrNumber(cursor, cursor.accept('&'));
}

/** A number, or the address of a variable by its name. */
export function symbolOrNumber(cursor: Cursor, onlySymbol = false): InitialValue {
  if (cursor.peek().kind !== 'name')
    return onlySymbol
      ? cursor.fail('the name of a variable')
      : { constant: cursor.number('a number or the name of a variable') };
  const { text } = cursor.next();
  if (text === 'NULL') return { constant: 0n };
  return { address: cursor.is('[') ? elementName(text, index(cursor)) : text };
}

/** `0:r1` or `P0:r1`, or null when no register stands here. `threads` is how many there are, where that is known already. */
export function registerPlace(cursor: Cursor, threads: number = Number.POSITIVE_INFINITY): Place | null {
  if (!cursor.is(':', 1)) return null;
  const number = /^P?(\d+)$/.exec(cursor.peek().text);
  if (number === null) return null;
  if (Number(number[1]) >= threads) cursor.reject(`there is no thread P${number[1]}`);
  cursor.next();
  cursor.next();
  return { thread: Number(number[1]), name: cursor.name('the name of a register').text };
}

/** `[2]` behind the name of an array. */
export function index(cursor: Cursor): number {
  cursor.expect('[', 'before an index');
  const { at } = cursor;
  const value = cursor.number('an index');
  if (value < 0n || value >= MAX_ELEMENTS) cursor.reject(`expected an index from 0 to ${MAX_ELEMENTS - 1n}`, at);
  cursor.expect(']', 'after the index');
  return Number(value);
}

/** Each element of an array is a variable of its own. */
export const elementName = (array: string, element: number | bigint): string => `${array}[${element}]`;
