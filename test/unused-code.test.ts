// SPDX-License-Identifier: MIT
import { spawnSync } from 'node:child_process';
import { cpSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { manifest, plantedRepository, repositoryRoot } from './planted-repository.js';

/** What knip reports, with this repository's configuration, about the planted repository. */
function knip(files: Record<string, string | object>): string {
  const root = plantedRepository(files);
  cpSync(join(repositoryRoot, 'knip.json'), join(root, 'knip.json'));
  symlinkSync(join(repositoryRoot, 'node_modules'), join(root, 'node_modules'));
  const bin = join(repositoryRoot, 'node_modules/knip/bin/knip.js');
  const { stdout, stderr, status } = spawnSync(process.execPath, [bin, '--no-config-hints', '--no-progress'], {
    cwd: root,
    encoding: 'utf8',
  });
  return `${stdout}${stderr}exit ${status}`;
}

const tools = {
  'package.json': {
    name: 'planted',
    private: true,
    workspaces: ['packages/*'],
    devDependencies: { '@typescript/native': '7.0.2', vitest: '4.1.12' },
  },
};

test('what the exported sources reach is used', () => {
  expect(knip({ ...tools })).toBe('exit 0');
});

test('an unused file, an unused export and an unused dependency are reported', () => {
  const report = knip({
    ...tools,
    'packages/cpu/src/index.ts': "// SPDX-License-Identifier: MIT\nexport { one } from './one.js';\n",
    'packages/cpu/src/one.ts': 'export const one: number = 1;\nexport const nobody: number = 2;\n',
    'packages/cpu/src/forgotten.ts': 'export const forgotten: number = 1;\n',
    'packages/cpu/package.json': manifest('cpu', 'MIT', { dependencies: { semver: '^7.0.0' } }),
  });
  expect(report).toMatch(/Unused files[\s\S]*packages\/cpu\/src\/forgotten\.ts/);
  expect(report).toMatch(/Unused exports[\s\S]*nobody/);
  expect(report).toMatch(/Unused dependencies[\s\S]*semver/);
  expect(report).toMatch(/exit 1$/);
});
