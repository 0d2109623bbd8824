// SPDX-License-Identifier: MIT
import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import ts from 'typescript';

/** A change of one source file: a text that stands there once, and what a bug would have there instead. */
export interface Edit {
  /** File name in the package's src folder. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/**
 * Loads a package's sources with some of the text changed, so that a fix can be taken out for a test without a trace of it in the code
 * that ships. `imports` are the packages that the sources use, as the test itself imported them. An edit whose text is not
 * there exactly once is an error: a mutant must not survive the code that it changes. `without` are guards (cpu's defineGuard) that
 * the copy leaves out; they are its own, so that the originals may be loaded beside it.
 */
export function loadMutant<Api>(
  sourceFolder: string,
  edits: readonly Edit[],
  imports: Readonly<Record<string, unknown>>,
  without: readonly string[] = [],
): Api {
  const unknown = new Set(without);
  const defineGuard = (name: string) => {
    unknown.delete(name);
    return () => !without.includes(name);
  };
  const loaded = new Map<string, { exports: Record<string, unknown> }>();
  const left = new Set(edits);
  const load = (path: string): Record<string, unknown> => {
    const known = loaded.get(path);
    if (known !== undefined) return known.exports;
    const module = { exports: {} };
    loaded.set(path, module);
    let text = readFileSync(path, 'utf8');
    for (const edit of edits.filter(({ file }) => file === basename(path))) {
      if (text.split(edit.from).length !== 2)
        throw new Error(`${edit.file} does not have this exactly once: ${edit.from}`);
      text = text.replace(edit.from, () => edit.to);
      left.delete(edit);
    }
    const compilerOptions = { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2023 };
    const { outputText } = ts.transpileModule(text, { compilerOptions, fileName: path });
    const require = (name: string): unknown => {
      if (name.startsWith('.')) return load(join(dirname(path), name.replace(/\.js$/, '.ts')));
      if (!(name in imports)) throw new Error(`${path} imports ${name}, which the mutant was not given`);
      return name === '@lockless/cpu' ? { ...(imports[name] as object), defineGuard } : imports[name];
    };
    new Function('module', 'exports', 'require', outputText)(module, module.exports, require);
    return module.exports;
  };
  const api = load(join(sourceFolder, 'index.ts'));
  if (left.size > 0) throw new Error(`no such file: ${[...left].map(({ file }) => file).join(', ')}`);
  if (unknown.size > 0) throw new Error(`no such guard: ${[...unknown].join(', ')}`);
  return api as Api;
}
