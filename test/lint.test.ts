// SPDX-License-Identifier: MIT
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { plantedRepository, repositoryRoot } from './planted-repository.js';

/** The names of biome's errors on `files`, with this repository's configuration. */
function errorsOf(files: Record<string, string>): string[] {
  const root = plantedRepository(files);
  cpSync(join(repositoryRoot, 'biome.json'), join(root, 'biome.json'));
  execFileSync('git', ['init', '-q'], { cwd: root });
  const biome = join(repositoryRoot, 'node_modules/@biomejs/biome/bin/biome');
  const args = [biome, 'ci', '--reporter=json', '--colors=off', '--diagnostic-level=error', ...Object.keys(files)];
  const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
  const json = stdout.split('\n').find((line) => line.startsWith('{'));
  if (json === undefined) throw new Error(`biome printed no report: ${stdout}${stderr}`);
  const report: { diagnostics: { category: string }[] } = JSON.parse(json);
  return report.diagnostics.map(({ category }) => category);
}

const spdx = '// SPDX-License-Identifier: MIT\n';

test('generator functions without a yield, labels and bit operations are fine: kernel code is made of them', () => {
  const source = `${spdx}export function* find(flags: number): Generator<never, number> {
  repeat: for (;;) {
    if ((flags & 1) === 0) continue repeat;
    return flags | 2;
  }
}
`;
  expect(errorsOf({ 'packages/cpu/src/find.ts': source })).toEqual([]);
});

test.each([
  [
    'a focused test',
    'test/a.test.ts',
    "import { test } from 'vitest';\n\ntest.only('x', () => {});\n",
    'noFocusedTests',
  ],
  [
    'a skipped test',
    'test/a.test.ts',
    "import { test } from 'vitest';\n\ntest.skip('x', () => {});\n",
    'noSkippedTests',
  ],
  ['an any', 'src/a.ts', 'export const a: any = 1;\n', 'noExplicitAny'],
  ['an unused variable', 'src/a.ts', 'const a = 1;\nexport {};\n', 'noUnusedVariables'],
  ['an enum', 'src/a.ts', 'export enum A {\n  B = 1,\n}\n', 'noEnum'],
  ['double quotes', 'src/a.ts', 'export const a: string = "a";\n', 'format'],
  ['a bare import of a module of Node', 'src/a.ts', "import 'zlib';\n", 'useNodejsImportProtocol'],
])('%s is an error', (_, path, source, rule) => {
  expect(errorsOf({ [`packages/cpu/${path}`]: spdx + source }).join(' ')).toContain(rule);
});

test('files that import each other in a circle are an error, unless only types go round', () => {
  const cycle = (keyword: string): Record<string, string> => ({
    'packages/cpu/src/a.ts': `${spdx}${keyword} { b } from './b.js';\n\nexport const a: typeof b = null as never;\n`,
    'packages/cpu/src/b.ts': `${spdx}import { a } from './a.js';\n\nexport const b: number = a;\n`,
  });
  expect(errorsOf(cycle('import')).join(' ')).toContain('noImportCycles');
  expect(errorsOf(cycle('import type')).join(' ')).not.toContain('noImportCycles');
});
