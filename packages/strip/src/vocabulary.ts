// SPDX-License-Identifier: MIT
import type { ImportDeclaration, ImportDeclarationSpecifier, Node } from 'oxc-parser';
import type { SourceFile } from './source-file.js';

/** What this file calls the things of the vocabulary. */
export interface Vocabulary {
  /** Local names of the types of an operation. */
  readonly types: Set<string>;
  /** Local name of the function that fills in an access. */
  access: string | null;
  /** Local names of `import * as name` of the vocabulary. */
  readonly namespaces: Set<string>;
  /** Everything that is imported, by the name it has here; `*` for all of a module. */
  readonly imports: Map<string, { readonly name: string; readonly from: string }>;
}

/** Reads the imports, and writes them as the native build needs them: without what is taken away, from the modules it imports from. */
export function translateImports(source: SourceFile): Vocabulary {
  const found: Vocabulary = { types: new Set(), access: null, namespaces: new Set(), imports: new Map() };
  for (const node of source.nodes) {
    if (node.type === 'ImportDeclaration') translateImport(source, node, found);
    else if (node.type === 'ExportNamedDeclaration' || node.type === 'ExportAllDeclaration')
      mapModule(source, node.source);
    else if (node.type === 'ImportExpression' || node.type === 'TSImportType') mapModule(source, node.source);
  }
  refuseSecondMeanings(source, found);
  return found;
}

function translateImport(source: SourceFile, node: ImportDeclaration, found: Vocabulary): void {
  const { options } = source;
  const from = node.source.value;
  const ours = options.vocabulary.includes(from);
  const moved: ImportDeclarationSpecifier[] = [];
  const dropped: ImportDeclarationSpecifier[] = [];
  for (const specifier of node.specifiers) {
    const name = importedName(specifier);
    const local = specifier.local.name;
    found.imports.set(local, { name, from });
    if (!ours) continue;
    if (name === '*') found.namespaces.add(local);
    if (options.types.includes(name)) found.types.add(local);
    else if (name === options.access) found.access = local;
    else if (options.redirect?.names.includes(name)) moved.push(specifier);
    if (options.types.includes(name) || name === options.access) dropped.push(specifier);
    if (options.drivers.includes(name))
      source.problem(
        specifier,
        `${name} drives an operation from outside; natively there is none to drive: expected a call`,
      );
  }
  if (moved.length + dropped.length === 0) mapModule(source, node.source);
  else rewriteImport(source, node, moved, dropped);
}

/** Writes an import without the names that are dropped, and with those that are moved as an import of their own. */
function rewriteImport(
  source: SourceFile,
  node: ImportDeclaration,
  moved: readonly ImportDeclarationSpecifier[],
  dropped: readonly ImportDeclarationSpecifier[],
): void {
  const text = (part: Node): string => source.text.slice(part.start, part.end);
  const keyword = node.importKind === 'type' ? 'import type' : 'import';
  const kept = node.specifiers.filter((one) => !moved.includes(one) && !dropped.includes(one));
  const lines: string[] = [];
  const named = kept.filter(({ type }) => type === 'ImportSpecifier').map(text);
  const clauses = kept.filter(({ type }) => type !== 'ImportSpecifier').map(text);
  if (named.length > 0) clauses.push(`{ ${named.join(', ')} }`);
  if (clauses.length > 0)
    lines.push(`${keyword} ${clauses.join(', ')} from '${nativeModule(source, node.source.value)}';`);
  if (moved.length > 0 && source.options.redirect)
    lines.push(`${keyword} { ${moved.map(text).join(', ')} } from '${source.options.redirect.module}';`);
  if (lines.length > 0) source.output.update(node.start, node.end, lines.join(' '));
  else source.output.remove(node.start, node.end);
}

const nativeModule = (source: SourceFile, from: string): string => source.options.modules[from] ?? from;

function mapModule(source: SourceFile, literal: Node | null): void {
  if (literal?.type !== 'Literal' || typeof literal.value !== 'string') return;
  const to = nativeModule(source, literal.value);
  if (to !== literal.value) source.output.update(literal.start + 1, literal.end - 1, to);
}

function importedName(specifier: ImportDeclarationSpecifier): string {
  if (specifier.type === 'ImportNamespaceSpecifier') return '*';
  if (specifier.type === 'ImportDefaultSpecifier') return 'default';
  return specifier.imported.type === 'Literal' ? specifier.imported.value : specifier.imported.name;
}

/** A name that is taken away must mean one thing in the file: we look names up without their scopes. */
function refuseSecondMeanings(source: SourceFile, { types, access }: Vocabulary): void {
  for (const node of source.nodes) {
    if (node.type !== 'Identifier') continue;
    const second = (node.name === access || types.has(node.name)) && isDeclaration(source, node);
    if (second) source.problem(node, `${node.name} is imported and declared here again: expected another name`);
  }
}

/** Whether this identifier gives a name to something (an import apart). */
export function isDeclaration(source: SourceFile, node: Node): boolean {
  const parent = source.parentOf(node);
  switch (parent?.type) {
    case 'VariableDeclarator':
    case 'FunctionDeclaration':
    case 'FunctionExpression':
    case 'ClassDeclaration':
    case 'TSTypeAliasDeclaration':
    case 'TSInterfaceDeclaration':
      return parent.id === node || ('params' in parent && (parent.params as Node[]).includes(node));
    case 'ArrowFunctionExpression':
      return (parent.params as Node[]).includes(node);
    case 'TSTypeParameter':
      return parent.name === node;
    case 'AssignmentPattern':
      return parent.left === node;
    case 'Property':
      return parent.value === node && source.parentOf(parent)?.type === 'ObjectPattern';
    case 'ArrayPattern':
    case 'RestElement':
    case 'CatchClause':
      return parent.type !== 'CatchClause' || parent.param === node;
    default:
      return false;
  }
}
