// SPDX-License-Identifier: MIT
import type { BinaryOperator, Litmus } from './ast.js';
import type { Planned } from './elaborate-event.js';

/** Address of a shared variable, or of what lies `offset` behind it. There is one object for each address of a test, so `===` compares them. */
export class Address {
  readonly base: string;
  readonly offset: bigint;

  constructor(base: string, offset: bigint) {
    this.base = base;
    this.offset = offset;
  }
}

/** What a load returns: a 64-bit integer, or an address. */
export type Value = bigint | Address;

/** What a register holds: an expression over the values of the thread's loads. */
export type Term =
  | { readonly kind: 'value'; readonly value: Value }
  | { readonly kind: 'load'; readonly load: Planned }
  | { readonly kind: 'operation'; readonly operator: Operator; readonly left: Term; readonly right: Term };

/** `&~`: of atomic_andnot(). */
export type Operator = BinaryOperator | '&~';

/** Values of loads, by {@link Planned.id}; undefined while they are not known. */
export type Valuation = (load: Planned) => Value | undefined;

/** The addresses of a test, and arithmetic on them. */
export class Addresses {
  readonly #known: Map<string, Address> = new Map();
  /** Element by name: that of index 0 and the index. */
  readonly #elements: Map<string, { readonly first: string; readonly index: bigint }> = new Map();
  readonly #lengths: Map<string, bigint> = new Map();

  constructor(arrays: Litmus['arrays']) {
    for (const { name, length } of arrays) {
      const first = `${name}[0]`;
      this.#lengths.set(first, BigInt(length));
      for (let index = 0; index < length; index++)
        this.#elements.set(`${name}[${index}]`, { first, index: BigInt(index) });
    }
  }

  of(variable: string, behind = 0n): Address {
    const element = this.#elements.get(variable);
    const base = element?.first ?? variable;
    const offset = behind + (element?.index ?? 0n);
    const key = `${base}+${offset}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const address = new Address(base, offset);
    this.#known.set(key, address);
    return address;
  }

  /** Of the variable at a value used as an address: that of an element, `x+4` behind a variable, `4` where a number is dereferenced. */
  nameOf(value: Value): string {
    if (typeof value === 'bigint') return String(value);
    const { base, offset } = value;
    const length = this.#lengths.get(base);
    if (length !== undefined && offset >= 0n && offset < length) return `${base.slice(0, -2)}${offset}]`;
    return offset === 0n ? base : `${base}${offset < 0n ? '' : '+'}${offset}`;
  }

  /** The value of a term, or undefined while a load that it needs has none (or where it has no meaning, as the product of two addresses). */
  evaluate(term: Term, valuation: Valuation): Value | undefined {
    switch (term.kind) {
      case 'value':
        return term.value;
      case 'load':
        return valuation(term.load);
      case 'operation': {
        const left = this.evaluate(term.left, valuation);
        if (left === undefined) return undefined;
        const right = this.evaluate(term.right, valuation);
        return right === undefined ? undefined : this.operate(term.operator, left, right);
      }
    }
  }

  /** `left operator right`, or undefined where it has no meaning. */
  operate(operator: Operator, left: Value, right: Value): Value | undefined {
    if (typeof left === 'bigint' && typeof right === 'bigint') return onIntegers(operator, left, right);
    switch (operator) {
      case '==':
        return left === right ? 1n : 0n;
      case '!=':
        return left === right ? 0n : 1n;
      // An address is not 0.
      case '&&':
        return left !== 0n && right !== 0n ? 1n : 0n;
      case '||':
        return 1n;
    }
    if (typeof right === 'bigint' && left instanceof Address) return this.#onAddressAndInteger(operator, left, right);
    if (typeof left === 'bigint' && right instanceof Address) {
      if (operator === '+') return this.of(right.base, right.offset + left);
      return left === 0n && (operator === '&' || operator === '*') ? 0n : undefined;
    }
    return left instanceof Address && right instanceof Address && left.base === right.base
      ? onSameBase(operator, left, right)
      : undefined;
  }

  #onAddressAndInteger(operator: Operator, left: Address, right: bigint): Value | undefined {
    switch (operator) {
      case '+':
        return this.of(left.base, left.offset + right);
      case '-':
        return this.of(left.base, left.offset - right);
      case '|':
      case '^':
      case '&~':
        return right === 0n ? left : undefined;
      case '&':
        return right === 0n ? 0n : right === -1n ? left : undefined;
      case '*':
        return right === 0n ? 0n : undefined;
      default:
        return undefined;
    }
  }
}

function onSameBase(operator: Operator, left: Address, right: Address): Value | undefined {
  switch (operator) {
    case '-':
    case '<':
    case '<=':
    case '>':
    case '>=':
      return onIntegers(operator, left.offset, right.offset);
    case '^':
    case '&~':
      return left === right ? 0n : undefined;
    case '&':
    case '|':
      return left === right ? left : undefined;
    default:
      return undefined;
  }
}

const truth = (holds: boolean): bigint => (holds ? 1n : 0n);

/** Shifts by more than the width have no meaning in C either. */
const shiftable = (by: bigint): boolean => by >= 0n && by < 64n;

function onIntegers(operator: Operator, a: bigint, b: bigint): bigint | undefined {
  switch (operator) {
    case '==':
      return truth(a === b);
    case '!=':
      return truth(a !== b);
    case '<':
      return truth(a < b);
    case '<=':
      return truth(a <= b);
    case '>':
      return truth(a > b);
    case '>=':
      return truth(a >= b);
    case '&&':
      return truth(a !== 0n && b !== 0n);
    case '||':
      return truth(a !== 0n || b !== 0n);
    case '&':
      return a & b;
    case '|':
      return a | b;
    case '^':
      return a ^ b;
    case '&~':
      return a & ~b;
    case '+':
      return BigInt.asIntN(64, a + b);
    case '-':
      return BigInt.asIntN(64, a - b);
    case '*':
      return BigInt.asIntN(64, a * b);
    case '/':
      return b === 0n ? undefined : BigInt.asIntN(64, a / b);
    case '%':
      return b === 0n ? undefined : a % b;
    case '<<':
      return shiftable(b) ? BigInt.asIntN(64, a << b) : undefined;
    case '>>':
      return shiftable(b) ? a >> b : undefined;
  }
}
