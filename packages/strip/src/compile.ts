// SPDX-License-Identifier: MIT
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join, relative, resolve } from 'node:path';
import remapping from '@jridgewell/remapping';

/** The translated source does not compile; `message` has the compiler's messages. */
export class CompileError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'CompileError';
  }
}

/**
 * Type-checks and compiles what {@link stripFolder} wrote with the `tsc` of the project, under the options of `tsconfig`, and joins the source maps, so
 * that they lead from the compiled files to the source that was written by hand. Throws {@link CompileError}.
 */
export function compile(generated: string, out: string, tsconfig: string): void {
  const config = join(generated, 'tsconfig.json');
  // Not incremental: a file whose text is the same may stem from other lines of its source, and its map must be written anew.
  const compilerOptions = {
    rootDir: '.',
    outDir: relative(generated, out),
    composite: false,
    incremental: false,
    tsBuildInfoFile: null,
  };
  const settings = {
    extends: relative(generated, tsconfig),
    compilerOptions,
    files: sourcesBelow(generated),
    include: [],
    references: [],
  };
  writeFileSync(config, JSON.stringify(settings, null, 2));
  rmSync(out, { recursive: true, force: true });
  const path = [...binaries(generated), process.env.PATH].join(delimiter);
  const { status, stdout, stderr, error } = spawnSync('tsc', ['-p', config, '--pretty', 'false'], {
    encoding: 'utf8',
    env: { ...process.env, PATH: path },
    shell: process.platform === 'win32',
  });
  if (error)
    throw new CompileError(`tsc could not be started: ${error.message}; expected typescript among the dependencies`);
  if (status !== 0) throw new CompileError(`${stdout}${stderr}`.trimEnd());
  joinMaps(out);
}

function sourcesBelow(folder: string): string[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return files.filter((file) => /\.[cm]?tsx?$/.test(file)).sort();
}

function binaries(from: string): string[] {
  const found: string[] = [];
  for (let at = resolve(from); dirname(at) !== at; at = dirname(at)) found.push(join(at, 'node_modules', '.bin'));
  return found.filter((folder) => existsSync(folder));
}

/** Makes every source map below `out` lead through the maps that lie beside the sources it names. */
export function joinMaps(out: string): void {
  for (const entry of readdirSync(out, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !/\.(js|d\.ts)\.map$/.test(entry.name)) continue;
    const file = join(entry.parentPath, entry.name);
    const joined = remapping(readFileSync(file, 'utf8'), (source) => {
      const before = `${resolve(entry.parentPath, source)}.map`;
      return existsSync(before) ? readFileSync(before, 'utf8') : null;
    });
    writeFileSync(file, joined.toString());
  }
}
