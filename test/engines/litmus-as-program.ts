// SPDX-License-Identifier: MIT

import type { Program } from '@lockless/checker';
import { type Access, access, code, defineWord, type Op, peek, poke, type Ref, rmwStore } from '@lockless/cpu';
import type { Expression, InitialValue, Litmus, Statement, Thread } from '@lockless/litmus';
import { MACROS, type Macro } from '../../packages/litmus/src/macros.js';
import { holds, observedPlaces } from '../../packages/litmus/src/state.js';

/*
 * A litmus test as kernel-side code: an interpreter of its syntax tree that makes the accesses of cpu. What it shares with the litmus engine is the
 * parser and the table of primitives, not what they are taken to mean.
 */

/** What kernel-side code cannot say: SRCU, a lock that is only looked at, arrays. */
export class Untranslatable extends Error {
  override readonly name = 'Untranslatable';
}

const POOL: readonly Ref<number>[] = Array.from({ length: 24 }, (_, i) => defineWord<number>(`litmus_${i}`));

type Registers = Map<string, number>;

/** One for each final state: the number of executions that end in it is {@link CheckResult.reached}. */
export function programOf(litmus: Litmus): Program {
  if (litmus.arrays.length > 0) throw new Untranslatable('arrays');
  const words = wordsOf(litmus);
  const names = new Map([...words].map(([name, word]) => [word as number, name]));
  const numberOf = (value: InitialValue): number =>
    'constant' in value ? Number(value.constant) : (words.get(value.address) as number);
  const places = observedPlaces(litmus);
  return {
    name: litmus.name,
    setup: function* () {
      for (const word of POOL) poke(word, 0);
      for (const { place, value } of litmus.initial)
        if (place.thread === null) poke(words.get(place.name) as Ref<number>, numberOf(value));
    },
    threads: Object.fromEntries(
      litmus.threads.map((thread, i) => {
        const initial = litmus.initial.filter(({ place }) => place.thread === i);
        const registers = (): Registers => new Map(initial.map(({ place, value }) => [place.name, numberOf(value)]));
        return [`P${i}`, () => new Interpreter(words, thread, registers()).run()];
      }),
    ),
    finally: function* (_, { results, reach }) {
      const read = ({ thread, name }: { thread: number | null; name: string }) => {
        const value =
          thread === null
            ? words.has(name)
              ? peek(words.get(name) as Ref<number>)
              : 0
            : ((results[`P${thread}`] as Registers).get(name) ?? 0);
        const address = names.get(value);
        return address === undefined ? { constant: BigInt(value) } : { address };
      };
      if (litmus.filter === null || holds(litmus.filter, read)) reach(stateKey(places.map(read)));
    },
  };
}

export const stateKey = (state: readonly (InitialValue | { readonly symbol: number })[]): string =>
  state.map((v) => ('constant' in v ? String(v.constant) : 'address' in v ? `&${v.address}` : 'S')).join();

function wordsOf({ threads, initial, locations }: Litmus): Map<string, Ref<number>> {
  const names = new Set(threads.flatMap(({ parameters }) => parameters.map(({ name }) => name)));
  for (const { place, value } of initial) {
    if (place.thread === null) names.add(place.name);
    if ('address' in value) names.add(value.address);
  }
  for (const { thread, name } of locations) if (thread === null) names.add(name);
  if (names.size > POOL.length) throw new Untranslatable(`${names.size} variables`);
  return new Map([...names].map((name, i) => [name, POOL[i]]));
}

class Interpreter {
  readonly #words: ReadonlyMap<string, Ref<number>>;
  readonly #thread: Thread;
  readonly #registers: Registers;
  readonly #parameters: ReadonlySet<string>;

  constructor(words: ReadonlyMap<string, Ref<number>>, thread: Thread, registers: Registers) {
    this.#words = words;
    this.#thread = thread;
    this.#registers = registers;
    this.#parameters = new Set(thread.parameters.map(({ name }) => name));
  }

  *run(): Op<Registers> {
    yield* this.#all(this.#thread.body);
    return this.#registers;
  }

