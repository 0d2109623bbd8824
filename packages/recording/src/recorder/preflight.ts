// SPDX-License-Identifier: MIT
import { spawnSync } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, dirname, isAbsolute, resolve } from 'node:path';
import { RecorderError } from '../error.js';

/** Throws a RecorderError that says what is missing, if programs cannot be recorded here. */
export function checkMachine(): void {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new RecorderError(
      'unsupported-machine',
      `recording needs Linux on x86-64; this is ${process.platform} on ${process.arch}`,
    );
  }
  if (process.getuid?.() !== 0) {
    throw new RecorderError('not-root', 'recording needs root: it traces the kernel and empties the page cache');
  }
  if (spawnSync('strace', ['--version']).status !== 0) {
    throw new RecorderError('no-strace', 'recording needs strace; install the package strace');
  }
  for (const [tool, from] of [
    ['setarch', 'util-linux'],
    ['perl', 'perl'],
  ] as const) {
    if (spawnSync(tool, ['--version']).status !== 0) {
      throw new RecorderError('unsupported-machine', `recording needs ${tool}; install the package ${from}`);
    }
  }
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** The program's absolute path, as execvp would find it. */
export function findProgram(name: string, path: string, cwd: string): string {
  const places = name.includes('/') ? [''] : path.split(delimiter);
  for (const place of places) {
    const candidate = isAbsolute(name) ? name : resolve(cwd, place, name);
    if (isProgram(candidate)) return candidate;
  }
  throw new RecorderError('command-not-found', `${name}: no such program${name.includes('/') ? '' : ' in PATH'}`);
}

/** Throws if the output could not be written in the end; better before the program runs than after. */
export function checkOutput(path: string): void {
  const directory = dirname(resolve(path));
  try {
    accessSync(directory, constants.W_OK);
    const found = statSync(path, { throwIfNoEntry: false });
    if (found?.isDirectory()) throw new Error('it is a directory');
    // A device or a pipe would be replaced by the recording.
    if (found !== undefined && !found.isFile()) throw new Error('it is not a regular file');
  } catch (error) {
    throw new RecorderError('cannot-write', `${path} cannot be written: ${(error as Error).message}`, { cause: error });
  }
}
