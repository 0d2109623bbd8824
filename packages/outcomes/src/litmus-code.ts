// SPDX-License-Identifier: GPL-2.0-only
import type { Expression, InitialValue, Litmus, Place, Statement, Thread } from '@lockless/litmus';
import { decidingPlaces } from '@lockless/litmus';
import { NATIVE_CALLS, type NativeCall } from './litmus-names.js';
import { BINARY, UNARY } from './litmus-operators.js';

/** A litmus test that cannot run natively, and why. */
export class NotNative extends Error {
  override readonly name = 'NotNative';
}

/** A word of an instance: variables lie in blocks (an array is one block), and each block has a region with all instances of it. */
interface Variable {
  readonly name: string;
  readonly block: number;
  readonly offset: number;
}

/** Where the final value of a place is found. */
export type Column =
  | { readonly kind: 'register'; readonly thread: number; readonly column: number }
  | { readonly kind: 'variable'; readonly variable: number };

/** A litmus test as it goes to the threads: data only. */
export interface LitmusCode {
  readonly name: string;
  readonly variables: readonly Variable[];
  /** Words in each block. */
  readonly blocks: readonly number[];
  /** What each variable holds before: a number, or the address of a variable by its number. */
  readonly initial: readonly (number | { readonly variable: number })[];
  /** Body of a function for each thread: see {@link threadSource}. */
  readonly threads: readonly string[];
  /** Registers that each thread hands out. */
  readonly registers: readonly number[];
  /** Parallel to decidingPlaces(). */
  readonly columns: readonly Column[];
  /** Names of the table of primitives that the threads use. */
  readonly primitives: readonly string[];
}

/** Not a primitive of the kernel: an instance is over, and a lock that it keeps is nobody's. */
export const ABANDON_LOCKS = 'abandon_locks';

/** How long a loop may go on in one instance before it is given up. */
const FUEL = 20_000;

/**
 * Translates a test. An instance's variables are words whose addresses are computed from its number; what C does is done in 32 bits.
 * Throws NotNative where a primitive, or a number, has no native counterpart.
 */
export function litmusCode(litmus: Litmus): LitmusCode {
  const variables = variablesOf(litmus);
  const number = (name: string): number => variables.findIndex((variable) => variable.name === name);
  const initialValue = (value: InitialValue): number | { readonly variable: number } =>
    'constant' in value ? word(value.constant) : { variable: number(value.address) };
  const initial: (number | { readonly variable: number })[] = variables.map(() => 0);
  for (const { place, value } of litmus.initial)
    if (place.thread === null) initial[number(place.name)] = initialValue(value);
  const places = decidingPlaces(litmus);
  const handedOut = litmus.threads.map((_, thread) =>
    places.filter((place) => place.thread === thread).map(({ name }) => name),
  );
  const used = new Set<string>();
  const threads = litmus.threads.map((thread, index) =>
    new ThreadSource(thread, variables, used).text(registersOf(litmus, index, number), handedOut[index]),
  );
  const columns = places.map(({ thread, name }: Place): Column => {
    if (thread === null) return { kind: 'variable', variable: number(name) };
    return { kind: 'register', thread, column: handedOut[thread].indexOf(name) };
  });
  const blocks: number[] = [];
  for (const { block, offset } of variables) blocks[block] = Math.max(blocks[block] ?? 0, offset + 1);
  const registers = handedOut.map(({ length }) => length);
  return { name: litmus.name, variables, blocks, initial, threads, registers, columns, primitives: [...used] };
}

function word(value: bigint): number {
  if (BigInt.asIntN(32, value) !== value) throw new NotNative(`${value} does not fit a word of 32 bits`);
  return Number(value);
}

