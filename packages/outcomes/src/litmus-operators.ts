// SPDX-License-Identifier: GPL-2.0-only
import type { Expression } from '@lockless/litmus';

/** C's operators on 32-bit words, as JavaScript. */
export const UNARY: Readonly<Record<'-' | '~' | '!', (a: string) => string>> = {
  '-': (a) => `(-${a} | 0)`,
  '~': (a) => `(~${a})`,
  '!': (a) => `(${a} === 0 ? 1 : 0)`,
};

const arithmetic =
  (operator: string) =>
  (a: string, b: string): string =>
    `((${a} ${operator} ${b}) | 0)`;
const comparison =
  (operator: string) =>
  (a: string, b: string): string =>
    `(${a} ${operator} ${b} ? 1 : 0)`;
const logical =
  (operator: string) =>
  (a: string, b: string): string =>
    `(${a} !== 0 ${operator} ${b} !== 0 ? 1 : 0)`;

type BinaryOperator = Extract<Expression, { kind: 'binary' }>['operator'];
export const BINARY: Readonly<Record<BinaryOperator, (a: string, b: string) => string>> = {
  '+': arithmetic('+'),
  '-': arithmetic('-'),
  '*': (a, b) => `Math.imul(${a}, ${b})`,
  '/': arithmetic('/'),
  '%': arithmetic('%'),
  '&': arithmetic('&'),
  '|': arithmetic('|'),
  '^': arithmetic('^'),
  '<<': arithmetic('<<'),
  '>>': arithmetic('>>'),
  '==': comparison('==='),
  '!=': comparison('!=='),
  '<': comparison('<'),
  '<=': comparison('<='),
  '>': comparison('>'),
  '>=': comparison('>='),
  '&&': logical('&&'),
  '||': logical('||'),
};
