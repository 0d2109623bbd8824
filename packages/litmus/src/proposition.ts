// SPDX-License-Identifier: MIT
import type { Condition, InitialValue, Place } from './ast.js';

/** A condition as it is written: with `=>` and `false`, which {@link Condition} does without. */
export type Proposition =
  | { readonly kind: 'and' | 'or' | 'implies'; readonly left: Proposition; readonly right: Proposition }
  | { readonly kind: 'not'; readonly operand: Proposition }
  | { readonly kind: 'true' }
  | { readonly kind: 'false' }
  | (Condition & { readonly kind: 'atom' });

const SYMBOLS = { and: ' /\\ ', or: ' \\/ ', implies: ' => ' } as const;

/** As herd prints it back: `not (...)` for every negation, parentheses only where they are needed. */
export function propositionText(of: Proposition): string {
  switch (of.kind) {
    case 'true':
    case 'false':
      return of.kind;
    case 'not':
      return `not (${propositionText(of.operand)})`;
    case 'atom':
      return `${placeText(of.place)}${of.operator}${valueText(of.value)}`;
    default:
      return inside(of.kind, of.left) + SYMBOLS[of.kind] + inside(of.kind, of.right);
  }
}

/** herd puts no parentheses around `/\` in `\/`, but around everything else that is not of the same kind. */
function inside(above: 'and' | 'or' | 'implies', operand: Proposition): string {
  const text = propositionText(operand);
  if (operand.kind !== 'and' && operand.kind !== 'or' && operand.kind !== 'implies') return text;
  return operand.kind === above || (above === 'or' && operand.kind === 'and') ? text : `(${text})`;
}

const valueText = (value: InitialValue | Place): string =>
  'constant' in value ? String(value.constant) : 'address' in value ? value.address : placeText(value);

/** `0:r1`, `[x]`; the element of an array without more brackets: `a[1]`. */
export function placeText({ thread, name }: Place): string {
  if (thread !== null) return `${thread}:${name}`;
  return name.endsWith(']') ? name : `[${name}]`;
}
