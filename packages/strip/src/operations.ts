// SPDX-License-Identifier: MIT
import type { Expression, Function as FunctionNode, Node } from 'oxc-parser';
import type { OperationTypes } from './operation-types.js';
import type { SourceFile } from './source-file.js';
import type { Vocabulary } from './vocabulary.js';
import { isDeclaration } from './vocabulary.js';

/** Types that say that a generator is one for its own sake, whose values somebody takes one by one. */
const ITERATORS = new Set([
  'Generator',
  'Iterator',
  'IterableIterator',
  'Iterable',
  'IteratorObject',
  'AsyncGenerator',
  'AsyncIterableIterator',
  'AsyncIterable',
  'AsyncIterator',
]);

/** Which functions of a file are operations, and by which names they are called. */
export class Operations {
  private readonly source: SourceFile;
  private readonly types: OperationTypes;
  private readonly vocabulary: Vocabulary;
  /** Of `import * as name`: which of its members are operations. */
  private readonly members = new Map<string, ReadonlySet<string>>();
  private readonly names = new Set<string>();
  /** Names of methods that are operations in every class and object of the file that has them. */
  private readonly methods = new Set<string>();

  /** `elsewhere`: names of operations that other modules export. */
  constructor(
    source: SourceFile,
    types: OperationTypes,
    vocabulary: Vocabulary,
    elsewhere: ReadonlyMap<string, ReadonlySet<string>>,
  ) {
    this.source = source;
    this.types = types;
    this.vocabulary = vocabulary;
    for (const [local, { name, from }] of vocabulary.imports) {
      const known = elsewhere.get(from);
      if (known?.has(name)) this.names.add(local);
      if (known !== undefined && name === '*') this.members.set(local, known);
    }
    this.collect();
  }

  /** Whether a generator is an operation: it is, unless its type says that it is an iterator. */
  isOperation(node: FunctionNode): boolean {
    if (!node.generator || node.async) return false;
    const type = node.returnType?.typeAnnotation;
    if (type === undefined) return true;
    if (type.type === 'TSTypeReference' && type.typeName.type === 'Identifier' && ITERATORS.has(type.typeName.name))
      return false;
    return true;
  }

  /** Whether this calls a function that is known to return an operation. */
  isCall(node: Node): boolean {
    if (node.type !== 'CallExpression') return false;
    const { callee } = node;
    if (callee.type === 'Identifier') return this.names.has(callee.name) || callee.name === this.vocabulary.access;
    if (callee.type !== 'MemberExpression' || callee.property.type !== 'Identifier') return false;
    const { object, property } = callee;
    if (object.type === 'Identifier') return this.members.get(object.name)?.has(property.name) ?? false;
    return object.type === 'ThisExpression' && this.methods.has(property.name);
  }

  /** Names that the file exports and that return an operation. */
  exported(): string[] {
    const found: string[] = [];
    for (const node of this.source.program.body) {
      if (node.type !== 'ExportNamedDeclaration') continue;
      for (const { local, exported } of node.specifiers)
        if (local.type === 'Identifier' && exported.type === 'Identifier' && this.names.has(local.name))
          found.push(exported.name);
      const { declaration } = node;
      if (declaration?.type === 'FunctionDeclaration' && declaration.id) found.push(declaration.id.name);
      if (declaration?.type === 'VariableDeclaration')
        for (const { id } of declaration.declarations) if (id.type === 'Identifier') found.push(id.name);
    }
    return found.filter((name) => this.names.has(name));
  }

  private collect(): void {
    // A function without a type of its own returns an operation because another does, which may come later in the file.
    for (let known = -1; known < this.names.size; ) {
      known = this.names.size;
      this.collectOnce();
    }
    for (const node of this.source.nodes) {
      const name = this.declaredName(node);
      // One name for two things: only if all of them are operations is a call by that name surely one.
      if (name !== null && !this.makes(node)) this.names.delete(name);
    }
  }

  private collectOnce(): void {
    for (const node of this.source.nodes) {
      const name = this.declaredName(node);
      if (name !== null && this.makes(node)) this.names.add(name);
      if (node.type === 'MethodDefinition' && node.key.type === 'Identifier' && !node.computed)
        if (this.returnsOperation(node.value)) this.methods.add(node.key.name);
    }
  }

  /** The name that this node declares, or null. */
  private declaredName(node: Node): string | null {
    return node.type === 'Identifier' && isDeclaration(this.source, node) ? node.name : null;
  }

  /** Whether the thing whose name this is returns an operation when it is called. */
  private makes(name: Node): boolean {
    const parent = this.source.parentOf(name);
    if (name.type === 'Identifier' && name.typeAnnotation)
      return this.types.isMaker(name.typeAnnotation.typeAnnotation);
    if (parent?.type === 'VariableDeclarator') return parent.init !== null && this.returnsOperation(parent.init);
    return parent !== null && 'id' in parent && parent.id === name && this.returnsOperation(parent);
  }

  private returnsOperation(node: Node): boolean {
    switch (node.type) {
      case 'FunctionDeclaration':
      case 'FunctionExpression':
      case 'TSDeclareFunction':
      case 'TSEmptyBodyFunctionExpression':
        if (node.generator) return this.isOperation(node);
        return node.returnType ? this.types.isOperation(node.returnType.typeAnnotation) : false;
      case 'ArrowFunctionExpression':
        if (node.returnType) return this.types.isOperation(node.returnType.typeAnnotation);
        return node.expression && this.isCall(unwrapped(node.body as Expression));
      default:
        return false;
    }
  }
}

/** The expression inside of parentheses and casts. */
export function unwrapped(node: Expression): Expression {
  switch (node.type) {
    case 'ParenthesizedExpression':
    case 'TSAsExpression':
    case 'TSNonNullExpression':
    case 'TSSatisfiesExpression':
    case 'TSTypeAssertion':
      return unwrapped(node.expression);
    default:
      return node;
  }
}
