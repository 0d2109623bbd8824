// SPDX-License-Identifier: MIT
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

export const repositoryRoot: string = fileURLToPath(new URL('..', import.meta.url));

/** A file's text, or an object to write as JSON, or null for a file that is not there. */
type Files = Record<string, string | object | null>;

const tsconfig = (references: string[]): object => ({
  extends: '../../tsconfig.base.json',
  compilerOptions: { rootDir: 'src', outDir: 'dist' },
  include: ['src'],
  references: references.map((id) => ({ path: `../${id}` })),
});

export function manifest(id: string, license: string, more: object = {}): object {
  return {
    name: `@lockless/${id}`,
    version: '0.0.0',
    description: id,
    license,
    type: 'module',
    engines: { node: '>=20.19' },
    exports: { '.': { source: './src/index.ts', types: './dist/index.d.ts', default: './dist/index.js' } },
    files: ['dist', '!dist/*.tsbuildinfo', 'src'],
    sideEffects: false,
    scripts: { build: 'tsc -b', test: 'vitest run --config ../../vitest.config.ts' },
    ...more,
  };
}

const readme = '# x\n\n```ts\nconsole.log(1);\n```\n\n```text\n1\n```\n';

/** A repository of two packages, `cpu` and `rcu` upon it, which every check accepts. */
const sound: Files = {
  'package.json': { name: 'planted', private: true, type: 'module', workspaces: ['packages/*'] },
  'package-lock.json': {
    packages: { 'node_modules/x': { version: '1.0.0', integrity: 'sha512-x' } },
  },
  'tsconfig.json': { files: [], references: [{ path: 'packages/cpu' }, { path: 'packages/rcu' }] },
  '.gitignore': 'node_modules/\ndist/\n',
  '.changeset/first.md': "---\n'@lockless/cpu': minor\n'@lockless/rcu': minor\n---\n\nFirst.\n",
  'packages/cpu/package.json': manifest('cpu', 'MIT'),
  'packages/cpu/tsconfig.json': tsconfig([]),
  'packages/cpu/README.md': readme,
  'packages/cpu/src/index.ts': '// SPDX-License-Identifier: MIT\nexport const one: number = 1;\n',
  'packages/rcu/package.json': manifest('rcu', 'GPL-2.0-only', { dependencies: { '@lockless/cpu': '0.0.0' } }),
  'packages/rcu/tsconfig.json': tsconfig(['cpu']),
  'packages/rcu/README.md': readme,
  'packages/rcu/src/index.ts':
    "// SPDX-License-Identifier: GPL-2.0-only\nimport { one } from '@lockless/cpu';\n\nexport const two: number = one + one;\n",
};

/**
 * Writes the sound repository into a temporary folder with `offence` planted in it, and removes it after the test.
 */
export function plantedRepository(offence: Files = {}): string {
  const root = mkdtempSync(join(tmpdir(), 'lockless-planted-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  cpSync(join(repositoryRoot, 'LICENSES'), join(root, 'LICENSES'), { recursive: true });
  for (const [id, license] of [
    ['cpu', 'MIT'],
    ['rcu', 'GPL-2.0-only'],
  ]) {
    cpSync(join(repositoryRoot, 'LICENSES', `${license}.txt`), join(root, 'packages', id as string, 'LICENSE'));
  }
  for (const [path, content] of Object.entries({ ...sound, ...offence })) {
    const file = join(root, path);
    if (content === null) {
      rmSync(file, { force: true });
      continue;
    }
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  }
  return root;
}
