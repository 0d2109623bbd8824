// SPDX-License-Identifier: MIT
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { parseSync } from 'oxc-parser';
import type { StripOptions } from './options.js';
import { exportedOperations, strip } from './strip.js';
import type { Problem } from './strip-error.js';
import { StripError } from './strip-error.js';

export interface FolderOptions extends StripOptions {
  /** Only these files of the folder and what they import of it. Default: all. */
  readonly entries?: readonly string[];
  /** Names of {@link StripOptions.redirect}, and the file, relative to the folder, that they come from. */
  readonly redirected?: { readonly names: readonly string[]; readonly file: string };
}

export interface FolderResult {
  /** Files that were written, relative to the folder, with what each was made of. */
  readonly files: ReadonlyMap<string, string>;
  /** All operations that they export. */
  readonly operations: readonly string[];
  /** Whether anything is imported from {@link FolderOptions.redirected}. */
  readonly redirects: boolean;
}

const SOURCE = /\.[cm]?tsx?$/;
const NATIVE = /\.native(\.[cm]?tsx?)$/;

/**
 * Translates a folder: each file, or `x.native.ts` in place of `x.ts` where there is one, with a source map beside it.
 * What is in `out` from before is replaced. Throws {@link StripError} with the problems of all files.
 */
export function stripFolder(folder: string, out: string, options: FolderOptions = {}): FolderResult {
  const files = options.entries ? reachable(folder, options.entries) : allFiles(folder);
  const exported = new Map<string, Set<string>>();
  const problems: Problem[] = [];
  for (const [path, origin] of files)
    guarded(problems, () => exported.set(path, operationsOf(join(folder, origin), options)));
  rmSync(out, { recursive: true, force: true });
  let redirects = false;
  for (const [path, origin] of files) {
    const settled = optionsFor(folder, path, origin, options, exported);
    guarded(problems, () => {
      const { code, map } = strip(readFileSync(join(folder, origin), 'utf8'), settled);
      const target = join(out, path);
      map.sources = [posix(relative(dirname(target), join(folder, origin)))];
      delete map.sourcesContent;
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, code);
      writeFileSync(`${target}.map`, JSON.stringify(map));
      redirects ||= settled.redirect !== undefined && code.includes(settled.redirect.module);
    });
  }
  if (problems.length > 0) throw new StripError(problems);
  return { files, operations: [...new Set([...exported.values()].flatMap((names) => [...names]))], redirects };
}

function guarded(problems: Problem[], action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof StripError)) throw error;
    for (const problem of error.problems)
      if (!problems.some((one) => JSON.stringify(one) === JSON.stringify(problem))) problems.push(problem);
  }
}

const posix = (path: string): string => path.split(sep).join('/');
const shown = (file: string): string => posix(relative(process.cwd(), file));

function operationsOf(file: string, options: StripOptions): Set<string> {
  return new Set(exportedOperations(readFileSync(file, 'utf8'), { ...options, file: shown(file), drivers: [] }));
}

/** The options for one file: what it imports from the other files is known by now, and where the redirected names are from there. */
function optionsFor(
  folder: string,
  path: string,
  origin: string,
  options: FolderOptions,
  exported: ReadonlyMap<string, Set<string>>,
): StripOptions {
  const operations = new Map(options.operations);
  for (const [other, names] of exported) operations.set(specifier(path, other), names);
  const { redirected, entries, ...rest } = options;
  const redirect = redirected && { names: redirected.names, module: specifier(path, redirected.file) };
  return { ...rest, file: shown(join(folder, origin)), operations, ...(redirect && { redirect }) };
}

/** How a file of the folder imports another. */
function specifier(from: string, to: string): string {
  const path = posix(relative(dirname(from), to)).replace(/\.([cm]?)tsx?$/, '.$1js');
  return path.startsWith('.') ? path : `./${path}`;
}

function allFiles(folder: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = posix(relative(folder, join(entry.parentPath, entry.name)));
    if (!entry.isFile() || !SOURCE.test(path) || path.endsWith('.d.ts')) continue;
    const target = path.replace(NATIVE, '$1');
    if (target !== path || !found.has(path)) found.set(target, path);
  }
  return new Map([...found].sort());
}

/** The entries and all that they import of the folder. */
function reachable(folder: string, entries: readonly string[]): Map<string, string> {
  const found = new Map<string, string>();
  const queue = [...entries];
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    if (found.has(path)) continue;
    const replacement = path.replace(/(\.[cm]?tsx?)$/, '.native$1');
    const origin = existsSync(join(folder, replacement)) ? replacement : path;
    found.set(path, origin);
    for (const specified of importsOf(join(folder, origin))) {
      if (!specified.startsWith('.')) continue;
      const target = posix(relative(folder, resolve(folder, dirname(path), specified))).replace(
        /\.([cm]?)js(x?)$/,
        '.$1ts$2',
      );
      if (!target.startsWith('..')) queue.push(target);
    }
  }
  return new Map([...found].sort());
}

function importsOf(file: string): string[] {
  const { module } = parseSync(file, readFileSync(file, 'utf8'), { sourceType: 'module' });
  return [
    ...module.staticImports.map(({ moduleRequest }) => moduleRequest.value),
    ...module.staticExports.flatMap(({ entries }) => entries.flatMap((entry) => entry.moduleRequest?.value ?? [])),
  ];
}
