// SPDX-License-Identifier: MIT
import type { Expression, Position } from './ast.js';
import {
  addUnless,
  compareExchange,
  exchange,
  isLocked,
  loaded,
  lock,
  modify,
  operation,
  type Then,
  trylock,
  unlock,
} from './elaborate-atomic.js';
import { constant, type Operand, type Path } from './elaborate-path.js';
import type { Addresses } from './elaborate-value.js';
import { LitmusError, type Source } from './error.js';
import { MACROS, type Macro } from './macros.js';

type Call = Extract<Expression, { kind: 'call' }>;

/** Evaluates the expressions of one thread on a path, which may fork on the way (a cmpxchg succeeds or fails). */
export class Expressions {
  readonly #source: Source;
  readonly #addresses: Addresses;
  readonly #parameters: ReadonlySet<string>;

  constructor(source: Source, addresses: Addresses, parameters: ReadonlySet<string>) {
    this.#source = source;
    this.#addresses = addresses;
    this.#parameters = parameters;
  }

  reject(at: Position, problem: string): never {
    throw new LitmusError(this.#source, at, problem);
  }

  value(expression: Expression, path: Path, then: Then): void {
    switch (expression.kind) {
      case 'constant':
        return then(constant(expression.value), path);
      case 'name':
        return then(this.#named(expression.name, path), path);
      case 'addressOf':
        return this.location(expression.of, path, then);
      case 'dereference':
        return this.value(expression.pointer, path, (address, here) =>
          then(loaded(here.event({ type: 'R', tag: 'plain', address, at: expression.at })), here),
        );
      case 'unary':
        return this.value(expression.operand, path, (operand, here) =>
          then(this.#folded(unary(expression.operator, operand), expression.at), here),
        );
      case 'binary':
        return this.#binary(expression, path, then);
      case 'call':
        return this.#call(expression, path, (result, here) => {
          if (result === null) this.reject(expression.at, `${expression.name}() returns nothing`);
          then(result, here);
        });
    }
  }

  /** The address of an lvalue. */
  location(expression: Expression, path: Path, then: Then): void {
    if (expression.kind === 'dereference') return this.value(expression.pointer, path, then);
    if (expression.kind === 'name' && this.#parameters.has(expression.name))
      return then(this.#named(expression.name, path), path);
    return this.reject(expression.at, 'expected something with an address, such as *x');
  }

  /** An expression whose value nobody wants. */
  effect(expression: Expression, path: Path, then: (path: Path) => void): void {
    if (expression.kind === 'call') this.#call(expression, path, (_, here) => then(here));
    else this.value(expression, path, (_, here) => then(here));
  }

  /** A shared variable stands for its address; a register that nobody set is 0. */
  #named(name: string, path: Path): Operand {
    if (this.#parameters.has(name)) return constant(this.#addresses.of(name));
    return path.registers.get(name) ?? constant(0n);
  }

  #binary(expression: Extract<Expression, { kind: 'binary' }>, path: Path, then: Then): void {
    const { operator, left, right, at } = expression;
    this.value(left, path, (first, here) => {
      if ((operator === '&&' || operator === '||') && hasEffect(right))
        return this.#shortCircuit(operator, first, right, here, then);
      this.value(right, here, (second, there) => then(this.#folded(operation(operator, first, second), at), there));
    });
  }

  /** The right side happens only where the left one does not decide: its accesses depend on the left side through control. */
  #shortCircuit(operator: '&&' | '||', first: Operand, right: Expression, path: Path, then: Then): void {
    const decided = constant(operator === '&&' ? 0n : 1n);
    this.fork(
      path,
      first,
      (taken, leave) => {
        if (operator === '||') return leave(taken, (out) => then({ ...decided, loads: first.loads }, out));
        this.value(right, taken, (second, here) => leave(here, (out) => then(operation('&&', first, second), out)));
      },
      (other, leave) => {
        if (operator === '&&') return leave(other, (out) => then({ ...decided, loads: first.loads }, out));
        this.value(right, other, (second, here) => leave(here, (out) => then(operation('||', first, second), out)));
      },
    );
  }

  /**
   * Goes both ways from a condition. Everything in the arms depends on it through control, up to where the arm is left: herd's C front end and
   * explanation.txt agree that a control dependency ends with the `if`.
   */
  fork(path: Path, condition: Operand, taken: Arm, other: Arm): void {
    const outside = path.control;
    const leave: Leave = (inside, next) => {
      inside.control = outside;
      next(inside);
    };
    path.control = [...new Set([...outside, ...condition.loads])];
    const { term } = condition;
    if (term.kind !== 'value')
      path.branch(
        term,
        (here) => taken(here, leave),
        (here) => other(here, leave),
      );
    else (term.value !== 0n ? taken : other)(path, leave);
  }

  /** Computes what needs no load, and refuses what has no meaning. */
  #folded(operand: Operand, at: Position): Operand {
    const { term, loads } = operand;
    if (term.kind !== 'operation' || term.left.kind !== 'value' || term.right.kind !== 'value') return operand;
    const value = this.#addresses.operate(term.operator, term.left.value, term.right.value);
    if (value === undefined) this.reject(at, `"${term.operator}" has no meaning for these operands`);
    return { term: { kind: 'value', value }, loads };
  }

  /** Null for what returns nothing. */
  #call(call: Call, path: Path, then: (result: Operand | null, path: Path) => void): void {
    const macro = Object.hasOwn(MACROS, call.name) ? MACROS[call.name] : undefined;
    if (macro === undefined)
      return this.reject(call.at, `unknown primitive ${call.name}(): it is not in linux-kernel.def`);
    const { parameters } = macro;
    if (call.arguments.length !== parameters.length)
      this.reject(
        call.at,
        `${call.name}(${parameters.join(', ')}) takes ${count(parameters.length)}, and ${call.arguments.length} ${call.arguments.length === 1 ? 'is' : 'are'} given`,
      );
    this.#arguments(call, macro, path, [], (operands, here) => perform(macro, operands, here, call.at, then));
  }

  #arguments(
    call: Call,
    macro: Macro,
    path: Path,
    done: readonly Operand[],
    then: (operands: readonly Operand[], path: Path) => void,
  ): void {
    if (done.length === macro.parameters.length) return then(done, path);
    const expression = call.arguments[done.length];
    const next: Then = (operand, here) => this.#arguments(call, macro, here, [...done, operand], then);
    if (macro.parameters[done.length] === '*x') this.location(expression, path, next);
    else this.value(expression, path, next);
  }
}