  *#all(statements: readonly Statement[]): Op<void> {
    for (const statement of statements) yield* this.#statement(statement);
  }

  *#statement(statement: Statement): Op<void> {
    switch (statement.kind) {
      case 'assign':
        this.#registers.set(statement.register, yield* this.#value(statement.value));
        return;
      case 'store': {
        const address = yield* this.#value(statement.pointer);
        yield* access<void>(code('store'), address, yield* this.#value(statement.value));
        return;
      }
      case 'expression':
        yield* this.#value(statement.expression);
        return;
      case 'if':
        yield* this.#all((yield* this.#value(statement.condition)) !== 0 ? statement.then : statement.otherwise);
        return;
      case 'doWhile':
        do yield* this.#all(statement.body);
        while ((yield* this.#value(statement.condition)) !== 0);
        return;
      case 'while':
        while ((yield* this.#value(statement.condition)) !== 0) yield* this.#all(statement.body);
    }
  }

  *#location(of: Expression): Op<number> {
    if (of.kind === 'dereference') return yield* this.#value(of.pointer);
    return yield* this.#value(of);
  }

  *#value(of: Expression): Op<number> {
    switch (of.kind) {
      case 'constant':
        return Number(of.value);
      case 'name':
        if (this.#parameters.has(of.name)) return this.#words.get(of.name) as number;
        return this.#registers.get(of.name) ?? 0;
      case 'addressOf':
        return yield* this.#location(of.of);
      case 'dereference':
        return yield* access<number>(code('load'), yield* this.#value(of.pointer));
      case 'unary': {
        const operand = yield* this.#value(of.operand);
        return of.operator === '-' ? -operand : of.operator === '~' ? ~operand : Number(operand === 0);
      }
      case 'binary': {
        const left = yield* this.#value(of.left);
        if (of.operator === '&&' && left === 0) return 0;
        if (of.operator === '||' && left !== 0) return 1;
        return binary(of.operator, left, yield* this.#value(of.right));
      }
      case 'call': {
        const macro = MACROS[of.name];
        const operands: number[] = [];
        for (const [i, argument] of of.arguments.entries())
          operands.push(yield* macro.parameters[i] === '*x' ? this.#location(argument) : this.#value(argument));
        return yield* primitive(of.name, macro, operands);
      }
    }
  }
}

function binary(operator: string, a: number, b: number): number {
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
      return Math.trunc(a / b);
    case '%':
      return a % b;
    case '&':
      return a & b;
    case '|':
      return a | b;
    case '^':
      return a ^ b;
    case '<<':
      return a << b;
    case '>>':
      return a >> b;
    case '==':
      return Number(a === b);
    case '!=':
      return Number(a !== b);
    case '<':
      return Number(a < b);
    case '<=':
      return Number(a <= b);
    case '>':
      return Number(a > b);
    case '>=':
      return Number(a >= b);
    default:
      return Number(b !== 0);
  }
}

const FENCES: Readonly<Record<string, string>> = {
  mb: 'smp_mb',
  rmb: 'smp_rmb',
  wmb: 'smp_wmb',
  'before-atomic': 'smp_mb__before_atomic',
  'after-atomic': 'smp_mb__after_atomic',
  'after-spinlock': 'smp_mb__after_spinlock',
  'after-unlock-lock': 'smp_mb__after_unlock_lock',
  barrier: 'barrier',
  'rcu-lock': 'rcu_read_lock',
  'rcu-unlock': 'rcu_read_unlock',
  'sync-rcu': 'synchronize_rcu',
};
const LOADS: Readonly<Record<string, string>> = { once: 'READ_ONCE', acquire: 'smp_load_acquire' };
const STORES: Readonly<Record<string, string>> = { once: 'WRITE_ONCE', release: 'smp_store_release' };
const SUFFIXES = { mb: '', once: '_relaxed', acquire: '_acquire', release: '_release', noreturn: '' } as const;
const LOCKS = { lock: 'spin_lock', unlock: 'spin_unlock', trylock: 'spin_trylock' } as const;
const BITS: Readonly<Record<string, string>> = {
  '|': 'set_bit',
  '&': 'clear_bit',
  '&~': 'clear_bit',
  '^': 'change_bit',
};

const named = <R>(name: string, ...operands: [number, number?, number?]): Access<R> =>
  access<R>(code(name), ...operands);
const known = (name: string | undefined, what: string): string => {
  if (name === undefined) throw new Untranslatable(what);
  return name;
};

function* primitive(name: string, macro: Macro, operands: readonly number[]): Op<number> {
  const [first, second, third] = operands;
  switch (macro.does) {
    case 'load':
      return yield* named<number>(name === 'rcu_dereference' ? name : known(LOADS[macro.tag], name), first);
    case 'store':
      yield* named<void>(macro.fence === 'mb' ? 'smp_store_mb' : known(STORES[macro.tag], name), first, second);
      return 0;
    case 'fence':
      yield* named<void>(known(FENCES[macro.tag], name), 0);
      return 0;
    case 'fenceAt':
    case 'isLocked':
      throw new Untranslatable(name);
    case 'lock':
    case 'unlock':
    case 'trylock':
      return Number((yield* named<boolean | undefined>(LOCKS[macro.does], first)) ?? 0);
    case 'exchange':
      return yield* named<number>(`atomic_xchg${SUFFIXES[macro.ordering]}`, first, second);
    case 'compareExchange':
      return yield* named<number>(`atomic_cmpxchg${SUFFIXES[macro.ordering]}`, first, third, second);
    case 'addUnless':
      return Number(yield* named<boolean>('atomic_add_unless', first, second, third));
    case 'modify': {
      const [by, address] = macro.parameters.length === 1 ? [1, first] : [first, second];
      return yield* modify(macro, by, address);
    }
  }
}

function* modify(
  { operator, ordering, returns }: Extract<Macro, { does: 'modify' }>,
  by: number,
  address: number,
): Op<number> {
  if (operator !== '+' && operator !== '-') {
    if (returns !== 'nothing') throw new Untranslatable(`atomic_fetch ${operator}`);
    yield* named<void>(known(BITS[operator], operator), address, operator === '&~' ? ~by : by);
    return 0;
  }
  const added = operator === '-' ? -by : by;
  switch (returns) {
    case 'nothing':
      yield* named<void>('atomic_add', address, added);
      return 0;
    case 'new':
      return yield* named<number>(`atomic_add_return${SUFFIXES[ordering]}`, address, added);
    case 'old':
      if (ordering === 'mb') return yield* named<number>('atomic_fetch_add', address, added);
      return rmwStore('add', yield* named<number>(`atomic_add_return${SUFFIXES[ordering]}`, address, added), -added);
    case 'new == 0':
      return Number(yield* named<boolean>('atomic_add_and_test', address, added));
    case 'new < 0':
      if (ordering === 'mb') return Number(yield* named<boolean>('atomic_add_negative', address, added));
      return Number((yield* named<number>(`atomic_add_return${SUFFIXES[ordering]}`, address, added)) < 0);
  }
}
