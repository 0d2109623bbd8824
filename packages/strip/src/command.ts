// SPDX-License-Identifier: MIT
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { CompileError } from './compile.js';
import { stripFolder } from './folder.js';
import { buildNativePackage, ManifestError } from './native-package.js';
import type { StripOptions } from './options.js';
import { strip } from './strip.js';
import { StripError } from './strip-error.js';

const USAGE = `Usage: lockless-strip FILE|FOLDER... --out FOLDER [options]
       lockless-strip --package [FOLDER]

Translates operations written as generators into plain functions, with source maps.

  --out FOLDER            where the native source is written
  --vocabulary MODULE     module that the type of an operation is imported from (may be repeated; default: @lockless/cpu, ./op.js)
  --type NAME             a type of an operation, of which T is left of NAME<T> (may be repeated; default: Op, Access)
  --access NAME           the function that fills in an access (default: access)
  --module FROM=TO        import TO where the source says FROM (may be repeated)
  --package               build the package in FOLDER (default: here): src into .native, and that with tsc into dist/native;
                          its package.json says "lockless": { "segment": NUMBER }

exit codes: 0 translated, 2 wrong usage, 3 the source has no native form (each place on a line, FILE:LINE:COLUMN: what was expected)
`;

class UsageError extends Error {}

/** The command; returns its exit code. */
export async function main(args: readonly string[]): Promise<number> {
  try {
    return await run(args);
  } catch (error) {
    if (error instanceof StripError || error instanceof CompileError) {
      console.error(error.message);
      return 3;
    }
    if (
      error instanceof UsageError ||
      error instanceof ManifestError ||
      (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS')
    ) {
      console.error(`lockless-strip: ${(error as Error).message}\n${USAGE}`);
      return 2;
    }
    throw error;
  }
}

async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      out: { type: 'string' },
      vocabulary: { type: 'string', multiple: true },
      type: { type: 'string', multiple: true },
      access: { type: 'string' },
      module: { type: 'string', multiple: true },
      package: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  if (values.package) {
    await buildNativePackage(positionals[0] ?? '.');
    return 0;
  }
  if (positionals.length === 0) throw new UsageError('nothing to translate: expected FILE or FOLDER');
  if (values.out === undefined) throw new UsageError('expected --out FOLDER');
  const options: StripOptions = {
    ...(values.vocabulary && { vocabulary: values.vocabulary }),
    ...(values.type && { types: values.type }),
    ...(values.access !== undefined && { access: values.access }),
    modules: Object.fromEntries((values.module ?? []).map(pair)),
  };
  for (const path of positionals) translate(path, values.out, options);
  return 0;
}

function pair(text: string): [string, string] {
  const [from, to, ...rest] = text.split('=');
  if (!from || !to || rest.length > 0) throw new UsageError(`--module ${text}: expected FROM=TO`);
  return [from, to];
}

function translate(path: string, out: string, options: StripOptions): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) throw new UsageError(`${path}: no such file or folder`);
  if (found.isDirectory()) {
    stripFolder(path, out, options);
    return;
  }
  const { code, map } = strip(readFileSync(path, 'utf8'), { ...options, file: path });
  const target = join(out, basename(path));
  map.sources = [relative(out, path)];
  mkdirSync(out, { recursive: true });
  writeFileSync(target, code);
  writeFileSync(`${target}.map`, JSON.stringify(map));
}
