// SPDX-License-Identifier: MIT
// @ts-check
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { findWorkspaces, listFiles, readJson, repositoryPath } from './workspaces.mjs';

/**
 * What `npm start` and `npm test` need before they can run, on a clone that has nothing but Node and npm. This file and what it imports
 * use no dependency, and keep to syntax that old versions of Node can read, so that a too old one is told so.
 * All messages go to stderr: stdout belongs to the program that is started.
 */

/** The first Node version that the manifests admit. */
const oldestNode = [20, 19];

/** Why the running Node cannot be used, or undefined. @param {string} version such as `20.19.0` */
export function nodeTooOld(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [oldestMajor = 0, oldestMinor = 0] = oldestNode;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return undefined;
  return `lockless needs Node ${oldestNode.join('.')} or newer; this is Node ${version}. Install a newer one, then run the same command again.`;
}

/**
 * What npm has not installed as package-lock.json says, or undefined when all is there. Packages for other platforms are optional in
 * the lock file and may be missing.
 * @param {string} root @returns {string | undefined}
 */
export function missingInstall(root) {
  const installed = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(installed)) return 'node_modules is missing';
  /** @type {Record<string, any>} */
  const wanted = readJson(join(root, 'package-lock.json')).packages;
  /** @type {Record<string, any>} */
  const found = readJson(installed).packages;
  for (const [path, entry] of Object.entries(wanted)) {
    if (!path.includes('node_modules/') || entry.optional || entry.devOptional) continue;
    if (found[path]?.version !== entry.version) return `${path} is not the version that package-lock.json names`;
  }
  for (const { manifest } of findWorkspaces(root)) {
    if (!existsSync(join(root, 'node_modules', manifest.name))) return `node_modules/${manifest.name} is missing`;
  }
  return undefined;
}

/**
 * What changes when a build input changes: names, sizes and times of every source, manifest and compiler setting. A file's text is not read,
 * so this costs milliseconds; a checkout that only touches times costs a build that finds nothing to do.
 * @param {string} root @returns {string}
 */
function buildInputs(root) {
  const hash = createHash('sha256');
  const workspaces = findWorkspaces(root);
  const files = workspaces.flatMap(({ dir }) => [
    ...listFiles(join(dir, 'src')),
    ...listFiles(join(dir, 'scripts')),
    ...['package.json', 'tsconfig.json'].map((name) => join(dir, name)),
  ]);
  for (const file of [
    ...files,
    ...['tsconfig.base.json', 'turbo.json', 'package-lock.json'].map((name) => join(root, name)),
  ]) {
    if (!existsSync(file)) continue;
    const { size, mtimeMs } = statSync(file);
    hash.update(`${repositoryPath(root, file)} ${size} ${mtimeMs}\n`);
  }
  return hash.digest('hex');
}

/** @param {string} root */
const stampFile = (root) => join(root, 'node_modules', '.cache', 'lockless', 'build');

/** Why the workspaces must be built, or undefined when each `dist` is up to date. @param {string} root @returns {string | undefined} */
export function missingBuild(root) {
  const unbuilt = findWorkspaces(root).find(
    ({ dir, manifest }) => manifest.scripts?.build && !existsSync(join(dir, 'dist')),
  );
  if (unbuilt) return `${unbuilt.path}/dist is missing`;
  const stamp = stampFile(root);
  if (!existsSync(stamp)) return 'no build has finished';
  return readFileSync(stamp, 'utf8') === buildInputs(root) ? undefined : 'sources changed since the last build';
}

/**
 * Runs one step quietly; its output is shown only when it fails.
 * @param {string} root @param {string} what @param {string} command @param {string[]} args @param {boolean} [shell]
 * @returns {boolean} whether it succeeded
 */
function step(root, what, command, args, shell = false) {
  const begin = Date.now();
  process.stderr.write(`lockless: ${what} ...`);
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    shell,
    maxBuffer: 1 << 28,
  });
  if (!error && status === 0) {
    process.stderr.write(` ${((Date.now() - begin) / 1000).toFixed(1)} s\n`);
    return true;
  }
  process.stderr.write(' failed\n');
  process.stderr.write(error ? `${error.message}\n` : `${stdout}${stderr}`);
  process.stderr.write(`lockless: "${[command, ...args].join(' ')}" failed; the messages above say why.\n`);
  return false;
}

/** Installs what is missing. @param {string} root @returns {boolean} */
function ensureInstalled(root) {
  const reason = missingInstall(root);
  if (reason === undefined) return true;
  const windows = process.platform === 'win32';
  const args = ['ci', '--no-audit', '--no-fund'];
  return step(root, `installing dependencies (${reason})`, windows ? 'npm.cmd' : 'npm', args, windows);
}

/** Builds what is missing or out of date. @param {string} root @returns {boolean} */
function ensureBuilt(root) {
  const reason = missingBuild(root);
  if (reason === undefined) return true;
  const inputs = buildInputs(root);
  rmSync(stampFile(root), { force: true });
  const build = [join(root, 'scripts', 'turbo.mjs'), 'run', 'build', '--continue=dependencies-successful'];
  if (!step(root, `building (${reason})`, process.execPath, build)) return false;
  mkdirSync(dirname(stampFile(root)), { recursive: true });
  writeFileSync(stampFile(root), inputs);
  return true;
}

/**
 * Provides everything that a command of this repository needs, or ends the process with the reason.
 * @param {string} root @param {{ buildMayFail?: boolean }} [options] @returns {boolean} whether the build is good
 */
export function bootstrap(root, { buildMayFail = false } = {}) {
  const tooOld = nodeTooOld(process.versions.node);
  if (tooOld !== undefined) {
    process.stderr.write(`${tooOld}\n`);
    process.exit(2);
  }
  if (!ensureInstalled(root)) process.exit(70);
  const built = ensureBuilt(root);
  if (!built && !buildMayFail) process.exit(70);
  return built;
}
