// SPDX-License-Identifier: MIT
import type { ArrowFunctionExpression, Expression, Function as FunctionNode, Node, YieldExpression } from 'oxc-parser';
import type { Operations } from './operations.js';
import { unwrapped } from './operations.js';
import type { SourceFile } from './source-file.js';

/** Writes a function for every generator that is an operation, and a plain call for every `yield*` in it. */
export function translateGenerators(source: SourceFile, operations: Operations): void {
  for (const node of source.nodes) {
    if (isFunction(node) && node.type !== 'ArrowFunctionExpression' && operations.isOperation(node))
      removeStar(source, node);
    if (node.type === 'YieldExpression') translateYield(source, operations, node);
    if (operations.isCall(node)) refuseKept(source, node);
  }
}

type AnyFunction = FunctionNode | ArrowFunctionExpression;
const FUNCTIONS = new Set(['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression']);
const isFunction = (node: Node): node is AnyFunction => FUNCTIONS.has(node.type);

/** The innermost function that a node stands in. */
function functionAround(source: SourceFile, node: Node): AnyFunction | null {
  for (let at = source.parentOf(node); at !== null; at = source.parentOf(at)) if (isFunction(at)) return at;
  return null;
}

function removeStar(source: SourceFile, node: FunctionNode): void {
  const parent = source.parentOf(node);
  const method = (parent?.type === 'Property' && parent.method) || parent?.type === 'MethodDefinition' ? parent : null;
  const decorated =
    method?.type === 'MethodDefinition'
      ? (method.decorators.at(-1)?.end ?? method.start)
      : (method?.start ?? node.start);
  const star = source.find('*', decorated);
  const joins = /\w/.test(source.text[star - 1] ?? '') && /[\w$]/.test(source.text[star + 1] ?? '');
  source.output.update(star, star + 1, afterField(source, method, star) ? ';' : joins ? ' ' : '');
}

/** A field without a semicolon before a generator method: without the star its name would run into the method's (`get` and `*next() {}`). */
function afterField(source: SourceFile, method: Node | null, star: number): boolean {
  if (method?.type !== 'MethodDefinition' || star !== method.start) return false;
  const before = source.text.slice(0, method.start).trimEnd();
  return !/[;{}]$/.test(before);
}

function translateYield(source: SourceFile, operations: Operations, node: YieldExpression): void {
  const around = functionAround(source, node);
  if (around === null || around.type === 'ArrowFunctionExpression') return;
  if (!operations.isOperation(around)) {
    if (node.delegate && node.argument && operations.isCall(unwrapped(node.argument)))
      source.problem(
        node,
        'an operation inside an iterator or an async generator: expected a generator that is an operation itself',
      );
    return;
  }
  if (!node.delegate || node.argument === null) {
    source.problem(
      node,
      'a bare yield has no native form: expected yield*, or the type Generator<...> where this is an iterator',
    );
    return;
  }
  refuseUnlessCall(source, node.argument);
  removeYield(source, node, node.argument);
}

/** `yield*` is given what was made for it there and then. */
function refuseUnlessCall(source: SourceFile, node: Expression): void {
  const operand = unwrapped(node);
  if (operand.type === 'ConditionalExpression') {
    refuseUnlessCall(source, operand.consequent);
    refuseUnlessCall(source, operand.alternate);
  } else if (operand.type === 'SequenceExpression') {
    refuseUnlessCall(source, operand.expressions[operand.expressions.length - 1]);
  } else if (operand.type !== 'CallExpression') {
    source.problem(
      node,
      'yield* of something that was not called here: natively it has run where it was made; expected a call',
    );
  }
}

/** Takes `yield*` away. What follows it may stand where it stood as it is, except in the first position of a statement and after a line break. */
function removeYield(source: SourceFile, node: YieldExpression, operand: Expression): void {
  const star = source.find('*', node.start) + 1;
  const between = source.text.slice(star, operand.start);
  const broken = between.includes('\n');
  const commented = source.hasComment(star, operand.start);
  const begins = startOfStatement(source, node);
  const wrap =
    (broken && commented) ||
    (begins !== null && /^(?:[{]|function\b|async\b|class\b|let\b)/.test(source.text.slice(operand.start)));
  const separator = begins !== null && continues(source, begins, operand) ? ';' : '';
  if (commented) source.output.update(node.start, star, separator + (wrap ? '(' : ''));
  else replaceWith(source, node.start, operand.start, separator + (wrap ? '(' : ''));
  if (wrap) source.output.appendLeft(operand.end, ')');
}

function replaceWith(source: SourceFile, start: number, end: number, text: string): void {
  if (text === '') source.output.remove(start, end);
  else source.output.update(start, end, text);
}

/** The statement that begins with this expression, or null. */
function startOfStatement(source: SourceFile, node: Node): Node | null {
  for (let at: Node | null = node; at !== null && at.start === node.start; at = source.parentOf(at))
    if (at.type === 'ExpressionStatement') return at;
  return null;
}

/** Whether the statement would continue the one before it, which ends without a semicolon. */
function continues(source: SourceFile, statement: Node, operand: Node): boolean {
  if (!/^[([`+\-/]/.test(source.text.slice(operand.start))) return false;
  const parent = source.parentOf(statement);
  const list =
    parent?.type === 'SwitchCase'
      ? parent.consequent
      : parent !== null && 'body' in parent && Array.isArray(parent.body)
        ? parent.body
        : [];
  const before = (list as Node[])[(list as Node[]).indexOf(statement) - 1];
  return before !== undefined && !/[;}]$/.test(source.text.slice(before.start, before.end));
}

/** A call that makes an operation is carried out where it stands; so `yield*`, or returning it to who will, must be all that happens to it. */
function refuseKept(source: SourceFile, call: Node): void {
  let at = call;
  let parent = source.parentOf(at);
  while (parent !== null && passesOn(parent, at)) {
    at = parent;
    parent = source.parentOf(at);
  }
  if (parent?.type === 'YieldExpression' && parent.delegate) return;
  const around = functionAround(source, call);
  const returns =
    parent?.type === 'ReturnStatement' || (parent?.type === 'ArrowFunctionExpression' && parent.body === at);
  if (returns && around !== null && (around.type === 'ArrowFunctionExpression' || !around.generator)) return;
  source.problem(call, 'an operation that is made here and not carried out here: expected yield* before it');
}

function passesOn(parent: Node, child: Node): boolean {
  switch (parent.type) {
    case 'ParenthesizedExpression':
    case 'TSAsExpression':
    case 'TSNonNullExpression':
    case 'TSSatisfiesExpression':
    case 'TSTypeAssertion':
      return true;
    case 'ConditionalExpression':
      return parent.test !== child;
    case 'SequenceExpression':
      return parent.expressions.at(-1) === child;
    default:
      return false;
  }
}
