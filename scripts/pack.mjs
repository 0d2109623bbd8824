// SPDX-License-Identifier: MIT
// @ts-check
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

/**
 * @typedef {import('./workspaces.mjs').Workspace} Workspace
 * @typedef {{ workspace: Workspace, tarball: string, files: string[] }} Packed
 */

/**
 * Packs workspaces into `folder` as `npm publish` would, with one npm. Lifecycle scripts do not run: build first.
 * @param {Workspace[]} workspaces @param {string} folder @returns {Promise<Packed[]>}
 */
export async function packWorkspaces(workspaces, folder) {
  const args = [
    'pack',
    '--json',
    '--ignore-scripts',
    '--pack-destination',
    folder,
    ...workspaces.map(({ dir }) => dir),
  ];
  const { stdout } = await promisify(execFile)('npm', args, { cwd: folder, maxBuffer: 1 << 28 });
  /** @type {{ name: string, filename: string, files: { path: string }[] }[]} */
  const report = JSON.parse(stdout);
  return workspaces.map((workspace) => {
    const entry = report.find(({ name }) => name === workspace.manifest.name);
    if (!entry) throw new Error(`npm pack did not report ${workspace.manifest.name}`);
    return { workspace, tarball: join(folder, entry.filename), files: entry.files.map(({ path }) => path) };
  });
}
