// SPDX-License-Identifier: MIT
import type { Node, Program } from 'oxc-parser';
import { nameOf } from '../syntax.js';

/** A name of another package's native build. */
export interface Origin {
  readonly module: string;
  readonly name: string;
}

/** What is known of the names at the top of a module that {@link settle} wrote. */
export interface TopLevel {
  /** Constants that are functions. */
  readonly functions: ReadonlyMap<string, Node>;
  readonly initializers: ReadonlyMap<string, Node>;
  readonly constants: ReadonlySet<string>;
  /** All names, variables and classes too. */
  readonly all: ReadonlySet<string>;
  /** Names that stand for another package's, whether they may change or not. */
  readonly imported: ReadonlyMap<string, Origin>;
  /** Own names by what they are exported as. */
  readonly exported: ReadonlyMap<string, string>;
}

export function topLevel(program: Program): TopLevel {
  const functions = new Map<string, Node>();
  const initializers = new Map<string, Node>();
  const constants = new Set<string>();
  const all = new Set<string>();
  const imports = new Map<string, Origin>();
  const exports: [local: string, name: string][] = [];
  for (const statement of program.body) {
    if (statement.type === 'ImportDeclaration')
      for (const specifier of statement.specifiers)
        if (specifier.type === 'ImportSpecifier')
          imports.set(specifier.local.name, { module: statement.source.value, name: nameOf(specifier.imported) });
    if (statement.type === 'ExportNamedDeclaration' && statement.source === null)
      for (const { local, exported } of statement.specifiers) exports.push([nameOf(local), nameOf(exported)]);
    if ((statement.type === 'ClassDeclaration' || statement.type === 'FunctionDeclaration') && statement.id)
      all.add(statement.id.name);
    if (statement.type !== 'VariableDeclaration') continue;
    for (const { id, init } of statement.declarations) {
      if (id.type !== 'Identifier') continue;
      all.add(id.name);
      if (statement.kind !== 'const' || init === null) continue;
      constants.add(id.name);
      initializers.set(id.name, init);
      if (init.type === 'FunctionExpression' || init.type === 'ArrowFunctionExpression') functions.set(id.name, init);
    }
  }
  // settle() has given what does not change a constant: `x = x$in`, and `x$out = x` for who imports it.
  const standsFor = (name: string): string => nameOf(initializers.get(name) ?? null);
  const imported = new Map<string, Origin>(imports);
  for (const name of constants) {
    const origin = imports.get(standsFor(name));
    if (origin !== undefined) imported.set(name, origin);
  }
  const exported = new Map(exports.map(([local, name]) => [name, standsFor(local) || local] as const));
  return { functions, initializers, constants, all: new Set([...all, ...imports.keys()]), imported, exported };
}
