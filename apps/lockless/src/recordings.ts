// SPDX-License-Identifier: MIT
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UsageError } from './exit-code.js';

/** The recordings that come with the repository. */
const FOLDER = fileURLToPath(new URL('../../../recordings/', import.meta.url));
const SUFFIX = '.lkr.gz';
const DEFAULT = 'git-status';

/** Names of the recordings that are here. */
export function bundledRecordings(): string[] {
  if (!existsSync(FOLDER)) return [];
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith(SUFFIX))
    .map((file) => file.slice(0, -SUFFIX.length))
    .sort();
}

/** A path, or the name of a bundled recording; nothing means the default one. */
export function recordingPath(argument: string | undefined): string {
  const name = argument ?? DEFAULT;
  if (argument !== undefined && existsSync(argument)) return argument;
  const bundled = join(FOLDER, `${name}${SUFFIX}`);
  if (existsSync(bundled)) return bundled;
  const known = bundledRecordings();
  throw new UsageError(
    `no recording "${name}": expected a file${known.length > 0 ? ` or one of ${known.join(', ')}` : ''}`,
  );
}
