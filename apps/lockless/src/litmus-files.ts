// SPDX-License-Identifier: MIT
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from './exit-code.js';

export interface ChosenTests {
  readonly files: readonly string[];
  /** Whether a folder was named: then there is a table instead of one output after the other. */
  readonly folder: boolean;
}

/** The tests that paths lead to: a file, or all `.litmus` files in and below a folder, in the order of their paths. */
export function chooseTests(paths: readonly string[]): ChosenTests {
  let folder = false;
  const files: string[] = [];
  for (const path of paths) {
    const found = statSync(path, { throwIfNoEntry: false });
    if (found === undefined) throw new UsageError(`no litmus test "${path}": expected a file or a folder`);
    if (!found.isDirectory()) files.push(path);
    else {
      folder = true;
      const tests = testsBelow(path);
      if (tests.length === 0)
        throw new UsageError(`no litmus test in "${path}": expected files whose names end in .litmus`);
      for (const test of tests) files.push(test);
    }
  }
  return { files: [...new Set(files)], folder };
}

function testsBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.name.endsWith('.litmus') && !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}
