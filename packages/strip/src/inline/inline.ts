// SPDX-License-Identifier: MIT
import type { SourceMapInput } from '@jridgewell/remapping';
import { parseSync } from 'oxc-parser';
import { nameOf } from '../syntax.js';
import type { Values } from '../write-out.js';
import { type Body, readBody } from './body.js';
import { CallInliner } from './inline-calls.js';
import { type TopLevel, topLevel } from './names.js';
import { Foreign, type Offered, offer } from './offered.js';
import type { Meanings } from './writer.js';
import { assemble } from './written.js';

/*
 * V8 inlines calls until it has had so many bytes of bytecode, and then no more, wherever that is; a lookup in the page cache is more than that. So small
 * functions are written out where they are called, across packages too, and numbers where they are named.
 */

/** Calls in calls in calls: from the innermost, as long as there are any, and then what is left. */
const ROUNDS = 12;

/** What a realm is attached to may change, and is a property of the constant `attached`: V8 takes that for a constant, and never a variable of another module. */
const ATTACHED = { module: '@lockless/cpu/native', holder: 'attached', names: ['engine', 'words', 'thisCpu'] };

const WHERE_MAP_IS = /\/\/# sourceMappingURL=.*\s*$/;

export interface Inlined {
  readonly code: string;
  /** From the last round to the first; the sources are called `round-0`, which is the text that was given, and so on. */
  readonly maps: readonly SourceMapInput[];
  readonly offered: Offered;
}

/** Writes calls out in a module that {@link settle} wrote. `packages`: what those that it imports offer. */
export function inlineCalls(text: string, values: Values, packages: ReadonlyMap<string, Offered>): Inlined {
  let code = text;
  let mark = 0;
  const maps: SourceMapInput[] = [];
  let leavesOnly = true;
  for (let round = 0; round < ROUNDS; round++) {
    const { program, errors } = parseSync('module.js', code, { sourceType: 'module' });
    if (errors.length > 0) throw new SyntaxError(`${errors[0].message}: ${errors[0].codeframe}`);
    const top = topLevel(program);
    const foreign = new Foreign(packages, top);
    const meanings = meaningsOf(code, top, values, packages, foreign);
    const pieces = new CallInliner(code, program, meanings, () => ++mark, leavesOnly).pieces();
    const imports = foreign.importsFor(pieces.map((piece) => piece.text).join(''));
    const written = assemble([{ text: imports, at: 0, copied: false }, ...pieces], code, `round-${round}`);
    if (written.code === code) {
      if (!leavesOnly) break;
      leavesOnly = false;
      continue;
    }
    code = written.code;
    maps.unshift(written.map);
  }
  const { program } = parseSync('module.js', code, { sourceType: 'module' });
  const top = topLevel(program);
  const { offered, tail } = offer(code, top, knownOf(top, values));
  const end = code.search(WHERE_MAP_IS);
  return { code: end < 0 ? `${code}\n${tail}` : `${code.slice(0, end)}${tail}${code.slice(end)}`, maps, offered };
}

function meaningsOf(
  code: string,
  top: TopLevel,
  values: Values,
  packages: ReadonlyMap<string, Offered>,
  foreign: Foreign,
): Meanings {
  const own = knownOf(top, values);
  const texts = new Map(Object.entries(own.numbers).map(([name, value]) => [name, written(value)]));
  const perCpu = new Map(Object.entries(own.perCpu));
  for (const [name, { module, name: exported }] of top.imported) {
    const offered = packages.get(module);
    if (offered === undefined || !top.constants.has(name)) continue;
    if (Object.hasOwn(offered.numbers, exported)) texts.set(name, written(offered.numbers[exported]));
    if (Object.hasOwn(offered.perCpu, exported)) perCpu.set(name, offered.perCpu[exported]);
  }
  for (const [name, text] of attachedNames(top)) texts.set(name, text);
  const bodies = new Map<string, Body | null>();
  const bodyOf = (name: string): Body | null => {
    const node = top.functions.get(name);
    if (node !== undefined) return readBody(node, code, true);
    // The name of another function, as settle() leaves what only calls that.
    const same = nameOf(top.initializers.get(name) ?? null);
    if (top.constants.has(same)) return bodyOf(same);
    const origin = top.constants.has(name) ? top.imported.get(name) : undefined;
    return origin === undefined ? null : foreign.bodyOf(origin);
  };
  return {
    texts,
    perCpu,
    constants: top.constants,
    bodyOf: (name) => {
      const known = bodies.get(name);
      if (known !== undefined) return known;
      const body = bodyOf(name);
      bodies.set(name, body);
      return body;
    },
  };
}

/** In cpu itself they are variables beside the constant; elsewhere they are imported beside it. */
function attachedNames(top: TopLevel): [string, string][] {
  const { module, holder, names } = ATTACHED;
  const local = top.constants.has(holder) ? holder : null;
  if (local === null || (top.imported.get(holder)?.module ?? module) !== module) return [];
  return names
    .filter((name) => top.all.has(name) && !top.constants.has(name))
    .map((name) => [name, `${local}.${name}`]);
}

const written = (value: number): string => (value < 0 || Object.is(value, -0) ? `(${value})` : `${value}`);

/** What calls may a number be computed by at module load: those that give it in every thread and on every machine. */
const FIXED = /^(?:defineStatic|defineWord)(?:\$\d+)?$/;

function knownOf(top: TopLevel, values: Values): Pick<Offered, 'numbers' | 'perCpu'> {
  const numbers: Record<string, number> = {};
  const perCpu: Record<string, readonly [number, number]> = {};
  const isFixed = (name: string, seen = new Set<string>()): boolean => {
    const init = top.initializers.get(name);
    if (init === undefined || seen.has(name)) return false;
    seen.add(name);
    const fixed = (node: typeof init): boolean => {
      switch (node.type) {
        case 'Literal':
          return true;
        case 'Identifier':
          return isFixed(node.name, seen);
        case 'ParenthesizedExpression':
          return fixed(node.expression);
        case 'UnaryExpression':
          return fixed(node.argument);
        case 'BinaryExpression':
          return fixed(node.left) && fixed(node.right);
        case 'CallExpression':
          return node.callee.type === 'Identifier' && FIXED.test(node.callee.name);
        default:
          return false;
      }
    };
    return fixed(init);
  };
  for (const name of top.constants) {
    const value = Object.hasOwn(values, name) ? values[name] : undefined;
    if (value?.number !== undefined && isFixed(name)) numbers[name] = value.number;
    if (value?.perCpu !== undefined) perCpu[name] = value.perCpu;
  }
  return { numbers, perCpu };
}
