// SPDX-License-Identifier: MIT
import type { CallExpression, Node, Program, Statement } from 'oxc-parser';
import { boundIn, isFunction, nameOf, partsOf } from '../syntax.js';
import { type Body, isLabel, references } from './body.js';
import { folded } from './fold.js';
import type { Piece } from './written.js';

/** What names at the top of a module stand for. */
export interface Meanings {
  /** What is written in place of the name. */
  readonly texts: ReadonlyMap<string, string>;
  /** Variables for each CPU: where that of the first is, and how far the next. */
  readonly perCpu: ReadonlyMap<string, readonly [base: number, stride: number]>;
  readonly constants: ReadonlySet<string>;
  /** The function of that name, if it can be written out. */
  bodyOf(name: string): Body | null;
}

/** Where something is written: names that are bound there, and what is written for some. */
export interface Scope {
  readonly text: string;
  /** Offset that all of it stems from; null: it is the module's own text. */
  readonly site: number | null;
  readonly bound: ReadonlySet<string>;
  readonly names: ReadonlyMap<string, readonly Piece[]>;
  /** Within a function of the module itself: calls are written out. */
  readonly calls: boolean;
  /** Variables that functions further in assign to. */
  readonly shaky: ReadonlySet<string>;
  readonly onReturn?: (value: Node | null, statement: Node) => Piece[];
}

const ATOMS = new Set(['Identifier', 'Literal', 'MemberExpression', 'CallExpression', 'ParenthesizedExpression']);

/** Writes a module anew: names as what they stand for, conditions that are known as what they come to. */
export abstract class Writer {
  private readonly text: string;
  private readonly program: Program;
  protected readonly meanings: Meanings;

  constructor(text: string, program: Program, meanings: Meanings) {
    this.text = text;
    this.program = program;
    this.meanings = meanings;
  }

  /** What is written in place of a call, or null. */
  protected abstract callInstead(call: CallExpression, scope: Scope): Piece[] | null;

  /** What is written in place of a statement of a function, or null. */
  protected abstract statementInstead(node: Statement, scope: Scope, parent: Node | null): Piece[] | null;

  pieces(): Piece[] {
    const pieces: Piece[] = [];
    let at = 0;
    for (const statement of this.program.body) {
      pieces.push(this.copied(at, statement.start));
      at = statement.end;
      if (/^(Import|Export)/.test(statement.type)) pieces.push(this.copied(statement.start, at));
      else pieces.push(...this.written(statement, this.outermost(statement)));
    }
    return [...pieces, this.copied(at, this.text.length)];
  }

  private copied = (start: number, end: number): Piece => ({
    text: this.text.slice(start, end),
    at: start,
    copied: true,
  });

  private outermost(statement: Node): Scope {
    const shaky = new Set<string>();
    const look = (node: Node, depth: number): void => {
      for (const [part] of partsOf(node)) {
        if (isFunction(part) && depth > 0) for (const [name, target] of references(part)) if (target) shaky.add(name);
        look(part, depth + (isFunction(part) ? 1 : 0));
      }
    };
    look(statement, 0);
    return { text: this.text, site: null, bound: boundIn(statement), names: new Map(), calls: false, shaky };
  }

  protected written(node: Node, scope: Scope, parent: Node | null = null, key = ''): Piece[] {
    const instead = this.instead(node, scope, parent, key);
    if (instead !== null) return instead;
    const inside = isFunction(node) && scope.site === null ? { ...scope, calls: true } : scope;
    const pieces: Piece[] = [];
    let at = node.start;
    for (const [part, of] of [...partsOf(node)].sort(([a], [b]) => a.start - b.start)) {
      if (part.start < at) continue; // `{ name }` is key and value at once
      pieces.push(this.slice(at, part.start, scope));
      if (isLabel(node, of)) pieces.push(this.slice(part.start, part.end, scope));
      else pieces.push(...this.written(part, inside, node, of));
      at = part.end;
    }
    pieces.push(this.slice(at, node.end, scope));
    return pieces;
  }

  private slice = (start: number, end: number, { text, site }: Scope): Piece => ({
    text: text.slice(start, end),
    at: site ?? start,
    copied: site === null,
  });

  private instead(node: Node, scope: Scope, parent: Node | null, key: string): Piece[] | null {
    const plain = (text: string): Piece[] => [{ text, at: scope.site ?? node.start, copied: false }];
    if (node.type === 'Identifier') return this.nameInstead(node.name, scope, parent, key, plain);
    if (node.type === 'Property' && node.shorthand && parent?.type !== 'ObjectPattern') {
      const value = this.nameInstead(nameOf(node.value), scope, node, 'value', plain);
      return value === null ? null : [...plain(`${nameOf(node.value)}: `), ...value];
    }
    const left = folded(node);
    if (left === 'nothing') return plain(parent?.type === 'BlockStatement' ? '' : ';');
    if (left !== null) return this.written(left, scope, parent, key);
    if (node.type === 'ReturnStatement' && scope.onReturn) return scope.onReturn(node.argument, node);
    if (node.type === 'CallExpression') return this.perCpuInstead(node, scope) ?? this.callInstead(node, scope);
    return scope.calls ? this.statementInstead(node as Statement, scope, parent) : null;
  }

  private nameInstead(
    name: string,
    scope: Scope,
    parent: Node | null,
    key: string,
    plain: (text: string) => Piece[],
  ): Piece[] | null {
    const given = scope.names.get(name);
    if (given !== undefined) return [...given];
    // `x$out = x` stays a name of x.
    const renames = key === 'init' && !scope.calls && scope.site === null;
    const binds =
      renames || key === 'id' || key === 'params' || (key === 'left' && parent?.type === 'AssignmentExpression');
    const text =
      binds || parent?.type === 'UpdateExpression' || scope.bound.has(name) ? undefined : this.meanings.texts.get(name);
    return text === undefined ? null : plain(text);
  }

  private perCpuInstead(call: CallExpression, scope: Scope): Piece[] | null {
    const name = nameOf(call.callee);
    const variable = scope.bound.has(name) ? undefined : this.meanings.perCpu.get(name);
    if (variable === undefined || call.arguments.length !== 1 || call.arguments[0].type === 'SpreadElement')
      return null;
    const plain = (text: string): Piece => ({ text, at: scope.site ?? call.start, copied: false });
    const [base, stride] = variable;
    return [plain(`(${base} + `), ...this.atom(call.arguments[0], scope), plain(` * ${stride})`)];
  }

  /** In parentheses, unless it needs none. */
  protected atom(node: Node, scope: Scope): Piece[] {
    const pieces = this.written(node, scope);
    if (ATOMS.has(node.type)) return pieces;
    const plain = (text: string): Piece => ({ text, at: scope.site ?? node.start, copied: false });
    return [plain('('), ...pieces, plain(')')];
  }
}
