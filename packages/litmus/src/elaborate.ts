// SPDX-License-Identifier: MIT
import type { Condition, InitialValue, Litmus, Statement } from './ast.js';
import type { Planned, Segment } from './elaborate-event.js';
import { Expressions } from './elaborate-expression.js';
import { constant, Numbers, type Operand, Path, TooManyPaths } from './elaborate-path.js';
import { Addresses, type Term, type Value } from './elaborate-value.js';
import { LitmusError } from './error.js';

/** A litmus test as the search takes it: for each thread the tree of its control paths. */
export interface Program {
  readonly litmus: Litmus;
  readonly addresses: Addresses;
  readonly threads: readonly Segment[];
  /** Number of events of all threads and paths. */
  readonly events: number;
  /** What variables hold before; 0 where nothing is said. By the name of the variable. */
  readonly initial: ReadonlyMap<string, Value>;
  readonly initialRegisters: readonly ReadonlyMap<string, Value>[];
  /** What the filter of the test says about registers of each thread, as far as it is a conjunction: an execution without it is not worth finishing. */
  readonly filter: readonly (readonly Wanted[])[];
}

interface Wanted {
  readonly register: string;
  readonly value: Value;
}

/** Executes each thread symbolically. `unroll`: how often the body of a loop may run before the path is cut. */
export function elaborate(litmus: Litmus, unroll: number): Program {
  const addresses = new Addresses(litmus.arrays);
  const constantOf = (value: InitialValue): Value =>
    'constant' in value ? value.constant : addresses.of(value.address);
  const initial = new Map<string, Value>();
  const initialRegisters = litmus.threads.map(() => new Map<string, Value>());
  for (const { place, value } of litmus.initial)
    (place.thread === null ? initial : initialRegisters[place.thread]).set(place.name, constantOf(value));
  const numbers = new Numbers();
  const threads = litmus.threads.map(({ parameters, body, at }, thread) => {
    const registers = new Map<string, Operand>();
    for (const [name, value] of initialRegisters[thread]) registers.set(name, constant(value));
    const path = Path.start(numbers, thread, registers);
    const expressions = new Expressions(litmus.source, addresses, new Set(parameters.map(({ name }) => name)));
    try {
      new Statements(expressions, unroll).list(body, 0, path, finish);
    } catch (error) {
      if (!(error instanceof TooManyPaths)) throw error;
      throw new LitmusError(
        litmus.source,
        at,
        `the thread has too many paths: nest fewer ifs and loops, or unroll less than ${unroll} times`,
      );
    }
    noteStores(path.segment);
    return path.segment;
  });
  const filter = litmus.threads.map((): Wanted[] => []);
  if (litmus.filter !== null) noteWanted(litmus.filter, filter, constantOf);
  return { litmus, addresses, threads, events: numbers.events, initial, initialRegisters, filter };
}

function noteWanted(condition: Condition, filter: Wanted[][], constantOf: (value: InitialValue) => Value): void {
  if (condition.kind === 'and') {
    noteWanted(condition.left, filter, constantOf);
    noteWanted(condition.right, filter, constantOf);
  } else if (condition.kind === 'atom' && condition.operator === '=' && !('name' in condition.value)) {
    const { thread, name } = condition.place;
    if (thread !== null) filter[thread].push({ register: name, value: constantOf(condition.value) });
  }
}

function finish(path: Path): void {
  const registers = new Map<string, Term>();
  for (const [name, { term }] of path.registers) registers.set(name, term);
  path.segment.end = { kind: 'finish', registers };
}

class Statements {
  readonly #expressions: Expressions;
  readonly #unroll: number;

  constructor(expressions: Expressions, unroll: number) {
    this.#expressions = expressions;
    this.#unroll = unroll;
  }

  /** The statements from the `index`th on, and then `next`. */
  list(statements: readonly Statement[], index: number, path: Path, next: (path: Path) => void): void {
    if (index === statements.length) next(path);
    else this.#statement(statements[index], path, (here) => this.list(statements, index + 1, here, next));
  }

  #statement(statement: Statement, path: Path, next: (path: Path) => void): void {
    const { at } = statement;
    switch (statement.kind) {
      case 'assign':
        return this.#expressions.value(statement.value, path, (operand, here) => {
          here.registers.set(statement.register, operand);
          next(here);
        });
      case 'store':
        return this.#expressions.value(statement.pointer, path, (address, here) =>
          this.#expressions.value(statement.value, here, (value, there) => {
            there.event({ type: 'W', tag: 'plain', address, value, at });
            next(there);
          }),
        );
      case 'expression':
        return this.#expressions.effect(statement.expression, path, next);
      case 'if':
        return this.#expressions.value(statement.condition, path, (condition, here) =>
          this.#expressions.fork(
            here,
            condition,
            (taken, leave) => this.list(statement.then, 0, taken, (end) => leave(end, next)),
            (other, leave) => this.list(statement.otherwise, 0, other, (end) => leave(end, next)),
          ),
        );
      case 'while':
        return this.#loop(statement, 0, path, next);
      case 'doWhile':
        return this.list(statement.body, 0, path, (end) => this.#loop(statement, 1, end, next));
    }
  }

  /** Its body has run `rounds` times. */
  #loop(
    loop: Extract<Statement, { kind: 'while' | 'doWhile' }>,
    rounds: number,
    path: Path,
    next: (path: Path) => void,
  ): void {
    this.#expressions.value(loop.condition, path, (condition, here) =>
      this.#expressions.fork(
        here,
        condition,
        (again, leave) => {
          if (rounds >= this.#unroll) again.segment.end = { kind: 'cut', bound: this.#unroll, at: loop.at };
          else this.list(loop.body, 0, again, (end) => this.#loop(loop, rounds + 1, end, (out) => leave(out, next)));
        },
        (done, leave) => leave(done, next),
      ),
    );
  }
}

function noteStores(segment: Segment): readonly Planned[] {
  const below = segment.end.kind === 'branch' ? segment.end.arms.flatMap((arm) => [...noteStores(arm)]) : [];
  segment.storesBelow = below;
  return [...segment.events.filter(({ value }) => value !== null), ...below];
}
