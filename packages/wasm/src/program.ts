// SPDX-License-Identifier: MIT
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { originalPositionFor, TraceMap } from '@jridgewell/trace-mapping';
import { type ArrowFunctionExpression, type Function as FunctionNode, type Node, parseSync } from 'oxc-parser';
import { rolldown } from 'rolldown';
import { Functions, VALUE_OF } from './functions.js';
import { isFunction, nodesOf } from './syntax.js';
import { WasmError } from './wasm-error.js';

/** A function of the program: its text, and what it captured. */
export interface FunctionSource {
  readonly node: FunctionNode | ArrowFunctionExpression;
  readonly captured: readonly Readonly<Record<string, unknown>>[];
}

/** What a thread's own memory and state are called. */
export interface ThreadName {
  readonly module: string;
  readonly name: string;
}

const ENTRY = '\0lockless-wasm';

/**
 * A module with all that it imports, as one text, and loaded: so what a name at the top stands for is asked, not derived.
 * `table`: what `globalThis.locklessPrimitives` is while it is loaded.
 */
export class Program {
  /** What the entry exports, and `$thread`. */
  readonly exports: Readonly<Record<string, unknown>>;
  private readonly text: string;
  private readonly map: TraceMap;
  private readonly functions: readonly FunctionSource['node'][];
  private readonly lines: readonly number[];
  private readonly located = new Map<object, FunctionSource | null>();
  private readonly inspected = new Functions();
  private readonly variables: ReadonlySet<string>;
  /** Properties that something assigns to, by name. */
  private readonly assigned: ReadonlySet<string>;

  private constructor(text: string, map: string, exports: Readonly<Record<string, unknown>>) {
    this.text = text;
    this.map = new TraceMap(map);
    this.exports = exports;
    const { program, errors } = parseSync('program.js', text, { sourceType: 'script' });
    if (errors.length > 0) throw new SyntaxError(errors[0].message);
    const nodes = [...nodesOf(program)];
    this.functions = nodes.filter(isFunction) as FunctionSource['node'][];
    this.lines = lineStarts(text);
    this.variables = new Set(
      program.body.flatMap((statement) =>
        statement.type === 'VariableDeclaration' && statement.kind !== 'const'
          ? statement.declarations.map(({ id }) => (id.type === 'Identifier' ? id.name : ''))
          : [],
      ),
    );
    this.assigned = new Set(nodes.map(assignedProperty));
  }

  static async load(entry: string, thread: ThreadName, table: string): Promise<Program> {
    const { code, map } = await bundle(resolve(entry), thread);
    const folder = mkdtempSync(join(tmpdir(), 'lockless-wasm-'));
    const file = join(folder, 'program.cjs');
    const realm = globalThis as { locklessPrimitives?: string };
    const before = realm.locklessPrimitives;
    try {
      writeFileSync(file, `${code}\nconst ${VALUE_OF} = (name) => eval(name);\nexports.${VALUE_OF} = ${VALUE_OF};\n`);
      realm.locklessPrimitives = table;
      return new Program(code, map, createRequire(file)(file));
    } finally {
      if (before === undefined) delete realm.locklessPrimitives;
      else realm.locklessPrimitives = before;
      rmSync(folder, { recursive: true, force: true });
    }
  }

  close(): void {
    this.inspected.close();
  }

  /** What a name at the top of the program, or of the language, stands for. Variables change: see {@link isVariable}. */
  valueOf(name: string): unknown {
    return (this.exports[VALUE_OF] as (name: string) => unknown)(name);
  }

  isVariable(name: string): boolean {
    return this.variables.has(name);
  }

  /** Whether some object's property of that name is assigned to, after the object was made. */
  changes(property: string): boolean {
    return this.assigned.has(property);
  }

  /** The function's text; null: it has none, or is none. */
  source(value: unknown): FunctionSource | null {
    if (typeof value !== 'function') return null;
    const known = this.located.get(value);
    if (known !== undefined) return known;
    const found = this.inspected.locate(value);
    const at = found === null ? -1 : this.lines[found.line] + found.column;
    const node = at < 0 ? undefined : innermost(this.functions, at);
    const source = node === undefined || found === null ? null : { node, captured: found.captured };
    this.located.set(value, source);
    return source;
  }

  textOf(node: Node): string {
    return this.text.slice(node.start, node.end);
  }

  /** The error that something there is not of the subset. */
  refuse(node: Node, message: string): WasmError {
    const line = this.lines.findLastIndex((start) => start <= node.start);
    const column = node.start - this.lines[line];
    const origin = originalPositionFor(this.map, { line: line + 1, column });
    const file = origin.source === null ? 'program.js' : relative(process.cwd(), origin.source);
    return new WasmError(file, origin.line ?? line + 1, (origin.column ?? column) + 1, message);
  }
}

async function bundle(entry: string, { module, name }: ThreadName): Promise<{ code: string; map: string }> {
  const thread = module === '' ? entry : module;
  const text = `export * from ${JSON.stringify(entry)};\nexport { ${name} as $thread } from ${JSON.stringify(thread)};\n`;
  const built = await rolldown({
    input: ENTRY,
    platform: 'node',
    checks: { pluginTimings: false, bundlerTimings: false },
    plugins: [
      {
        name: 'entry-and-source-maps',
        resolveId(id, importer) {
          if (id === ENTRY) return id;
          return importer === ENTRY ? this.resolve(id, entry) : null;
        },
        load(id) {
          if (id === ENTRY) return text;
          return existsSync(`${id}.map`) ? withMap(id) : null;
        },
      },
    ],
  });
  const { output } = await built.generate({
    file: join(dirname(entry), 'program.js'),
    format: 'cjs',
    sourcemap: true,
    codeSplitting: false,
  });
  await built.close();
  const [{ code: all, map }] = output;
  const code = all.replace(/^\/\/# sourceMappingURL=.*$/m, '');
  return { code, map: JSON.stringify({ ...map, sources: map?.sources.map((file) => resolve(dirname(entry), file)) }) };
}

function withMap(file: string): { code: string; map: string } {
  const code = readFileSync(file, 'utf8').replace(/^\/\/# sourceMappingURL=.*$/m, '');
  return { code, map: readFileSync(`${file}.map`, 'utf8') };
}

function lineStarts(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return starts;
}

function innermost(functions: readonly FunctionSource['node'][], at: number): FunctionSource['node'] | undefined {
  let found: FunctionSource['node'] | undefined;
  for (const node of functions)
    if (node.start <= at && at < node.end && (found === undefined || node.start > found.start)) found = node;
  return found;
}

/** The name of the property that a node assigns to, or ''. */
function assignedProperty(node: Node): string {
  const target =
    node.type === 'AssignmentExpression' ? node.left : node.type === 'UpdateExpression' ? node.argument : null;
  if (target?.type !== 'MemberExpression' || target.computed || target.property.type !== 'Identifier') return '';
  // That is how the bundler writes `export`.
  if (target.object.type === 'Identifier' && target.object.name === 'exports') return '';
  return target.property.name;
}
