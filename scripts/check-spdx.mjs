// SPDX-License-Identifier: MIT
// @ts-check
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { places } from './levels.mjs';
import { findWorkspaces, isMain, listFiles, repositoryPath, runCheck } from './workspaces.mjs';

const sourceFile = /\.([cm]?[jt]sx?|sh|py|c|css|svelte)$/;
const spdxLine = /SPDX-License-Identifier: (\S+)/;

/**
 * Each source file names its package's license in its first three lines, each package's license is the one of the level table,
 * and the text of each license used is in LICENSES/.
 * @param {string} root @returns {string[]}
 */
export function checkSpdx(root) {
  const findings = [];
  for (const { dir, path, id, manifest } of findWorkspaces(root)) {
    const license = manifest.license ?? 'no license';
    const expected = places[id]?.license;
    if (expected !== undefined && license !== expected) {
      findings.push(`${path}/package.json: license is ${license}, scripts/levels.mjs says ${expected}`);
    }
    findings.push(...checkFiles(root, listFiles(dir), license));
    findings.push(...checkLicenseText(root, license, path));
  }
  const own = ['scripts', 'test', '.ci'].flatMap((folder) => listFiles(join(root, folder)));
  const atTop = readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(root, entry.name));
  findings.push(...checkFiles(root, [...own, ...atTop], 'MIT'));
  return findings;
}

/** @param {string} root @param {string[]} files @param {string} license */
function checkFiles(root, files, license) {
  const findings = [];
  for (const file of files) {
    const text = readFileSync(file, 'latin1').slice(0, 1000);
    if (!sourceFile.test(file) && !text.startsWith('#!')) continue;
    const found = spdxLine.exec(text.split('\n').slice(0, 3).join('\n'))?.[1];
    if (found === license) continue;
    const where = repositoryPath(root, file);
    findings.push(
      found === undefined
        ? `${where}: no SPDX line, expected "SPDX-License-Identifier: ${license}"`
        : `${where}: SPDX line says ${found}, its package is ${license}`,
    );
  }
  return findings;
}

/** The package carries the license's text, as LICENSES/ has it. @param {string} root @param {string} license @param {string} path */
function checkLicenseText(root, license, path) {
  const original = join(root, 'LICENSES', `${license}.txt`);
  if (!existsSync(original)) return [`LICENSES/${license}.txt: missing, ${path} uses it`];
  const copy = join(root, path, 'LICENSE');
  if (!existsSync(copy)) return [`${path}/LICENSE: missing, copy LICENSES/${license}.txt`];
  return readFileSync(copy, 'utf8') === readFileSync(original, 'utf8')
    ? []
    : [`${path}/LICENSE: differs from LICENSES/${license}.txt`];
}

if (isMain(import.meta.url)) await runCheck('SPDX lines and license texts', checkSpdx);
