// SPDX-License-Identifier: MIT
// @ts-check
import { readFileSync } from 'node:fs';
import ts from 'typescript';

/**
 * The module names that a TypeScript or JavaScript file imports, exports from, requires or loads with `import()`, types included.
 * @param {string} file @returns {{ specifier: string, line: number }[]}
 */
export function importsOf(file) {
  const text = readFileSync(file, 'utf8');
  const lines = ts.createSourceFile(file, text, ts.ScriptTarget.Latest);
  return ts.preProcessFile(text, true, true).importedFiles.map(({ fileName, pos }) => ({
    specifier: fileName,
    line: lines.getLineAndCharacterOfPosition(pos).line + 1,
  }));
}

/** `@lockless/cpu/native` → `@lockless/cpu`, `vitest/config` → `vitest`. @param {string} specifier */
export function packageNameOf(specifier) {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
}
