// SPDX-License-Identifier: MIT
import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type MagicString from 'magic-string';
import type { CallExpression, Expression, Node, Program } from 'oxc-parser';
import { innerNames, nodesOf } from './syntax.js';

/*
 * Calls that V8 could do without, but does not: it inlines so many bytes of code into a function and no more, and what accessors and settings take of
 * that is missing elsewhere. They are written out: `Page.flags(page)` is `(page + 3)`, `configSmp()` is `true`.
 */

/** What a name of a module stands for, once that is loaded. */
interface Value {
  /** Of a layout: where each field is, and whether its accessor takes an index. */
  readonly fields?: Readonly<Record<string, readonly [offset: number, indexed: boolean]>>;
  /** Of a function that always returns the same. */
  readonly constant?: string;
  readonly number?: number;
  /** Of a variable for each CPU. */
  readonly perCpu?: readonly [base: number, stride: number];
}
export type Values = Readonly<Record<string, Value>>;

const PROBE = 'probe.js';

/** Loads a compiled module in a process of its own, to see what its names stand for. `file`: where it is going to be. */
export function valuesOf(text: string, program: Program, file: string): Values {
  const names = [...topLevelNames(program)];
  const probe = join(dirname(file), PROBE);
  writeFileSync(probe, `${text}\nexport const $probe = { ${names.join(', ')} };\n`);
  try {
    const look = `const { $probe } = await import(${JSON.stringify(pathToFileURL(probe).href)});
console.log(JSON.stringify((${describe})($probe)));`;
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', look], {
      encoding: 'utf8',
      maxBuffer: 1 << 26,
    });
    if (status !== 0) throw new Error(`${file} cannot be loaded: ${stderr}`);
    return JSON.parse(stdout.trimEnd().split('\n').at(-1) as string);
  } finally {
    rmSync(probe, { force: true });
  }
}

/** Runs in the other process: names no other function. */
function describe(probed: Readonly<Record<string, unknown>>): Record<string, Value> {
  const values: Record<string, Value> = {};
  for (const [name, value] of Object.entries(probed)) {
    if (typeof value === 'function') {
      const constant = /^\(\) => (true|false|\d+)$/.exec(String(value))?.[1];
      // A guard has the name of the function that says whether it is in force, which is decided when it is loaded.
      if (constant !== undefined && value.name === name) values[name] = { constant };
      // What definePerCpu() and definePerCpuWord() of cpu return.
      if (/^\(cpu\) => base \+ cpu \* (?:stride|\d+)$/.test(String(value)))
        values[name] = { perCpu: [value(0), value(1) - value(0)] };
      continue;
    }
    if (Number.isSafeInteger(value)) {
      values[name] = { number: value as number };
      continue;
    }
    const layout = value as Record<string, unknown> | null | undefined;
    if (typeof layout !== 'object' || layout === null || typeof layout.$offset !== 'object') continue;
    const fields: Record<string, readonly [number, boolean]> = {};
    for (const [field, offset] of Object.entries(layout.$offset as Record<string, number>)) {
      const accessor = layout[field] as (at: number, index?: number) => number;
      if (typeof accessor === 'function' && accessor(64) === 64 + offset)
        fields[field] = [offset, accessor(64, 3) === 67 + offset];
    }
    values[name] = { fields };
  }
  return values;
}

/** Writes them out in `draft`, which is the text of `program`. */
export function writeOut(program: Program, draft: MagicString, values: Values): void {
  const shadowed = innerNames(program);
  const meaningOf = (node: Node): Value | undefined =>
    node.type === 'Identifier' && !shadowed.has(node.name) && Object.hasOwn(values, node.name)
      ? values[node.name]
      : undefined;
  for (const call of nodesOf(program)) {
    if (call.type !== 'CallExpression' || call.optional) continue;
    const { callee } = call;
    const constant = meaningOf(callee)?.constant;
    if (constant !== undefined && call.arguments.length === 0) draft.overwrite(call.start, call.end, constant);
    if (callee.type !== 'MemberExpression' || callee.computed || callee.optional) continue;
    const fields = meaningOf(callee.object)?.fields;
    const { property } = callee;
    if (fields !== undefined && property.type === 'Identifier' && Object.hasOwn(fields, property.name))
      writeAccess(call, draft, ...fields[property.name]);
  }
}

function writeAccess(call: CallExpression, draft: MagicString, offset: number, indexed: boolean): void {
  const [base, index, more] = call.arguments;
  if (base === undefined || base.type === 'SpreadElement' || index?.type === 'SpreadElement') return;
  if (more !== undefined || (index !== undefined && !indexed)) return;
  draft.overwrite(call.start, base.start, opening(base));
  const behind = `${closing(base)}${offset === 0 ? '' : ` + ${offset}`}`;
  if (index === undefined) {
    draft.overwrite(base.end, call.end, `${behind})`);
    return;
  }
  draft.overwrite(base.end, index.start, `${behind} + ${opening(index).slice(1)}`);
  draft.overwrite(index.end, call.end, `${closing(index)})`);
}

const PLAIN = new Set(['Identifier', 'Literal', 'CallExpression', 'MemberExpression']);
const opening = (node: Expression): string => (PLAIN.has(node.type) ? '(' : '((');
const closing = (node: Expression): string => (PLAIN.has(node.type) ? '' : ')');

/** Names that are imported or defined at the top, except those that may change. */
function topLevelNames(program: Program): Set<string> {
  const names = new Set<string>();
  for (const statement of program.body) {
    if (statement.type === 'ImportDeclaration') for (const { local } of statement.specifiers) names.add(local.name);
    if (statement.type === 'VariableDeclaration' && statement.kind === 'const')
      for (const { id } of statement.declarations) if (id.type === 'Identifier') names.add(id.name);
  }
  return names;
}