type Leave = (inside: Path, next: (path: Path) => void) => void;
type Arm = (path: Path, leave: Leave) => void;

const count = (parameters: number): string =>
  parameters === 0 ? 'no arguments' : parameters === 1 ? '1 argument' : `${parameters} arguments`;

function perform(
  macro: Macro,
  operands: readonly Operand[],
  path: Path,
  at: Position,
  then: (result: Operand | null, path: Path) => void,
): void {
  const [first, second, third] = operands;
  switch (macro.does) {
    case 'load':
      return then(loaded(path.event({ type: 'R', tag: macro.tag, address: first, at })), path);
    case 'store':
      path.event({ type: 'W', tag: macro.tag, address: first, value: second, at });
      if (macro.fence !== null) path.event({ type: 'F', tag: macro.fence, at });
      return then(null, path);
    case 'fence':
      path.event({ type: 'F', tag: macro.tag, at });
      return then(null, path);
    case 'fenceAt':
      path.event({ type: 'F', tag: macro.tag, address: first, at });
      return then(null, path);
    case 'lock':
      lock(first, path, at);
      return then(null, path);
    case 'unlock':
      unlock(first, path, at);
      return then(null, path);
    case 'trylock':
      return trylock(first, path, at, then);
    case 'isLocked':
      return then(isLocked(first, path, at), path);
    case 'exchange':
      return then(exchange(macro.ordering, first, second, path, at), path);
    case 'compareExchange':
      return compareExchange(macro.ordering, [first, second, third], path, at, then);
    case 'addUnless':
      return addUnless(macro.ordering, [first, second, third], path, at, then);
    case 'modify': {
      const [by, address] = macro.parameters.length === 1 ? [constant(1n), first] : [first, second];
      const result = modify(macro, address, by, path, at);
      return then(macro.returns === 'nothing' ? null : result, path);
    }
  }
}

function unary(operator: '-' | '~' | '!', operand: Operand): Operand {
  if (operator === '-') return operation('-', constant(0n), operand);
  return operator === '~' ? operation('^', operand, constant(-1n)) : operation('==', operand, constant(0n));
}

/** Whether evaluating it makes an event. */
function hasEffect(expression: Expression): boolean {
  switch (expression.kind) {
    case 'constant':
    case 'name':
      return false;
    case 'dereference':
    case 'call':
      return true;
    case 'addressOf':
      return expression.of.kind === 'dereference' && hasEffect(expression.of.pointer);
    case 'unary':
      return hasEffect(expression.operand);
    case 'binary':
      return hasEffect(expression.left) || hasEffect(expression.right);
  }
}
