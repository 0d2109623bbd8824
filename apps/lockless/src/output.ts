// SPDX-License-Identifier: MIT
import { randomBytes } from 'node:crypto';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { UsageError } from './exit-code.js';

/** A file that appears complete or not at all. Opened before long work, so that an unwritable path is found at once. */
export class OutputFile {
  readonly path: string;
  private readonly temporary: string;

  constructor(path: string, option: string) {
    this.path = path;
    this.temporary = `${path}.${randomBytes(4).toString('hex')}.tmp`;
    try {
      writeFileSync(this.temporary, '');
    } catch (error) {
      throw new UsageError(`${option} ${path}: cannot be written: ${(error as Error).message}`);
    }
  }

  commit(content: string): void {
    writeFileSync(this.temporary, content);
    renameSync(this.temporary, this.path);
  }

  abandon(): void {
    rmSync(this.temporary, { force: true });
  }
}
