// SPDX-License-Identifier: MIT
import MagicString, { type SourceMap } from 'magic-string';
import { type ArrowFunctionExpression, type Comment, type Node, type Program, parseSync } from 'oxc-parser';
import { nameOf } from './syntax.js';
import { type Values, valuesOf, writeOut } from './write-out.js';

/*
 * What V8 makes of a module's names: an imported or exported one is a cell, which is read at each use, and a function declaration is a variable that
 * somebody may assign to. A `const` that is neither is a constant: its number is a number, a call of it is direct. So every name that never changes gets
 * such a constant for use inside the module.
 */

/** Whether a name that is imported never changes, once its module has been loaded. */
export type IsConstant = (module: string, name: string) => boolean;

/** Ends of the names that the module's imports and exports have inside. */
const IMPORTED = '$in';
const EXPORTED = '$out';

/** Rewrites a module, as a bundler made it, so that names that do not change are constants of its own. It does what it did before. */
export function settle(
  text: string,
  file: string,
  isConstant: IsConstant,
): { code: string; map: SourceMap; values: Values } {
  const { program, comments, errors } = parseSync('module.js', text, { sourceType: 'module' });
  if (errors.length > 0) throw new SyntaxError(errors[0].message);
  const draft = new MagicString(text);
  const values = valuesOf(text, program, file);
  writeOut(program, draft, values);
  const top = settleImports(program, draft, isConstant);
  for (const statement of program.body) {
    if (statement.type !== 'FunctionDeclaration' || statement.id === null) continue;
    // A function declaration is there from the beginning: so is the constant.
    const { name, start, end } = statement.id;
    draft.overwrite(statement.start, end, `const ${name} = ${text.slice(statement.start, start).trimEnd()}`);
    draft.appendLeft(statement.end, ';\n');
    draft.move(docStart(statement.start, comments, text), statement.end, top);
  }
  settleForwarders(program, draft);
  settleExports(program, draft);
  return { code: draft.toString(), map: draft.generateMap({ source: 'module', hires: 'boundary' }), values };
}

/** A constant for each import that does not change. *Returns* where the imports end. */
function settleImports(program: Program, draft: MagicString, isConstant: IsConstant): number {
  let top = 0;
  const constants: string[] = [];
  for (const statement of program.body) {
    if (statement.type !== 'ImportDeclaration') continue;
    top = statement.end;
    for (const specifier of statement.specifiers) {
      const { local } = specifier;
      if (specifier.type !== 'ImportSpecifier' || !isConstant(statement.source.value, nameOf(specifier.imported)))
        continue;
      draft.overwrite(specifier.start, specifier.end, `${nameOf(specifier.imported)} as ${local.name}${IMPORTED}`);
      constants.push(`${local.name} = ${local.name}${IMPORTED}`);
    }
  }
  draft.appendLeft(top, `\n${constants.length > 0 ? `const ${constants.join(', ')};\n` : ''}`);
  return top;
}

/** `const f = (a) => g(a)` is `g`, where `g` is a constant by then that takes no more than that: one call the fewer. */
function settleForwarders(program: Program, draft: MagicString): void {
  const parameters = new Map<string, number>();
  for (const statement of program.body)
    if (statement.type === 'FunctionDeclaration' && statement.id !== null)
      parameters.set(statement.id.name, statement.params.length);
  for (const statement of program.body) {
    if (statement.type !== 'VariableDeclaration' || statement.kind !== 'const') continue;
    for (const { id, init } of statement.declarations) {
      if (init === null) continue;
      if (init.type === 'ArrowFunctionExpression') {
        const target = forwardedTo(init);
        const wanted = target === null ? undefined : parameters.get(target);
        if (target !== null && wanted !== undefined && wanted <= init.params.length)
          draft.overwrite(init.start, init.end, target);
        parameters.set(nameOf(id), init.params.length);
      } else if (isPrimitive(init)) parameters.set(nameOf(id), 0);
    }
  }
}

/** `code('READ_ONCE')`: a function that takes what it is given, and that is only called by its name: an operation is no argument of another. */
const isPrimitive = (init: Node): boolean => init.type === 'CallExpression' && nameOf(init.callee) === 'code';

/** The name of the function that does all that this one does. */
function forwardedTo({ params, body, async }: ArrowFunctionExpression): string | null {
  if (async || body.type !== 'CallExpression' || body.callee.type !== 'Identifier') return null;
  const given = body.arguments;
  const same =
    given.length === params.length && params.every((one, i) => nameOf(one) !== '' && nameOf(one) === nameOf(given[i]));
  return same ? body.callee.name : null;
}

function settleExports(program: Program, draft: MagicString): void {
  const variables = new Set(variablesOf(program));
  const known = new Set(declared(program));
  for (const statement of program.body) {
    if (statement.type !== 'ExportNamedDeclaration' || statement.source !== null) continue;
    const constants: string[] = [];
    for (const specifier of statement.specifiers) {
      const local = nameOf(specifier.local);
      if (variables.has(local) || !known.has(local)) continue;
      draft.overwrite(specifier.start, specifier.end, `${local}${EXPORTED} as ${nameOf(specifier.exported)}`);
      constants.push(`${local}${EXPORTED} = ${local}`);
    }
    if (constants.length > 0) draft.appendLeft(statement.start, `const ${constants.join(', ')};\n`);
  }
}

/** The names that a module, as a bundler made it, exports and that may change. */
export function exportedVariables(text: string): Set<string> {
  const { program } = parseSync('module.js', text, { sourceType: 'module' });
  const variables = new Set(variablesOf(program));
  const exported = program.body.flatMap((statement) =>
    statement.type === 'ExportNamedDeclaration' ? statement.specifiers : [],
  );
  return new Set(exported.filter(({ local }) => variables.has(nameOf(local))).map((one) => nameOf(one.exported)));
}

function declared(program: Program): string[] {
  return program.body.flatMap((statement) => {
    if (statement.type === 'FunctionDeclaration' || statement.type === 'ClassDeclaration')
      return statement.id === null ? [] : [statement.id.name];
    return statement.type === 'VariableDeclaration' ? statement.declarations.map(({ id }) => nameOf(id)) : [];
  });
}

function variablesOf(program: Program): string[] {
  return program.body.flatMap((statement) =>
    statement.type === 'VariableDeclaration' && statement.kind === 'let'
      ? statement.declarations.map(({ id }) => nameOf(id))
      : [],
  );
}

/** Where the comment that belongs to a statement begins; without one, the statement. */
function docStart(start: number, comments: readonly Comment[], text: string): number {
  const before = comments.findLast((comment) => comment.end <= start);
  const belongs = before?.type === 'Block' && text.slice(before.end, start).trim() === '';
  return belongs ? before.start : start;
}
