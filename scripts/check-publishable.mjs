// SPDX-License-Identifier: MIT
// @ts-check
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { packWorkspaces } from './pack.mjs';
import { findWorkspaces, isMain, readJson, repositoryRoot, runCheck } from './workspaces.mjs';

/** @typedef {import('./workspaces.mjs').Workspace} Workspace */

const execute = promisify(execFile);

/**
 * Each package that is published, as `npm pack` packs it, satisfies publint and are-the-types-wrong, and has no test or build state in it.
 * Needs a build.
 * @param {string} root @returns {Promise<string[]>}
 */
export async function checkPublishable(root) {
  const workspaces = findWorkspaces(root).filter(({ manifest }) => !manifest.private);
  const folder = mkdtempSync(join(tmpdir(), 'lockless-pack-'));
  try {
    const packed = await packWorkspaces(workspaces, folder);
    /** @type {string[]} */
    const findings = [];
    const queue = [...packed];
    const worker = async () => {
      for (let next = queue.shift(); next; next = queue.shift()) {
        findings.push(...checkContents(next));
        findings.push(...(await checkWithPublint(next)));
        findings.push(...(await checkTypes(next)));
      }
    };
    await Promise.all([worker(), worker()]);
    return findings;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** @param {import('./pack.mjs').Packed} packed */
function checkContents({ workspace: { path, manifest }, files }) {
  const unwanted = files.filter((file) =>
    /\.tsbuildinfo$|(^|\/)(test|\.turbo|node_modules)\/|\.test\.[jt]s$/.test(file),
  );
  const missing = ['LICENSE', 'README.md', ...(manifest.exports ? ['dist/index.js', 'dist/index.d.ts'] : [])];
  return [
    ...unwanted.map((file) => `${path}: packs ${file}`),
    ...missing.filter((file) => !files.includes(file)).map((file) => `${path}: does not pack ${file}`),
  ];
}

/** @param {import('./pack.mjs').Packed} packed */
async function checkWithPublint({ workspace: { path, manifest }, tarball }) {
  const bytes = readFileSync(tarball);
  const { messages } = await publint({
    strict: true,
    pack: { tarball: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) },
  });
  return messages
    .filter(({ type }) => type !== 'suggestion')
    .map((message) => `${path}: publint: ${formatMessage(message, manifest, { color: false }) ?? message.code}`);
}

/** @param {import('./pack.mjs').Packed} packed */
async function checkTypes({ workspace: { path, manifest }, tarball }) {
  if (!manifest.exports) return []; // A command without an API has no types.
  const cli = join(repositoryRoot, 'node_modules', '@arethetypeswrong/cli');
  const attw = join(cli, readJson(join(cli, 'package.json')).bin.attw);
  const args = [
    attw,
    tarball,
    '--profile',
    'esm-only',
    '--no-definitely-typed',
    '--format',
    'ascii',
    '--no-emoji',
    '--no-color',
  ];
  try {
    await execute(process.execPath, args);
    return [];
  } catch (error) {
    const { stdout = '', stderr = '' } = /** @type {{ stdout?: string, stderr?: string }} */ (error);
    return [`${path}: are-the-types-wrong:\n${stdout}${stderr}`];
  }
}

if (isMain(import.meta.url)) await runCheck('Publishable packages', checkPublishable);
