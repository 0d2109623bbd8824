// SPDX-License-Identifier: MIT
import type { Node, TSType, TSTypeReference } from 'oxc-parser';
import type { SourceFile } from './source-file.js';
import type { Vocabulary } from './vocabulary.js';

/** Recognises the types of operations, under the file's own names for them too (`type Step = Op<void>`). */
export class OperationTypes {
  private readonly vocabulary: Vocabulary;
  private readonly names: readonly string[];
  private readonly aliases = new Set<string>();

  constructor(source: SourceFile, vocabulary: Vocabulary) {
    this.vocabulary = vocabulary;
    this.names = source.options.types;
    for (const node of source.nodes)
      if (node.type === 'TSTypeAliasDeclaration' && this.isOperation(node.typeAnnotation))
        this.aliases.add(node.id.name);
  }

  /** `Op<T>` itself, that is to become `T`. */
  isReference(node: Node): node is TSTypeReference {
    if (node.type !== 'TSTypeReference') return false;
    const { typeName } = node;
    if (typeName.type === 'Identifier') return this.vocabulary.types.has(typeName.name);
    if (typeName.type !== 'TSQualifiedName' || typeName.left.type !== 'Identifier') return false;
    return this.vocabulary.namespaces.has(typeName.left.name) && this.names.includes(typeName.right.name);
  }

  /** A type whose every value is an operation. */
  isOperation(type: TSType): boolean {
    if (type.type === 'TSParenthesizedType') return this.isOperation(type.typeAnnotation);
    if (type.type === 'TSUnionType') return type.types.every((one) => this.isOperation(one));
    if (type.type === 'TSTypeReference' && type.typeName.type === 'Identifier' && this.aliases.has(type.typeName.name))
      return true;
    return this.isReference(type);
  }

  /** A function type that returns an operation. */
  isMaker(type: TSType): boolean {
    if (type.type === 'TSParenthesizedType') return this.isMaker(type.typeAnnotation);
    return type.type === 'TSFunctionType' && this.isOperation(type.returnType.typeAnnotation);
  }
}

/** Writes `T` for every `Op<T>`, and refuses the places where an operation would be kept for later. */
export function translateTypes(source: SourceFile, types: OperationTypes): void {
  for (const node of source.nodes) {
    if (!types.isReference(node)) continue;
    const name = source.text.slice(node.typeName.start, node.typeName.end);
    const [result, ...others] = node.typeArguments?.params ?? [];
    if (result === undefined || others.length > 0) {
      source.problem(node, `${name} without its result: expected ${name}<T>`);
      continue;
    }
    const why = keptForLater(source, types, node);
    if (why !== null) source.problem(node, `${name} ${why}: expected it as what a function returns`);
    const around = needsParentheses(source, node, result) ? ['(', ')'] : ['', ''];
    replaceRange(source, node.start, result.start, around[0]);
    replaceRange(source, result.end, node.end, around[1]);
  }
}

function replaceRange(source: SourceFile, start: number, end: number, text: string): void {
  if (text === '') source.output.remove(start, end);
  else source.output.update(start, end, text);
}

const COMPOSED = new Set([
  'TSUnionType',
  'TSIntersectionType',
  'TSFunctionType',
  'TSConstructorType',
  'TSConditionalType',
  'TSInferType',
  'TSTypeOperator',
  'TSTypeQuery',
]);
const COMPOSING = new Set([
  'TSArrayType',
  'TSIndexedAccessType',
  'TSTypeOperator',
  'TSOptionalType',
  'TSRestType',
  'TSUnionType',
  'TSIntersectionType',
  'TSConditionalType',
]);

function needsParentheses(source: SourceFile, node: Node, result: Node): boolean {
  return COMPOSED.has(result.type) && COMPOSING.has(source.parentOf(node)?.type ?? '');
}

/**
 * An operation is made and carried out at the same place, or the native build, which carries it out where it is made, would do something else.
 * So its type stands where a function says what it returns, or in a cast. Otherwise: what it is instead, in words.
 */
function keptForLater(source: SourceFile, types: OperationTypes, node: Node): string | null {
  let at = node;
  let parent = source.parentOf(at);
  while (parent?.type === 'TSUnionType' || parent?.type === 'TSParenthesizedType') {
    if (parent.type === 'TSUnionType' && !types.isOperation(parent)) return 'or something else';
    at = parent;
    parent = source.parentOf(at);
  }
  switch (parent?.type) {
    case 'TSTypeAnnotation':
      return isReturnType(source, parent) ? null : 'as the type of something that is kept';
    case 'TSAsExpression':
    case 'TSTypeAssertion':
    case 'TSSatisfiesExpression':
    case 'TSTypeAliasDeclaration':
    case 'TSConditionalType':
      return null;
    case 'TSTypeParameterInstantiation':
      return 'as a type argument';
    default:
      return 'inside another type';
  }
}

function isReturnType(source: SourceFile, annotation: Node): boolean {
  const owner = source.parentOf(annotation);
  return owner !== null && 'returnType' in owner && owner.returnType === annotation;
}
