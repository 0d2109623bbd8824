// SPDX-License-Identifier: MIT
import type { Expression, Litmus, Place, Position, Statement } from './ast.js';
import { placeText } from './proposition.js';
import { decidingPlaces } from './state.js';

/** What is allowed and likely a slip: names that nothing gives a value, which are 0. One line each, with the place in the file. */
export function warnings(litmus: Litmus): string[] {
  const { source, threads, initial } = litmus;
  const result: string[] = [];
  const known = new Set(initial.filter(({ place }) => place.thread === null).map(({ place }) => place.name));
  const set = threads.map((thread, number) => {
    for (const { name } of thread.parameters) known.add(name);
    const given = initial.filter(({ place }) => place.thread === number).map(({ place }) => place.name);
    const names = new Names(new Set([...thread.parameters.map(({ name }) => name), ...given]));
    names.visit(thread.body);
    for (const [name, at] of names.unset())
      result.push(
        `${source.file}:${at.line}:${at.column}: P${number} reads ${name}, which nothing sets and no parameter is: it is 0`,
      );
    return names.set;
  });
  const exists = ({ thread, name }: Place): boolean => (thread === null ? known.has(name) : set[thread].has(name));
  for (const place of decidingPlaces(litmus)) {
    if (!exists(place))
      result.push(`${source.file}: the condition looks at ${placeText(place)}, which nothing sets: it is 0`);
  }
  return result;
}

/** The names that a thread sets and reads. */
class Names {
  readonly set: Set<string>;
  private readonly read: Map<string, Position> = new Map();

  constructor(given: Set<string>) {
    this.set = given;
  }

  /** What is read and set nowhere, with its first place. */
  unset(): [string, Position][] {
    return [...this.read].filter(([name]) => !this.set.has(name));
  }

  visit(statements: readonly Statement[]): void {
    for (const statement of statements) this.statement(statement);
  }

  private statement(of: Statement): void {
    switch (of.kind) {
      case 'assign':
        this.set.add(of.register);
        return this.expression(of.value);
      case 'store':
        this.expression(of.pointer);
        return this.expression(of.value);
      case 'expression':
        return this.expression(of.expression);
      case 'if':
        this.expression(of.condition);
        this.visit(of.then);
        return this.visit(of.otherwise);
      default:
        this.expression(of.condition);
        return this.visit(of.body);
    }
  }

  private expression(of: Expression): void {
    switch (of.kind) {
      case 'constant':
        return;
      case 'name':
        if (!this.read.has(of.name)) this.read.set(of.name, of.at);
        return;
      case 'dereference':
        return this.expression(of.pointer);
      case 'addressOf':
        return this.expression(of.of);
      case 'unary':
        return this.expression(of.operand);
      case 'binary':
        this.expression(of.left);
        return this.expression(of.right);
      case 'call':
        for (const argument of of.arguments) this.expression(argument);
    }
  }
}
