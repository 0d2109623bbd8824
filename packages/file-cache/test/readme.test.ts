// SPDX-License-Identifier: GPL-2.0-only
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ts from 'typescript';
import { expect, it } from 'vitest';
import { readmeExample } from '../../../scripts/readme-example.mjs';

it('the program of the README prints what it says', () => {
  const example = readmeExample(readFileSync(new URL('../README.md', import.meta.url), 'utf8'));
  if (typeof example === 'string') throw new Error(example);
  const entry = new URL('../dist/node.js', import.meta.url);
  const { outputText } = ts.transpileModule(example.program.replace('@lockless/file-cache', entry.href), {
    compilerOptions: { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext },
  });
  const folder = mkdtempSync(join(tmpdir(), 'lockless-file-cache-readme-'));
  try {
    writeFileSync(join(folder, 'example.mjs'), outputText);
    const printed = execFileSync(process.execPath, ['example.mjs'], { cwd: folder, encoding: 'utf8', timeout: 30_000 });
    expect(printed).toBe(example.output);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
