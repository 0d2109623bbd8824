// SPDX-License-Identifier: MIT
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UsageError } from './exit-code.js';

/** The recordings that come with the program: the repository's, or the copy of them in an installed package, which has no sources. */
const IN_REPOSITORY = existsSync(new URL('../src/', import.meta.url));
const FOLDER = fileURLToPath(new URL(IN_REPOSITORY ? '../../../recordings/' : './recordings/', import.meta.url));
const SUFFIX = '.lkr.gz';
const DEFAULT = 'git-status';

/** A recording, and how the user calls it. */
export interface ChosenRecording {
  readonly file: string;
  /** Name of a bundled recording, or the path as it was given. */
  readonly name: string;
}

/** Names of the recordings that are here. */
export function bundledRecordings(): string[] {
  if (!existsSync(FOLDER)) return [];
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith(SUFFIX))
    .map((file) => file.slice(0, -SUFFIX.length))
    .sort();
}

/** The name of a bundled recording, or a path (`./git-status` for a file with the name of a bundled one); nothing means the default one. */
export function chooseRecording(argument: string | undefined): ChosenRecording {
  const name = argument ?? DEFAULT;
  const known = bundledRecordings();
  if (known.includes(name)) return { file: join(FOLDER, `${name}${SUFFIX}`), name };
  if (existsSync(name)) return { file: name, name };
  throw new UsageError(
    `no recording "${name}": expected a file${known.length > 0 ? ` or one of ${known.join(', ')}` : ''}`,
  );
}
