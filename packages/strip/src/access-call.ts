// SPDX-License-Identifier: MIT
import type { CallExpression, Node } from 'oxc-parser';
import type { SourceFile } from './source-file.js';
import type { Vocabulary } from './vocabulary.js';
import { isDeclaration } from './vocabulary.js';

/** Writes `PRIMITIVE(a, b)` for every `access(PRIMITIVE, a, b)`: natively a primitive is the function that performs it. */
export function translateAccesses(source: SourceFile, { access }: Vocabulary): void {
  if (access === null) return;
  for (const node of source.nodes) {
    if (node.type !== 'Identifier' || node.name !== access) continue;
    const parent = source.parentOf(node);
    if (parent?.type === 'ImportSpecifier' || isName(parent, node) || isDeclaration(source, node)) continue;
    if (parent?.type === 'CallExpression' && parent.callee === node) translateAccess(source, parent);
    else source.problem(node, `${access} as a value: expected a call ${access}(PRIMITIVE, address, ...)`);
  }
}

/** An identifier that names a property, not a value. */
function isName(parent: Node | null, node: Node): boolean {
  if (parent?.type === 'MemberExpression') return parent.property === node && !parent.computed;
  if (parent?.type === 'Property') return parent.key === node && !parent.shorthand && !parent.computed;
  return (
    parent?.type === 'MethodDefinition' ||
    parent?.type === 'TSPropertySignature' ||
    parent?.type === 'TSMethodSignature'
  );
}

function translateAccess(source: SourceFile, call: CallExpression): void {
  const [primitive, second] = call.arguments;
  const { callee } = call;
  if (primitive === undefined || primitive.type === 'SpreadElement' || !isPlain(source, primitive)) {
    source.problem(
      call,
      'the first argument must name a primitive: expected a constant, or a choice between constants',
    );
    return;
  }
  const text = source.text.slice(primitive.start, primitive.end);
  const named = primitive.type === 'Identifier' || primitive.type === 'MemberExpression';
  source.output.update(callee.start, callee.end, named ? text : `(${text})`);
  source.output.remove(primitive.start, second?.start ?? primitive.end);
}

const TRANSLATED = new Set(['YieldExpression', 'TSTypeReference', 'FunctionExpression']);

/** Nothing in it is translated, so that its text can be moved. */
function isPlain(source: SourceFile, node: Node): boolean {
  return !source.nodes.some((one) => one.start >= node.start && one.end <= node.end && TRANSLATED.has(one.type));
}
