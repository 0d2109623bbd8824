// SPDX-License-Identifier: MIT
import type { Node } from 'oxc-parser';

/** Without parentheses around it. */
export const inner = (node: Node): Node => (node.type === 'ParenthesizedExpression' ? inner(node.expression) : node);

/** Whether a condition is true or false whatever happens; null: that depends. */
function truth(condition: Node): boolean | null {
  const node = inner(condition);
  if (node.type === 'Literal') return typeof node.value === 'boolean' ? node.value : null;
  if (node.type === 'UnaryExpression' && node.operator === '!') {
    const of = truth(node.argument);
    return of === null ? null : !of;
  }
  if (node.type !== 'LogicalExpression') return null;
  const left = truth(node.left);
  if (node.operator === '&&') return left === true ? truth(node.right) : left;
  return node.operator === '||' && left === false ? truth(node.right) : left;
}

/** What a conditional node comes to, if that is known: the part of it that is left, or 'nothing'. */
export function folded(node: Node): Node | 'nothing' | null {
  if (node.type === 'IfStatement' || node.type === 'ConditionalExpression') {
    const known = truth(node.test);
    if (known === null) return null;
    return (known ? node.consequent : node.alternate) ?? 'nothing';
  }
  if (node.type !== 'LogicalExpression' || node.operator === '??') return null;
  const left = truth(node.left);
  if (left === null) return null;
  return left === (node.operator === '&&') ? node.right : node.left;
}
