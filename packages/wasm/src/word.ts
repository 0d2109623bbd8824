// SPDX-License-Identifier: MIT

/*
 * Values of the subset are 32-bit words. Which number the bits are is a matter of type, as an instruction has to be chosen by it: `int` is signed, `uint` is not,
 * `nat` is a number that is the same as either. `bool` is 0 or 1, and no number.
 */
export type Type = 'int' | 'uint' | 'nat' | 'bool' | 'none';

/** A value while it is translated: instructions that push it, as WebAssembly text; or something that the translator itself knows, such as a function. */
export type Value = Word | Thing;
export interface Word {
  readonly text: string;
  readonly type: Type;
  /** Known now, and computing it does nothing. */
  readonly known?: number | boolean;
  /** Computing it does nothing, and gives the same wherever that is done: arithmetic of what does not change. */
  readonly pure?: boolean;
  /** It is the sum of this and of a number from 0 on: for addresses. */
  readonly sum?: { readonly text: string; readonly plus: number };
}
export interface Thing {
  readonly thing: unknown;
}

export const isThing = (value: Value): value is Thing => 'thing' in value;

/** A type that has the values of both; null: there is none. */
export function join(a: Type | undefined, b: Type | undefined): Type | null {
  if (a === undefined || b === undefined) return a ?? b ?? 'int';
  if (a === b) return a;
  // Nobody can use what is there on some ways only.
  if (a === 'none' || b === 'none') return 'none';
  if (a === 'nat' && (b === 'int' || b === 'uint')) return b;
  if (b === 'nat' && (a === 'int' || a === 'uint')) return a;
  return null;
}

/** The word that a number is, or null if it needs more bits. `wrap`: modulo 2^32. */
export function constant(value: number | boolean, wrap = false): Word | null {
  if (typeof value === 'boolean')
    return { text: `(i32.const ${value ? 1 : 0})`, type: 'bool', known: value, pure: true };
  if (wrap && Number.isSafeInteger(value)) return { ...signed(value | 0), known: value };
  if (!Number.isInteger(value) || value < -(2 ** 31) || value >= 2 ** 32) return null;
  if (value >= 2 ** 31) return { text: `(i32.const ${value | 0})`, type: 'uint', known: value, pure: true };
  return { ...signed(value), known: value };
}

const signed = (value: number): Word => ({
  text: `(i32.const ${value})`,
  type: value < 0 ? 'int' : 'nat',
  pure: true,
});

/** A value of JavaScript that the translator has got. */
export function known(value: unknown): Value {
  const word = typeof value === 'number' || typeof value === 'boolean' ? constant(value) : null;
  return word ?? { thing: value };
}

/** The instructions without what they leave. */
export const dropped = ({ text, type }: Word): string => (type === 'none' ? text : `(drop ${text})`);
