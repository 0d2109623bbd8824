// SPDX-License-Identifier: MIT
import type { CallExpression, Node, Program, Statement } from 'oxc-parser';
import { isFunction, nameOf, partsOf } from '../syntax.js';
import { type Body, inOrder, moments, references } from './body.js';
import { inner } from './fold.js';
import { type Meanings, type Scope, Writer } from './writer.js';
import type { Piece } from './written.js';

const SIMPLE_OPERATORS = new Set(['+', '-', '*', '&', '|', '^', '<<', '>>', '>>>', '===', '!==', '<', '>', '<=', '>=']);

/** Writes calls out, too. One call deep: what is in that is the next round's. */
export class CallInliner extends Writer {
  /** Marks of names that are new. */
  private readonly nextMark: () => number;
  /** Only calls of functions in which nothing else is written out. */
  private readonly leavesOnly: boolean;

  constructor(text: string, program: Program, meanings: Meanings, nextMark: () => number, leavesOnly: boolean) {
    super(text, program, meanings);
    this.nextMark = nextMark;
    this.leavesOnly = leavesOnly;
  }

  /** The body that a call means, if it may be written out here. */
  private bodyAt(call: CallExpression, scope: Scope): Body | null {
    const name = nameOf(call.callee);
    if (!scope.calls || name === '' || scope.bound.has(name) || call.optional) return null;
    const body = this.meanings.bodyOf(name);
    if (body === null || body.free.has(name) || (this.leavesOnly && this.callsMore(body))) return null;
    for (const free of body.free) if (scope.bound.has(body.aliases.get(free) ?? free)) return null;
    if (call.arguments.length > body.params.length) return null;
    for (const one of call.arguments)
      for (const [, isTarget] of one.type === 'SpreadElement' || hasFunction(one) ? FORBIDDEN : references(one))
        if (isTarget) return null;
    return body;
  }

  /** Whether it is going to be longer: what is called in it is written out first. */
  private callsMore = (body: Body): boolean =>
    body.own && [...body.free].some((name) => this.meanings.bodyOf(name) !== null);

  private isSimple(node: Node, scope: Scope): boolean {
    switch (node.type) {
      case 'Literal':
        return true;
      case 'Identifier':
        return scope.bound.has(node.name) ? !scope.shaky.has(node.name) : this.meanings.constants.has(node.name);
      case 'ParenthesizedExpression':
        return this.isSimple(node.expression, scope);
      case 'UnaryExpression':
        return node.operator !== 'delete' && this.isSimple(node.argument, scope);
      case 'BinaryExpression':
        return (
          SIMPLE_OPERATORS.has(node.operator) && this.isSimple(node.left, scope) && this.isSimple(node.right, scope)
        );
      default:
        return false;
    }
  }

  protected callInstead(call: CallExpression, scope: Scope): Piece[] | null {
    const body = this.bodyAt(call, scope);
    if (body?.expression == null || body.assigned.size > 0) return null;
    const names = this.aliasesOf(body, call);
    const computed: string[] = [];
    for (const [index, param] of body.params.entries()) {
      const argument = call.arguments[index];
      if (argument === undefined) names.set(param, [{ text: 'void 0', at: call.start, copied: false }]);
      else {
        if (!this.isSimple(argument, scope)) computed.push(param);
        else if (inner(argument).type === 'BinaryExpression' && usesOf(body.expression, param) > 2) return null;
        names.set(param, this.atom(argument, scope));
      }
    }
    if (!inOrder(moments(body.expression), computed, this.steadyIn(body))) return null;
    return this.atom(body.expression, this.within(body, call, names));
  }

  private steadyIn =
    (body: Body) =>
    (name: string): boolean =>
      body.bound.has(name) || body.aliases.has(name) || this.meanings.constants.has(name);

  private within = (body: Body, call: Node, names: ReadonlyMap<string, readonly Piece[]>): Scope => ({
    text: body.text,
    site: body.own ? null : call.start,
    bound: body.bound,
    names,
    calls: false,
    shaky: new Set(),
  });

  private aliasesOf(body: Body, call: Node): Map<string, readonly Piece[]> {
    return new Map([...body.aliases].map(([name, text]) => [name, [{ text, at: call.start, copied: false }]] as const));
  }

  /** A statement that is a call, returns one, keeps its result or asks for it. */
  protected statementInstead(node: Statement, scope: Scope, parent: Node | null): Piece[] | null {
    const plain = (text: string): Piece => ({ text, at: node.start, copied: false });
    if (node.type === 'ExpressionStatement') return this.blockInstead(node.expression, scope, 'void', parent);
    if (node.type === 'ReturnStatement') return node.argument && this.blockInstead(node.argument, scope, 'return');
    if (node.type === 'VariableDeclaration' && parent?.type === 'BlockStatement') {
      const [{ id, init }, more] = node.declarations;
      if (more !== undefined || id.type !== 'Identifier' || init === null) return null;
      const block = this.blockInstead(init, scope, id.name);
      return block && [plain(`let ${id.name};\n`), ...block];
    }
    if (node.type !== 'IfStatement') return null;
    const test = inner(node.test);
    const negated = test.type === 'UnaryExpression' && test.operator === '!';
    const answer = `answer$$${this.nextMark()}`;
    const block = this.blockInstead(negated ? test.argument : test, scope, answer);
    if (block === null) return null;
    const branches = [
      this.written(node.consequent, scope, node),
      ...(node.alternate ? [this.written(node.alternate, scope, node)] : []),
    ];
    return [
      plain(`{\nlet ${answer};\n`),
      ...block,
      plain(`\nif (${negated ? '!' : ''}${answer}) `),
      ...branches.flatMap((pieces, index) => (index === 0 ? pieces : [plain('\nelse '), ...pieces])),
      plain('\n}'),
    ];
  }

