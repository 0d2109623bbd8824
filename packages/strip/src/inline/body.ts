// SPDX-License-Identifier: MIT
import type { ArrowFunctionExpression, Expression, Function as FunctionNode, Node, Statement } from 'oxc-parser';
import { boundIn, nameOf, nodesOf, partsOf } from '../syntax.js';

/** What a function does, as far as it can be written out where it is called. */
export interface Body {
  /** The text that its nodes are of. */
  readonly text: string;
  /** That is the module's own text. */
  readonly own: boolean;
  readonly params: readonly string[];
  /** What it returns, if it does nothing else. */
  readonly expression: Expression | null;
  readonly statements: readonly Statement[];
  /** Its parameters and variables. */
  readonly bound: ReadonlySet<string>;
  /** Parameters that it assigns to. */
  readonly assigned: ReadonlySet<string>;
  /** Names from outside. */
  readonly free: ReadonlySet<string>;
  /** What those are called where it is written out, if not the same. */
  readonly aliases: ReadonlyMap<string, string>;
  readonly size: number;
}

const EXPRESSIONS = [
  'Identifier',
  'Literal',
  'TemplateLiteral',
  'TemplateElement',
  'MemberExpression',
  'CallExpression',
  'BinaryExpression',
  'LogicalExpression',
  'UnaryExpression',
  'ConditionalExpression',
  'ParenthesizedExpression',
  'AssignmentExpression',
  'UpdateExpression',
];
const STATEMENTS = [
  'ExpressionStatement',
  'IfStatement',
  'ReturnStatement',
  'VariableDeclaration',
  'VariableDeclarator',
  'BlockStatement',
  'LabeledStatement',
  'BreakStatement',
  'EmptyStatement',
];
const UNDERSTOOD = new Set([...EXPRESSIONS, ...STATEMENTS]);

/**
 * As many nodes of the tree: about what the call takes of V8's bytes. Larger functions stay calls, because V8 knows which of them are made often, and a function
 * that has grown by what it hardly ever does is not inlined any more.
 */
const LARGEST = 30;

/** Reads a function. *Returns* null when it does more than is understood, or more than is written out. */
export function readBody(
  node: Node,
  text: string,
  own: boolean,
  aliases: ReadonlyMap<string, string> = new Map(),
): Body | null {
  if (node.type !== 'FunctionExpression' && node.type !== 'ArrowFunctionExpression') return null;
  const { params, body, async, generator } = node as FunctionNode | ArrowFunctionExpression;
  if (async || generator || body === null || ('id' in node && node.id)) return null;
  if (params.some((param) => param.type !== 'Identifier')) return null;
  const returned = onlyReturn(body as Node);
  const statements = body.type === 'BlockStatement' ? (body.body as Statement[]) : [];
  let size = 0;
  for (const part of returned === null ? statements : [returned])
    for (const one of nodesOf(part)) if (++size > LARGEST || !understood(one)) return null;
  const bound = boundIn(node);
  const free = new Set<string>();
  const assigned = new Set<string>();
  for (const [name, isTarget] of references(body as Node))
    if (!bound.has(name)) free.add(name);
    else if (isTarget) assigned.add(name);
  return {
    text,
    own,
    params: params.map(nameOf),
    expression: returned,
    statements,
    bound,
    assigned,
    free,
    aliases,
    size,
  };
}

function understood(node: Node): boolean {
  if (node.type === 'VariableDeclaration')
    return node.kind !== 'var' && node.declarations.every(({ id }) => id.type === 'Identifier');
  return UNDERSTOOD.has(node.type) && !('optional' in node && node.optional) && nameOf(node) !== 'arguments';
}

function onlyReturn(body: Node): Expression | null {
  if (body.type !== 'BlockStatement') return body as Expression;
  const [first, second] = body.body;
  return second === undefined && first?.type === 'ReturnStatement' ? first.argument : null;
}

/** Whether a part of a node is a name of something else than a variable: a property, a label. */
export function isLabel(node: Node, key: string): boolean {
  if (key === 'property') return node.type === 'MemberExpression' && !node.computed;
  if (key === 'key') return 'computed' in node && !node.computed;
  return key === 'label';
}

/** The variables that a node names, and whether that assigns to them. */
export function* references(node: Node): Generator<readonly [name: string, isTarget: boolean]> {
  if (node.type === 'Identifier') yield [node.name, false];
  for (const [part, key] of partsOf(node)) {
    if (isLabel(node, key)) continue;
    const target =
      (node.type === 'AssignmentExpression' && key === 'left') ||
      (node.type === 'UpdateExpression' && key === 'argument');
    if (target && part.type === 'Identifier') yield [part.name, true];
    else yield* references(part);
  }
}

/** What happens when an expression is evaluated, in order: a variable is read (its name), or something that others may notice or that depends on them (null). */
export interface Moment {
  readonly name: string | null;
  /** Not each time. */
  readonly maybe: boolean;
}

export function* moments(node: Node, maybe = false): Generator<Moment> {
  if (node.type === 'Identifier') yield { name: node.name, maybe };
  const conditional = node.type === 'LogicalExpression' || node.type === 'ConditionalExpression';
  const parts = [...partsOf(node)].filter(([, key]) => !isLabel(node, key)).sort(([a], [b]) => a.start - b.start);
  for (const [index, [part]] of parts.entries()) yield* moments(part, maybe || (conditional && index > 0));
  if (/^(Call|New|Member|Assignment|Update)Expression$/.test(node.type)) yield { name: null, maybe };
}

/**
 * Whether parameters can be replaced by what is computed for them: each is used once, always, in
 * their order, and before anything else happens. `steady`: names that mean the same before and after.
 */
export function inOrder(of: Iterable<Moment>, params: readonly string[], steady: (name: string) => boolean): boolean {
  let next = 0;
  let disturbed = false;
  for (const { name, maybe } of of) {
    if (name !== null && params.includes(name)) {
      if (disturbed || maybe || params[next] !== name) return false;
      next++;
    } else if (name === null || !steady(name)) disturbed = true;
  }
  return next === params.length;
}