function variablesOf(litmus: Litmus): Variable[] {
  const variables: Variable[] = [];
  let block = 0;
  for (const { name, length } of litmus.arrays) {
    for (let offset = 0; offset < length; offset++) variables.push({ name: `${name}[${offset}]`, block, offset });
    block++;
  }
  const add = (name: string): void => {
    if (!variables.some((variable) => variable.name === name)) variables.push({ name, block: block++, offset: 0 });
  };
  for (const { parameters } of litmus.threads) for (const { name } of parameters) add(name);
  for (const { place, value } of litmus.initial) {
    if (place.thread === null) add(place.name);
    if ('address' in value) add(value.address);
  }
  for (const { thread, name } of decidingPlaces(litmus)) if (thread === null) add(name);
  return variables;
}

/** What registers of a thread hold before, as source. */
function registersOf(litmus: Litmus, thread: number, number: (name: string) => number): Map<string, string> {
  const registers = new Map<string, string>();
  for (const { place, value } of litmus.initial)
    if (place.thread === thread)
      registers.set(place.name, 'constant' in value ? String(word(value.constant)) : `v${number(value.address)}`);
  return registers;
}

/**
 * Writes the function of one thread over a batch of instances: `(batch, meet, out) => void`, in a scope that has the primitives.
 * `batch.base[b] + i * batch.stride[b]` is block b of instance i, and they are taken in the order of `batch.step`; `meet(n)` waits for the other threads, or not.
 * `out` has a row for each instance: 1 when done or 2 when given up, then the registers.
 */
class ThreadSource {
  private readonly thread: Thread;
  private readonly variables: readonly Variable[];
  private readonly used: Set<string>;
  private readonly parameters: ReadonlyMap<string, number>;
  private readonly registers: Set<string> = new Set();
  private temporaries = 0;

  constructor(thread: Thread, variables: readonly Variable[], used: Set<string>) {
    this.thread = thread;
    this.variables = variables;
    this.used = used;
    const numbers = thread.parameters.map(({ name }): [string, number] => [
      name,
      variables.findIndex((variable) => variable.name === name),
    ]);
    this.parameters = new Map(numbers);
  }

  text(initial: ReadonlyMap<string, string>, handedOut: readonly string[]): string {
    for (const name of [...initial.keys(), ...handedOut]) this.registers.add(name);
    const body = this.list(this.thread.body);
    const blocks = [...new Set(this.variables.map(({ block }) => block))];
    return [
      `const { base, stride, step, count } = batch;`,
      ...blocks.map((b) => `const b${b} = base[${b}], s${b} = stride[${b}];`),
      'for (let n = 0; n < count; n++) {\nconst i = Math.imul(n, step) & (count - 1);',
      ...this.variables.map(({ block, offset }, v) => `const v${v} = b${block} + i * s${block} + ${offset};`),
      ...[...this.registers].map((name) => `let ${register(name)} = ${initial.get(name) ?? 0};`),
      ...Array.from({ length: this.temporaries }, (_, t) => `let t${t} = 0;`),
      `let fuel = ${FUEL}, state = 2;`,
      'meet(n);',
      `body: {\n${body}\nstate = 1;\n}`,
      ...(this.used.has('spin_trylock') ? [`${this.primitive(ABANDON_LOCKS)}(0, 0, 0);`] : []),
      `const o = i * ${handedOut.length + 1};`,
      'out[o] = state;',
      ...handedOut.map((name, k) => `out[o + ${k + 1}] = ${register(name)};`),
      '}',
    ].join('\n');
  }

  private list(statements: readonly Statement[]): string {
    return statements.map((statement) => this.statement(statement)).join('\n');
  }

  private statement(statement: Statement): string {
    switch (statement.kind) {
      case 'assign':
        this.registers.add(statement.register);
        return `${register(statement.register)} = ${this.value(statement.value)};`;
      case 'store':
        return `${this.primitive('store')}(${this.value(statement.pointer)}, ${this.value(statement.value)});`;
      case 'expression':
        return this.effect(statement.expression);
      case 'if':
        return `if (${this.truth(statement.condition)}) {\n${this.list(statement.then)}\n} else {\n${this.list(statement.otherwise)}\n}`;
      case 'while':
        return `while (${this.truth(statement.condition)}) {\n${SPEND}\n${this.list(statement.body)}\n}`;
      case 'doWhile':
        return `do {\n${SPEND}\n${this.list(statement.body)}\n} while (${this.truth(statement.condition)});`;
    }
  }

