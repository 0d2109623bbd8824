// SPDX-License-Identifier: MIT
// @ts-check
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * @typedef {{
 *   name: string, version?: string, description?: string, license?: string, type?: string, private?: boolean,
 *   engines?: Record<string, string>, exports?: Record<string, unknown>, files?: string[], bin?: string | Record<string, string>,
 *   scripts?: Record<string, string>, dependencies?: Record<string, string>, devDependencies?: Record<string, string>,
 *   peerDependencies?: Record<string, string>, optionalDependencies?: Record<string, string>, workspaces?: string[],
 *   lockless?: { segment?: number },
 * }} Manifest
 * @typedef {{ dir: string, path: string, id: string, app: boolean, manifest: Manifest }} Workspace
 *   `dir` is absolute, `path` relative to the root (`packages/cpu`), `id` the folder's name (`cpu`).
 */

/** The repository's root. */
export const repositoryRoot = fileURLToPath(new URL('..', import.meta.url));

/** @param {string} file @returns {any} */
export function readJson(file) {
  return JSON.parse(readFileSync(file, 'utf8'));
}

/**
 * Every workspace of the repository at `root`, packages first, in alphabetical order.
 * @param {string} root @returns {Workspace[]}
 */
export function findWorkspaces(root) {
  return ['packages', 'apps'].flatMap((folder) => {
    const parent = join(root, folder);
    if (!existsSync(parent)) return [];
    return readdirSync(parent)
      .sort()
      .filter((id) => existsSync(join(parent, id, 'package.json')))
      .map((id) => ({
        dir: join(parent, id),
        path: `${folder}/${id}`,
        id,
        app: folder === 'apps',
        manifest: readJson(join(parent, id, 'package.json')),
      }));
  });
}

const generated = new Set(['node_modules', 'dist', 'coverage']);

/**
 * The files under `dir`, absolute, sorted, without generated and hidden folders.
 * @param {string} dir @returns {string[]}
 */
export function listFiles(dir) {
  if (!existsSync(dir)) return [];
  return readdirSync(dir, { withFileTypes: true })
    .filter((entry) => !entry.name.startsWith('.') && !generated.has(entry.name))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(dir, entry.name);
      return entry.isDirectory() ? listFiles(path) : entry.isFile() ? [path] : [];
    });
}

/** `file` as the repository names it: relative, with forward slashes. @param {string} root @param {string} file */
export function repositoryPath(root, file) {
  return relative(root, file).split(sep).join('/');
}

/**
 * Runs a check as a command: prints its findings, one a line, and sets the exit code.
 * @param {string} title @param {(root: string) => string[] | Promise<string[]>} check
 */
export async function runCheck(title, check) {
  const findings = await check(repositoryRoot);
  for (const finding of findings) console.error(finding);
  console.log(findings.length === 0 ? `${title}: ok` : `${title}: ${findings.length} found`);
  process.exitCode = findings.length === 0 ? 0 : 1;
}

/** True when the module at `url` is the program that node was asked to run. @param {string} url */
export function isMain(url) {
  return process.argv[1] !== undefined && fileURLToPath(url) === process.argv[1];
}
