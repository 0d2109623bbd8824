// SPDX-License-Identifier: MIT
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { parseSync } from 'oxc-parser';
import type { StripOptions } from './options.js';
import { Draft } from './strip.js';
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
  const problems: Problem[] = [];
  const drafts = new Map<string, Draft>();
  for (const [path, origin] of files) guarded(problems, () => drafts.set(path, draft(folder, path, origin, options)));
  rmSync(out, { recursive: true, force: true });
  const elsewhere = options.operations ?? new Map();
  const exported = exportsOf(drafts, elsewhere);
  let redirects = false;
  for (const [path, started] of drafts) {
    guarded(problems, () => {
      const { code, map } = started.finish(knownTo(path, exported, elsewhere));
      const written = join(out, path);
      map.sources = [posix(relative(dirname(written), join(folder, files.get(path) ?? path)))];
      delete map.sourcesContent;
      mkdirSync(dirname(written), { recursive: true });
      writeFileSync(written, code);
      writeFileSync(`${written}.map`, JSON.stringify(map));
      redirects ||= options.redirected !== undefined && code.includes(specifier(path, options.redirected.file));
    });
  }
  if (problems.length > 0) throw new StripError(problems);
  const operations = new Set([...exported.values()].flatMap((names) => [...names]));
  return { files, operations: [...operations], redirects };
}

function guarded(problems: Problem[], action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof StripError)) throw error;
    problems.push(...error.problems);
  }
}

const posix = (path: string): string => path.split(sep).join('/');

function draft(folder: string, path: string, origin: string, { redirected, ...options }: FolderOptions): Draft {
  const redirect = redirected && { names: redirected.names, module: specifier(path, redirected.file) };
  const file = posix(relative(process.cwd(), join(folder, origin)));
  return new Draft(readFileSync(join(folder, origin), 'utf8'), { ...options, file, ...(redirect && { redirect }) });
}

type Known = ReadonlyMap<string, ReadonlySet<string>>;

/** The operations that each file exports, what it passes on from others included. */
function exportsOf(drafts: ReadonlyMap<string, Draft>, elsewhere: Known): Map<string, Set<string>> {
  const found = new Map([...drafts].map(([path, { operations }]) => [path, new Set(operations)]));
  for (let grew = true; grew; ) {
    grew = false;
    for (const [path, { passedOn }] of drafts) {
      const own = found.get(path) as Set<string>;
      const before = own.size;
      for (const { name, as, from } of passedOn) {
        const there = found.get(target(path, from)) ?? elsewhere.get(from) ?? new Set();
        if (name === '*') for (const one of there) own.add(one);
        else if (there.has(name)) own.add(as);
      }
      grew ||= own.size > before;
    }
  }
  return found;
}

/** The operations that a file may import, by the module as it is named there. */
function knownTo(path: string, exported: Known, elsewhere: Known): Known {
  const known = new Map(elsewhere);
  for (const [other, operations] of exported) known.set(specifier(path, other), operations);
  return known;
}

/** How a file of the folder imports another. */
function specifier(from: string, to: string): string {
  const path = posix(relative(dirname(from), to)).replace(/\.([cm]?)tsx?$/, '.$1js');
  return path.startsWith('.') ? path : `./${path}`;
}

/** The file of the folder that an import of another leads to. */
function target(from: string, specified: string): string {
  return posix(join(dirname(from), specified)).replace(/\.([cm]?)js(x?)$/, '.$1ts$2');
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
      const found = target(path, specified);
      if (!found.startsWith('..')) queue.push(found);
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
