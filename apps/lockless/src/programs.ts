// SPDX-License-Identifier: MIT
import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { nearest, type Program } from '@lockless/checker';
import { type ProgramSource, programsOf } from '@lockless/checker/parallel';
import { scenarios } from '@lockless/scenarios';
import { InputError } from './exit-code.js';
import { shareOurPackages } from './user-modules.js';

/** Modules of the programs that are not the catalogue's. */
const modules = new WeakMap<Program, string>();

/** Where another thread finds a program that was chosen. */
export function sourceOf(program: Program): ProgramSource {
  const { name } = program;
  const module = modules.get(program);
  if (module === undefined) return { module: import.meta.resolve('@lockless/scenarios'), name };
  return { module, name, before: new URL('./share-packages.js', import.meta.url).href };
}

/** The programs that the arguments name: scenarios of the catalogue, and modules that export programs. All scenarios when there are none. */
export async function choosePrograms(names: readonly string[]): Promise<readonly Program[]> {
  if (names.length === 0) return scenarios;
  const chosen: Program[] = [];
  for (const name of new Set(names)) chosen.push(...(await programsCalled(name)));
  return chosen;
}

async function programsCalled(name: string): Promise<readonly Program[]> {
  const scenario = scenarios.find((known) => known.name === name);
  if (scenario !== undefined) return [scenario];
  const module = /^(.*(?:[/\\].*|\.[cm]?[jt]s))$/.exec(name.replace(/#[^/#]*$/, ''))?.[1];
  if (module !== undefined) return programsOfModule(module, name.slice(module.length + 1));
  const near = nearest(
    name,
    scenarios.map((known) => known.name),
  );
  const hint = near.length > 0 ? `did you mean ${near.join(' or ')}?` : 'lockless check --list names them';
  throw new InputError(`no scenario "${name}": ${hint} (a module of your own: ./${name}.mjs)`);
}

/** What a module exports that is a program; only the one of that name if there is one. Throws InputError on a module that cannot be loaded or exports none. */
async function programsOfModule(path: string, only: string): Promise<readonly Program[]> {
  const file = resolve(path);
  if (!existsSync(file) || !statSync(file).isFile()) throw new InputError(`${path}: no such file`);
  let exported: Record<string, unknown>;
  shareOurPackages();
  try {
    exported = await import(/* @vite-ignore */ pathToFileURL(file).href);
  } catch (error) {
    throw new InputError(`${path}: cannot be loaded: ${reason(error, path)}`);
  }
  const programs = programsOf(exported);
  for (const program of programs) modules.set(program, pathToFileURL(file).href);
  if (programs.length === 0) {
    const names = Object.keys(exported);
    const found = names.length === 0 ? 'it exports nothing' : `it exports ${names.join(', ')}`;
    throw new InputError(`${path}: expected an exported program, { name, setup, threads }; ${found}`);
  }
  const chosen = only === '' ? programs : programs.filter((program) => program.name === only);
  if (chosen.length === 0)
    throw new InputError(
      `${path} exports no program "${only}": there is ${programs.map((program) => program.name).join(', ')}`,
    );
  return chosen;
}

function reason(error: unknown, path: string): string {
  if (!(error instanceof Error)) return String(error);
  if ((error as NodeJS.ErrnoException).code === 'ERR_UNKNOWN_FILE_EXTENSION' && path.endsWith('ts'))
    return 'this Node cannot run TypeScript; compile it, or use Node 22.18 or newer';
  return `${error.name}: ${error.message.split('\n', 1)[0]}`;
}
