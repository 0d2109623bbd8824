// SPDX-License-Identifier: MIT
import { randomBytes } from 'node:crypto';
import { realpathSync, renameSync, rmSync, type Stats, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { getSystemErrorMap } from 'node:util';
import { UsageError } from './exit-code.js';

/**
 * A file that appears complete or not at all. An unwritable path is found when this is made, before the long work; nothing is left there meanwhile,
 * so that the work may end at any time.
 */
export class OutputFile {
  private readonly option: string;
  private readonly path: string;

  constructor(path: string, option: string) {
    this.path = path;
    this.option = option;
    this.attempt(() => {
      const { target, device } = place(path);
      if (device) return;
      const probe = beside(target);
      writeFileSync(probe, '', { flag: 'wx' });
      rmSync(probe);
    });
  }

  write(content: string): void {
    this.attempt(() => {
      const { target, device } = place(this.path);
      if (device) writeFileSync(target, content);
      else replace(target, content);
    });
  }

  /** Says what is wrong with the path as the user gave it. */
  private attempt(body: () => void): void {
    try {
      body();
    } catch (error) {
      throw new UsageError(`${this.option} ${this.path}: cannot be written: ${reason(error as NodeJS.ErrnoException)}`);
    }
  }
}

/** Where a path leads. What is there and no file (a terminal, a pipe) is written to, and must not be replaced. */
function place(path: string): { target: string; device: boolean } {
  if (path === '' || path.endsWith('/')) throw new Error('it is not the name of a file');
  const found: Stats | undefined = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) {
    statSync(dirname(path));
    return { target: path, device: false };
  }
  if (found.isDirectory()) throw new Error('it is a directory');
  return { target: realpathSync(path), device: !found.isFile() };
}

const beside = (path: string): string => `${path}.${randomBytes(4).toString('hex')}.tmp`;

function replace(path: string, content: string): void {
  const temporary = beside(path);
  try {
    writeFileSync(temporary, content, { flag: 'wx' });
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** The system's words for it, without the file that it happened with: that may be our temporary one. */
function reason(error: NodeJS.ErrnoException): string {
  return getSystemErrorMap().get(error.errno ?? 0)?.[1] ?? error.message;
}
