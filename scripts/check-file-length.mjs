// SPDX-License-Identifier: MIT
// @ts-check
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isMain, listFiles, repositoryPath, runCheck } from './workspaces.mjs';

const sourceFile = /\.[cm]?[jt]sx?$/;
const limit = 300;

/**
 * No source, test or script is longer than a reader takes in. Biome's rule for this does not count the lines within a comment or a template.
 * @param {string} root @returns {string[]}
 */
export function checkFileLength(root) {
  return ['packages', 'apps', 'scripts', 'test']
    .flatMap((folder) => listFiles(join(root, folder)))
    .filter((file) => sourceFile.test(file))
    .flatMap((file) => {
      const lines = readFileSync(file, 'utf8').trimEnd().split('\n').length;
      return lines > limit ? [`${repositoryPath(root, file)}: ${lines} lines, the limit is ${limit}`] : [];
    });
}

if (isMain(import.meta.url)) await runCheck('length of files', checkFileLength);
