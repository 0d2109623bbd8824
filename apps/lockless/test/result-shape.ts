// SPDX-License-Identifier: MIT
import { readFileSync } from 'node:fs';
import ts from 'typescript';

/** The shape that the report package documents for `lockless run --json`, read from its source. */
const SOURCE = new URL('../../../packages/report/src/run-result.ts', import.meta.url);

const interfaces = new Map<string, ts.InterfaceDeclaration>();
ts.createSourceFile('run-result.ts', readFileSync(SOURCE, 'utf8'), ts.ScriptTarget.ES2023, true).forEachChild(
  (node) => {
    if (ts.isInterfaceDeclaration(node)) interfaces.set(node.name.text, node);
  },
);

/** Where `value` differs from the interface: members missing, members too many, wrong types. */
export function differencesFrom(name: string, value: unknown): string[] {
  const declaration = interfaces.get(name);
  if (declaration === undefined) throw new Error(`run-result.ts has no interface ${name}`);
  return members(declaration.members, value, name);
}

function members(declared: ts.NodeArray<ts.TypeElement>, value: unknown, at: string): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [`${at}: expected an object`];
  const left = new Map(Object.entries(value));
  const found = declared.flatMap((member) => {
    if (!ts.isPropertySignature(member) || member.type === undefined) throw new Error(`${at}: unknown kind of member`);
    const name = member.name.getText();
    const here = left.get(name);
    left.delete(name);
    if (here === undefined) return member.questionToken === undefined ? [`${at}.${name}: missing`] : [];
    return typed(member.type, here, `${at}.${name}`);
  });
  return [...found, ...[...left.keys()].map((name) => `${at}.${name}: not in the interface`)];
}

function typed(type: ts.TypeNode, value: unknown, at: string): string[] {
  if (ts.isTypeLiteralNode(type)) return members(type.members, value, at);
  if (ts.isTypeOperatorNode(type)) return typed(type.type, value, at);
  if (ts.isParenthesizedTypeNode(type)) return typed(type.type, value, at);
  if (ts.isArrayTypeNode(type)) {
    if (!Array.isArray(value)) return [`${at}: expected an array`];
    return value.flatMap((item, i) => typed(type.elementType, item, `${at}[${i}]`));
  }
  if (ts.isUnionTypeNode(type)) {
    const tries = type.types.map((one) => typed(one, value, at));
    return tries.find((differences) => differences.length === 0) ?? tries[0];
  }
  if (ts.isLiteralTypeNode(type)) {
    const literal = type.literal.getText().replaceAll("'", '');
    return String(value) === literal ? [] : [`${at}: expected ${literal}, got ${JSON.stringify(value)}`];
  }
  if (ts.isTypeReferenceNode(type)) return reference(type, value, at);
  const wanted = type.getText();
  return typeof value === wanted ? [] : [`${at}: expected a ${wanted}, got ${JSON.stringify(value)}`];
}

function reference(type: ts.TypeReferenceNode, value: unknown, at: string): string[] {
  const [name, [inner, second] = []] = [type.typeName.getText(), type.typeArguments];
  if (name === 'Readonly') return typed(inner, value, at);
  if (name === 'Record') {
    if (typeof value !== 'object' || value === null) return [`${at}: expected an object`];
    return Object.entries(value).flatMap(([key, item]) => typed(second, item, `${at}.${key}`));
  }
  return interfaces.has(name) ? members(interfaces.get(name)?.members as never, value, at) : [`${at}: unknown ${name}`];
}
