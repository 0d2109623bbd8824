// SPDX-License-Identifier: MIT
import type { Node } from 'oxc-parser';
import type { Translator } from './translator.js';
import { constant, type Type, type Word } from './word.js';

/** Operators whose result is a word whatever the operands are: they look at 32 bits, and so need no more of their operands. */
const BITWISE: Readonly<Record<string, string>> = {
  '|': 'or',
  '&': 'and',
  '^': 'xor',
  '<<': 'shl',
  '>>': 'shr_s',
  '>>>': 'shr_u',
};
const ARITHMETIC: Readonly<Record<string, string>> = { '+': 'add', '-': 'sub', '*': 'mul', '%': 'rem' };
const COMPARISON: Readonly<Record<string, string>> = { '<': 'lt', '>': 'gt', '<=': 'le', '>=': 'ge' };

export const isBitwise = (operator: string): boolean => operator in BITWISE;

/** A product of a word and this is exact as a double. */
const EXACT_FACTOR = 2 ** 20;
/** In a struct. */
const LARGEST_OFFSET = 2 ** 16;

/** `a operator b`. `wrap`: who uses it looks at 32 bits of it. */
export function binary(t: Translator, node: Node, operator: string, a: Word, b: Word, wrap: boolean): Word {
  if (a.known !== undefined && b.known !== undefined) {
    const folded = constant(fold(operator, a.known, b.known), wrap);
    if (folded === null) throw t.refuse(node, 'this number needs more than 32 bits');
    return folded;
  }
  return { ...computed(t, node, operator, a, b, wrap), ...(a.pure && b.pure && { pure: true }) };
}

function computed(t: Translator, node: Node, operator: string, a: Word, b: Word, wrap: boolean): Word {
  if (isBitwise(operator)) return bitwise(t, node, operator, a, b);
  if (operator === '===' || operator === '!==') {
    t.meet(a.type, b.type, node);
    return { text: `(i32.${operator === '===' ? 'eq' : 'ne'} ${a.text} ${b.text})`, type: 'bool' };
  }
  number(t, node, a);
  number(t, node, b);
  if (operator in COMPARISON) {
    const suffix = t.meet(a.type, b.type, node) === 'int' ? 's' : 'u';
    return { text: `(i32.${COMPARISON[operator]}_${suffix} ${a.text} ${b.text})`, type: 'bool' };
  }
  if (!(operator in ARITHMETIC)) throw t.refuse(node, `the operator ${operator} is none of the subset`);
  return arithmetic(t, node, operator, a, b, wrap);
}

function bitwise(t: Translator, node: Node, operator: string, a: Word, b: Word): Word {
  number(t, node, a);
  number(t, node, b);
  return { text: `(i32.${BITWISE[operator]} ${a.text} ${b.text})`, type: bitwiseType(operator, a, b) };
}

function bitwiseType(operator: string, a: Word, b: Word): Type {
  const natural = a.type === 'nat' && b.type === 'nat';
  if (operator === '&') return a.type === 'nat' || b.type === 'nat' ? 'nat' : 'int';
  if (operator === '>>>') return typeof b.known === 'number' && (b.known & 31) !== 0 ? 'nat' : 'uint';
  if (operator === '>>') return a.type === 'nat' ? 'nat' : 'int';
  return natural && operator !== '<<' ? 'nat' : 'int';
}

/** Sums and products: as words if 32 bits are all that is wanted, and else they must not need more, which the checked form looks at. */
function arithmetic(t: Translator, node: Node, operator: string, a: Word, b: Word, wrap: boolean): Word {
  if (operator === '*' && wrap && !isSmall(a) && !isSmall(b))
    throw t.refuse(node, 'a product of which only 32 bits are used is Math.imul()');
  const met = wrap && operator !== '%' ? 'int' : t.meet(a.type, b.type, node);
  const type = met === 'uint' ? 'uint' : 'int';
  if (operator === '%') {
    if (typeof b.known !== 'number' || b.known === 0) throw t.refuse(node, 'the right side of % is no constant');
    return { text: `(i32.rem_${type === 'int' ? 's' : 'u'} ${a.text} ${b.text})`, type: met };
  }
  const name = ARITHMETIC[operator];
  if (wrap || !t.setting.checked) return { text: `(i32.${name} ${a.text} ${b.text})`, type, ...sumOf(operator, a, b) };
  const sign = type === 'int' ? 's' : 'u';
  const wide = (word: Word): string => `(i64.extend_i32_${sign} ${word.text})`;
  return { text: `(call $exact_${sign} (i64.${name} ${wide(a)} ${wide(b)}))`, type };
}

function sumOf(operator: string, a: Word, b: Word): Pick<Word, 'sum'> {
  if (operator !== '+' || typeof b.known !== 'number' || b.known < 0 || b.known > LARGEST_OFFSET) return {};
  return { sum: { text: a.sum?.text ?? a.text, plus: (a.sum?.plus ?? 0) + b.known } };
}

const isSmall = ({ known }: Word): boolean => typeof known === 'number' && Math.abs(known) <= EXACT_FACTOR;

/** A number, and neither a condition nor nothing. */
function number(t: Translator, node: Node, { type }: Word): void {
  if (type === 'bool' || type === 'none')
    throw t.refuse(node, `${type === 'bool' ? 'a condition' : 'nothing'} is used as a number`);
}

export function unary(t: Translator, node: Node, operator: string, a: Word, wrap: boolean): Word {
  if (operator === '!') {
    if (a.known !== undefined) return constant(!a.known) as Word;
    return { text: `(i32.eqz ${a.text})`, type: 'bool' };
  }
  if (operator === '-') return binary(t, node, '-', constant(0) as Word, a, wrap);
  if (operator === '~') return binary(t, node, '^', a, constant(-1) as Word, true);
  throw t.refuse(node, `the operator ${operator} is none of the subset`);
}

function fold(operator: string, left: number | boolean, right: number | boolean): number | boolean {
  if (operator === '===') return left === right;
  if (operator === '!==') return left !== right;
  const [a, b] = [Number(left), Number(right)];
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '%':
      return a % b;
    case '|':
      return a | b;
    case '&':
      return a & b;
    case '^':
      return a ^ b;
    case '<<':
      return a << b;
    case '>>':
      return a >> b;
    case '>>>':
      return a >>> b;
    case '<':
      return a < b;
    case '>':
      return a > b;
    case '<=':
      return a <= b;
    case '>=':
      return a >= b;
    default:
      return Number.NaN;
  }
}
