// SPDX-License-Identifier: MIT
import type { Node } from 'oxc-parser';
import { visitorKeys } from 'oxc-parser';

/** A node and all within it. */
export function* nodesOf(node: Node): Generator<Node> {
  yield node;
  for (const key of visitorKeys[node.type] ?? []) {
    const child = (node as unknown as Record<string, Node | (Node | null)[] | null>)[key];
    for (const one of Array.isArray(child) ? child : [child]) if (one) yield* nodesOf(one);
  }
}

export const isFunction = (node: Node): boolean =>
  node.type === 'FunctionDeclaration' || node.type === 'FunctionExpression' || node.type === 'ArrowFunctionExpression';

/** Whether a function assigns to one of its names. */
export function assigns(within: Node, name: string): boolean {
  for (const node of nodesOf(within)) {
    const target =
      node.type === 'AssignmentExpression' ? node.left : node.type === 'UpdateExpression' ? node.argument : null;
    if (target?.type === 'Identifier' && target.name === name) return true;
  }
  return false;
}
