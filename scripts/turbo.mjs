// SPDX-License-Identifier: MIT
// @ts-check
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { isMain, repositoryRoot } from './workspaces.mjs';

/**
 * Runs turbo from the repository's root, with its telemetry and update notices off, whatever the user's settings.
 * @param {string[]} args @param {import('node:child_process').StdioOptions} [stdio] @returns {number} its exit code
 */
export function turbo(args, stdio = 'inherit') {
  const { status, error } = spawnSync(
    process.execPath,
    [join(repositoryRoot, 'node_modules/turbo/bin/turbo'), ...args],
    {
      cwd: repositoryRoot,
      stdio,
      env: { ...process.env, TURBO_TELEMETRY_DISABLED: '1', DO_NOT_TRACK: '1', TURBO_NO_UPDATE_NOTIFIER: '1' },
    },
  );
  if (error) throw error;
  return status ?? 1;
}

if (isMain(import.meta.url)) process.exitCode = turbo(process.argv.slice(2));