  /** What a call does as a block; its result is dropped, returned, or goes to the variable of that name. */
  private blockInstead(
    expression: Node,
    scope: Scope,
    result: 'void' | 'return' | (string & {}),
    parent: Node | null = null,
  ): Piece[] | null {
    const call = inner(expression);
    if (call.type !== 'CallExpression') return null;
    const body = this.bodyAt(call, scope);
    if (body === null || body.expression !== null) return null;
    const mark = this.nextMark();
    const plain = (text: string): Piece => ({ text, at: call.start, copied: false });
    const names = this.aliasesOf(body, call);
    const renamed = new Map(
      [...body.bound].map((name) => [name, `${name.replace(/\$\$\d+$/, '')}$$${this.nextMark()}`]),
    );
    for (const [name, other] of renamed) names.set(name, [plain(other)]);
    const kept: Piece[] = [];
    const first = body.statements[0];
    const computed = body.params.filter(
      (_, index) => call.arguments[index] && !this.isSimple(call.arguments[index], scope),
    );
    const direct =
      computed.length === 1 &&
      !body.assigned.has(computed[0]) &&
      usedFirst(first, computed[0], body, this.steadyIn(body));
    for (const [index, param] of body.params.entries()) {
      const argument = call.arguments[index];
      const pieces = argument === undefined ? [plain('void 0')] : this.atom(argument, scope);
      const substituted = argument !== undefined && (computed.includes(param) ? direct : !body.assigned.has(param));
      if (!substituted)
        kept.push(
          plain(`${body.assigned.has(param) ? 'let' : 'const'} ${renamed.get(param)} = `),
          ...pieces,
          plain(';\n'),
        );
      else names.set(param, pieces);
    }
    const lines = this.lines(body, call, names, result, `done$$${mark}`);
    // Where nothing is declared and nothing left, there need be no block.
    if (
      parent?.type === 'BlockStatement' &&
      body.bound.size === body.params.length &&
      !lines.leaves &&
      kept.length === 0
    )
      return lines.pieces;
    return [plain(`${lines.leaves ? `done$$${mark}: ` : ''}{\n`), ...kept, ...lines.pieces, plain('\n}')];
  }

  /** The statements of a function, with its returns as `result` wants them; whether one leaves the block of that label. */
  private lines(
    body: Body,
    call: Node,
    names: ReadonlyMap<string, readonly Piece[]>,
    result: string,
    label: string,
  ): { pieces: Piece[]; leaves: boolean } {
    const plain = (text: string): Piece => ({ text, at: call.start, copied: false });
    const last = body.statements.at(-1);
    let leaves = false;
    const inside = this.within(body, call, names);
    const onReturn = (value: Node | null, statement: Node): Piece[] => {
      const given = value === null ? [] : this.written(value, inside);
      const stored =
        result === 'void' ? given : [plain(`${result} = `), ...(value === null ? [plain('void 0')] : given)];
      const line = stored.length === 0 ? [] : [...stored, plain(';')];
      if (statement === last) return line;
      leaves = true;
      return [plain('{ '), ...line, plain(` break ${label}; }`)];
    };
    const scope: Scope = result === 'return' ? inside : { ...inside, onReturn };
    const written = body.statements.map((statement) => this.written(statement, scope, BLOCK));
    if (result === 'return' && last?.type !== 'ReturnStatement') written.push([plain('return;')]);
    const lines = written.filter((pieces) => pieces.some(({ text }) => text !== ''));
    return { pieces: lines.flatMap((pieces, index) => (index === 0 ? pieces : [plain('\n'), ...pieces])), leaves };
  }
}

/** What the statements of a function are in. */
const BLOCK = { type: 'BlockStatement' } as Node;

/** References that no argument may have. */
const FORBIDDEN: readonly (readonly [string, boolean])[] = [['', true]];

const hasFunction = (node: Node): boolean =>
  isFunction(node) ||
  /^(Await|Yield|Class)Expression$/.test(node.type) ||
  [...partsOf(node)].some(([part]) => hasFunction(part));

function usesOf(node: Node, name: string): number {
  let uses = 0;
  for (const [used] of references(node)) if (used === name) uses++;
  return uses;
}

/** Whether a parameter is used once, and that is the first that a function does. */
function usedFirst(
  first: Statement | undefined,
  param: string,
  body: Body,
  steady: (name: string) => boolean,
): boolean {
  let uses = 0;
  for (const statement of body.statements) uses += usesOf(statement, param);
  if (first === undefined || uses !== 1) return false;
  if (first.type === 'IfStatement') return inOrder(moments(first.test), [param], steady);
  return first.type === 'ExpressionStatement' && inOrder(moments(first.expression), [param], steady);
}
