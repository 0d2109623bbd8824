// SPDX-License-Identifier: MIT
import { CheckError } from './errors.js';
import type { ProgramSource } from './parallel-protocol.js';
import type { Program } from './program.js';

/** Whether it is meant to be a program; check() says what is wrong with one. */
const isProgram = (value: unknown): value is Program =>
  typeof value === 'object' && value !== null && 'threads' in value && 'setup' in value;

/** The programs that a module exports, one by one or in arrays. */
export const programsOf = (exported: Readonly<Record<string, unknown>>): Program[] =>
  Object.values(exported)
    .flatMap((value: unknown) => (Array.isArray(value) ? (value as unknown[]) : [value]))
    .filter(isProgram);

/** Throws CheckError when the module exports no program of that name. */
export async function loadProgram({ module, name, before }: ProgramSource): Promise<Program> {
  if (before !== undefined) await import(/* @vite-ignore */ before);
  const programs = programsOf((await import(/* @vite-ignore */ module)) as Record<string, unknown>);
  const found = programs.find((program) => program.name === name);
  if (found === undefined) throw new CheckError('malformed', `${module} exports no program '${name}'`);
  return found;
}
