// SPDX-License-Identifier: MIT
// @ts-check
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { bootstrap } from './bootstrap.mjs';
import { repositoryRoot } from './workspaces.mjs';

/**
 * `npm test [-- ARGUMENTS OF VITEST]`: installs and builds what is missing, then runs the tests of every workspace and of the repository itself in one
 * vitest, which keeps all cores busy. (The tests run on the sources; the build is for those that start the program or pack the packages. When it fails they run all the same.)
 */
const built = bootstrap(repositoryRoot, { buildMayFail: true });

const vitest = join(repositoryRoot, 'node_modules/vitest/vitest.mjs');
const { status } = spawnSync(process.execPath, [vitest, 'run', ...process.argv.slice(2)], {
  cwd: repositoryRoot,
  stdio: 'inherit',
});
if (!built) process.stderr.write('lockless: the build failed, see above.\n');
process.exitCode = built ? (status ?? 1) : 1;
