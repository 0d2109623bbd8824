// SPDX-License-Identifier: MIT
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import ts from 'typescript';
import { afterAll, expect, test } from 'vitest';
import { readmeExample } from '../scripts/readme-example.mjs';
import { repositoryRoot } from './planted-repository.js';

/** Programs of documents about native builds, run on what is built, as a user's would be. */
const documents = [
  'docs/native/rcu.md',
  'docs/native/shared-map.md',
  'packages/file-cache/README.md',
  'packages/native/README.md',
  'packages/shared-map/README.md',
];

const cache = join(repositoryRoot, 'node_modules/.cache');
mkdirSync(cache, { recursive: true });
const folder = mkdtempSync(join(cache, 'lockless-documents-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.each(documents)('%s: its program prints what it says', async (document) => {
  const example = readmeExample(readFileSync(join(repositoryRoot, document), 'utf8'));
  if (typeof example === 'string') throw new Error(example);
  const file = join(folder, `${document.replaceAll(/\W/g, '-')}.mjs`);
  const compilerOptions = { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext };
  writeFileSync(file, ts.transpileModule(example.program, { compilerOptions }).outputText);
  const { stdout } = await promisify(execFile)(process.execPath, [file], { cwd: folder, timeout: 60_000 });
  expect(stdout).toBe(example.output);
});
