// SPDX-License-Identifier: MIT
import type { Node, Program } from 'oxc-parser';
import { visitorKeys } from 'oxc-parser';

/** The name that an identifier is, or ''. */
export const nameOf = (node: Node | null): string => (node?.type === 'Identifier' ? node.name : '');

/** The parts of a node, in the order of the text, with what each is to it. */
export function* partsOf(node: Node): Generator<readonly [part: Node, key: string]> {
  for (const key of visitorKeys[node.type] ?? []) {
    const child = (node as unknown as Record<string, Node | (Node | null)[] | null>)[key];
    for (const one of Array.isArray(child) ? child : [child]) if (one) yield [one, key];
  }
}

export function* nodesOf(node: Node): Generator<Node> {
  yield node;
  for (const [part] of partsOf(node)) yield* nodesOf(part);
}

export const isFunction = (node: Node): boolean =>
  node.type === 'FunctionDeclaration' || node.type === 'FunctionExpression' || node.type === 'ArrowFunctionExpression';

/** All names that are bound within a node, by whatever; those of the statement itself only if `own`. */
export function boundIn(within: Node, own = false): Set<string> {
  const names = new Set<string>();
  const bind = (pattern: Node): void => {
    for (const node of nodesOf(pattern)) if (node.type === 'Identifier') names.add(node.name);
  };
  for (const node of nodesOf(within)) {
    if ('params' in node && Array.isArray(node.params)) for (const one of node.params) bind(one as Node);
    if (node.type === 'CatchClause' && node.param !== null) bind(node.param);
    if (node === within && !own) continue;
    if (node.type === 'VariableDeclaration') for (const { id } of node.declarations) bind(id);
    if ((isFunction(node) || node.type === 'ClassDeclaration' || node.type === 'ClassExpression') && 'id' in node)
      if (node.id) bind(node.id as Node);
  }
  return names;
}

/** All names that are bound further in than at the top of a module: who has one of them may mean something else. */
export function innerNames(program: Program): Set<string> {
  return new Set(program.body.flatMap((statement) => [...boundIn(statement)]));
}
