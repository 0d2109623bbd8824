// SPDX-License-Identifier: MIT
import { parseSync } from 'oxc-parser';
import { type Body, readBody } from './body.js';
import type { Origin, TopLevel } from './names.js';

/** What a native build tells those that import it, so that they can write it out. By exported name. */
export interface Offered {
  readonly numbers: Readonly<Record<string, number>>;
  readonly perCpu: Readonly<Record<string, readonly [base: number, stride: number]>>;
  /** Functions, and where the names in them come from: '' is this package itself. */
  readonly functions: Readonly<
    Record<string, { readonly text: string; readonly free: Readonly<Record<string, Origin>> }>
  >;
}

/** Exports that nobody asked for, so that what is written out elsewhere has what it needs. */
const HIDDEN = '$';

/** What a module offers, and text to put at its end. */
export function offer(
  text: string,
  top: TopLevel,
  known: Pick<Offered, 'numbers' | 'perCpu'>,
): { offered: Offered; tail: string } {
  const hidden = new Map<string, string>();
  const exportedAs = new Map([...top.exported].map(([name, local]) => [local, name]));
  const originOf = (name: string): Origin | null => {
    const imported = top.imported.get(name);
    if (imported !== undefined) return imported;
    if (!top.constants.has(name)) return null;
    const given = exportedAs.get(name) ?? hidden.get(name);
    if (given !== undefined) return { module: '', name: given };
    hidden.set(name, `${HIDDEN}${name}`);
    return { module: '', name: `${HIDDEN}${name}` };
  };
  const functions: Record<string, Offered['functions'][string]> = {};
  for (const [name, local] of top.exported) {
    const node = top.functions.get(local);
    const body = node === undefined ? null : readBody(node, text, false);
    if (node === undefined || body === null || body.free.has(local)) continue;
    const own = [...body.free].filter((free) => top.all.has(free));
    if (own.some((free) => !top.imported.has(free) && !top.constants.has(free))) continue;
    if (own.some((free) => top.imported.has(free) && !top.constants.has(free))) continue;
    functions[name] = {
      text: text.slice(node.start, node.end),
      free: Object.fromEntries(own.map((free) => [free, originOf(free) as Origin])),
    };
  }
  const tail = [...hidden].map(([name, as]) => `const ${name}$out = ${name};\nexport { ${name}$out as ${as} };\n`);
  const own = (all: Readonly<Record<string, unknown>>) =>
    Object.fromEntries(
      [...top.exported].flatMap(([name, local]) => (Object.hasOwn(all, local) ? [[name, all[local]]] : [])),
    );
  return {
    offered: {
      functions,
      numbers: own(known.numbers) as Offered['numbers'],
      perCpu: own(known.perCpu) as Offered['perCpu'],
    },
    tail: tail.join(''),
  };
}

/** Reads functions that packages offer, for a module, and finds out what it has to import for them. */
export class Foreign {
  private readonly packages: ReadonlyMap<string, Offered>;
  private readonly top: TopLevel;
  private readonly here = new Map<string, string>();
  private readonly wanted = new Map<string, { readonly origin: Origin; readonly alias: string }>();
  private readonly bodies = new Map<string, Body | null>();

  constructor(packages: ReadonlyMap<string, Offered>, top: TopLevel) {
    this.packages = packages;
    this.top = top;
    for (const [name, { module, name: exported }] of top.imported)
      if (top.constants.has(name)) this.here.set(`${module} ${exported}`, name);
  }

  /** The function behind an imported name. */
  bodyOf(origin: Origin): Body | null {
    const key = `${origin.module} ${origin.name}`;
    const found = this.bodies.get(key);
    if (found !== undefined) return found;
    const body = this.read(origin);
    this.bodies.set(key, body);
    return body;
  }

  private read({ module, name }: Origin): Body | null {
    const functions = this.packages.get(module)?.functions ?? {};
    if (!Object.hasOwn(functions, name)) return null;
    const { text, free } = functions[name];
    const aliases = new Map<string, string>();
    for (const [local, of] of Object.entries(free)) {
      const origin = of.module === '' ? { module, name: of.name } : of;
      if (!this.packages.has(origin.module)) return null;
      aliases.set(local, this.aliasOf(origin));
    }
    const source = `const f = ${text};`;
    const [statement] = parseSync('function.js', source, { sourceType: 'module' }).program.body;
    if (statement.type !== 'VariableDeclaration' || statement.declarations[0].init === null) return null;
    const body = readBody(statement.declarations[0].init, source, false, aliases);
    // What is neither: a global, which must be that here as well.
    const globals = [...(body?.free ?? [])].filter((used) => !aliases.has(used));
    return globals.some((used) => this.top.all.has(used)) ? null : body;
  }

  private aliasOf(origin: Origin): string {
    const key = `${origin.module} ${origin.name}`;
    const known = this.here.get(key);
    if (known !== undefined) return known;
    const plain = origin.name.startsWith(HIDDEN) ? origin.name : `${HIDDEN}${origin.name}`;
    let alias = plain;
    for (let n = 2; this.top.all.has(alias) || [...this.here.values()].includes(alias); n++) alias = `${plain}$${n}`;
    this.here.set(key, alias);
    this.wanted.set(key, { origin, alias });
    return alias;
  }

  /** Imports that `text`, which was written with these functions, needs beyond those it has. */
  importsFor(text: string): string {
    const used = [...this.wanted.values()].filter(({ alias }) => text.includes(alias));
    return used
      .map(
        ({ origin, alias }) =>
          `import { ${origin.name} as ${alias}$in } from ${JSON.stringify(origin.module)};\nconst ${alias} = ${alias}$in;\n`,
      )
      .join('');
  }
}