  private effect(expression: Expression): string {
    if (expression.kind !== 'call' || expression.name !== 'spin_lock') return `${this.value(expression)};`;
    // Bounded: of a test that may deadlock, only the instances in which it does are lost.
    const lock = this.value(expression.arguments[0]);
    return `while (!${this.primitive('spin_trylock')}(${lock}, 0, 0)) { ${SPEND} }`;
  }

  private truth(expression: Expression): string {
    return `(${this.value(expression)}) !== 0`;
  }

  private value(expression: Expression): string {
    switch (expression.kind) {
      case 'constant':
        return `(${word(expression.value)})`;
      case 'name':
        return this.named(expression.name);
      case 'dereference':
        return `${this.primitive('load')}(${this.value(expression.pointer)}, 0, 0)`;
      case 'addressOf':
        return this.location(expression.of);
      case 'unary':
        return UNARY[expression.operator](this.value(expression.operand));
      case 'binary':
        return BINARY[expression.operator](this.value(expression.left), this.value(expression.right));
      case 'call':
        return this.call(expression);
    }
  }

  private named(name: string): string {
    const variable = this.parameters.get(name);
    if (variable !== undefined) return `v${variable}`;
    this.registers.add(name);
    return register(name);
  }

  /** The address of an lvalue. */
  private location(expression: Expression): string {
    return this.value(expression.kind === 'dereference' ? expression.pointer : expression);
  }

  private call({ name, arguments: given }: Extract<Expression, { kind: 'call' }>): string {
    if (!Object.hasOwn(NATIVE_CALLS, name)) throw new NotNative(`${name}() has no native counterpart`);
    const call = NATIVE_CALLS[name];
    // The lvalue of READ_ONCE(*x) is its address; a function's argument is a pointer already.
    const values = given.map((argument, index) =>
      index === call.address && TAKES_LVALUE.has(name) ? this.location(argument) : this.value(argument),
    );
    // In the order of the test, which is the model's, where it matters.
    const compound = given.filter((argument) => argument.kind !== 'constant' && argument.kind !== 'name').length;
    const ordered = compound > (call.result === 'minus operand' ? 0 : 1);
    const before = ordered ? values.map((value) => `${this.temporary()} = ${value}`).join(', ') : '';
    const operands = ordered ? values.map((_, k) => `t${this.temporaries - values.length + k}`) : values;
    const text = this.perform(call, operands);
    return ordered ? `(${before}, ${text})` : text;
  }

  private perform({ primitive, address, operand, expected, result }: NativeCall, values: readonly string[]): string {
    const at = address === null ? '0' : values[address];
    const value =
      operand === undefined
        ? '0'
        : 'constant' in operand
          ? `(${operand.constant})`
          : operand.as === undefined
            ? values[operand.argument]
            : UNARY[operand.as](values[operand.argument]);
    const other = expected === undefined ? '0' : values[expected.argument];
    const text = `${this.primitive(primitive)}(${at}, ${value}, ${other})`;
    if (result === 'minus operand') return `((${text} - ${value}) | 0)`;
    return result === 'as truth' || TRUTHS.has(primitive) ? `(${text} ? 1 : 0)` : text;
  }

  private temporary(): string {
    return `t${this.temporaries++}`;
  }

  private primitive(name: string): string {
    this.used.add(name);
    return name;
  }
}

const register = (name: string): string => `r_${name}`;
const SPEND = 'if (--fuel < 0) break body;';
const TAKES_LVALUE = new Set([...['READ_ONCE', 'WRITE_ONCE', 'rcu_dereference', 'rcu_assign_pointer', 'smp_store_mb']]);
/** Primitives whose result is a boolean. */
const TRUTHS = new Set(['atomic_add_and_test', 'atomic_add_negative', 'atomic_add_unless']);
