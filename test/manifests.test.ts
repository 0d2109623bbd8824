// SPDX-License-Identifier: MIT
import { expect, test } from 'vitest';
import { checkManifests } from '../scripts/check-manifests.mjs';
import { manifest, plantedRepository, repositoryRoot } from './planted-repository.js';

test('the repository: each package has its manifest, README and changeset, and the lock file names no registry', () => {
  expect(checkManifests(repositoryRoot)).toEqual([]);
});

test('a sound repository passes', () => {
  expect(checkManifests(plantedRepository())).toEqual([]);
});

test('a private package needs no README and no changeset', () => {
  const offence = {
    'packages/cpu/package.json': manifest('cpu', 'MIT', { private: true }),
    'packages/cpu/README.md': null,
    'packages/rcu/package.json': manifest('rcu', 'GPL-2.0-only', { devDependencies: { '@lockless/cpu': '0.0.0' } }),
    '.changeset/first.md': "---\n'@lockless/rcu': minor\n---\n",
  };
  expect(checkManifests(plantedRepository(offence))).toEqual([]);
});

const cpu = (more: object): Record<string, object> => ({ 'packages/cpu/package.json': manifest('cpu', 'MIT', more) });
const locked = (entry: object): Record<string, object> => ({
  'package-lock.json': { packages: { 'node_modules/x': { version: '1.0.0', integrity: 'sha512-x', ...entry } } },
});

test.each([
  ['another name', cpu({ name: 'cpu' }), 'packages/cpu/package.json: name is cpu, expected @lockless/cpu'],
  ['CommonJS', cpu({ type: 'commonjs' }), 'packages/cpu/package.json: type must be "module"'],
  ['an older Node', cpu({ engines: { node: '>=18' } }), 'packages/cpu/package.json: engines.node must be ">=20.19"'],
  ['nothing packed', cpu({ files: [] }), 'packages/cpu/package.json: files must have "dist"'],
  [
    'a packed file that does not exist',
    cpu({ files: ['dist', '!dist/*.tsbuildinfo', 'src', 'data'] }),
    'packages/cpu/package.json: files names data, which does not exist',
  ],
  [
    'the types after the code',
    cpu({
      exports: { '.': { source: './src/index.ts', default: './dist/index.js', types: './dist/index.d.ts' } },
    }),
    'packages/cpu/package.json: exports["."] has the conditions source, default, types; expected source, types, default',
  ],
  [
    'an export without its source',
    cpu({
      exports: { './native': { source: './src/native.ts', types: './dist/native.d.ts', default: './dist/native.js' } },
    }),
    'packages/cpu/package.json: exports["./native"]: ./src/native.ts does not exist',
  ],
  [
    'a segment of static data that another package has',
    {
      ...cpu({ lockless: { segment: 3 } }),
      'packages/rcu/package.json': manifest('rcu', 'GPL-2.0-only', {
        dependencies: { '@lockless/cpu': '0.0.0' },
        lockless: { segment: 3 },
      }),
    },
    "packages/rcu/package.json: lockless.segment 3 is packages/cpu's",
  ],
  [
    'a segment that is for users',
    cpu({ lockless: { segment: 40 } }),
    'packages/cpu/package.json: lockless.segment is 40, expected 0 to 31',
  ],
  [
    'a native build without a segment',
    cpu({ scripts: { build: 'tsc -b && lockless-strip --package', test: 'vitest' } }),
    'packages/cpu/package.json: expected "lockless": { "segment": NUMBER }',
  ],
  [
    'a native build that nothing makes',
    cpu({ exports: { './native': { types: './dist/native/index.d.ts', default: './dist/native/index.js' } } }),
    'packages/cpu/package.json: exports ./native, expected so if "lockless-strip --package" is in the build',
  ],
  ['no README', { 'packages/cpu/README.md': null }, 'packages/cpu/README.md: missing'],
  [
    'a README without an example',
    { 'packages/cpu/README.md': '# cpu\n' },
    'packages/cpu/README.md: no ```ts block with an example program',
  ],
  [
    'an example without its output',
    { 'packages/cpu/README.md': '```text\n1\n```\n\n```ts\nconsole.log(1);\n```\n' },
    'packages/cpu/README.md: no ```text block after the example, with what it prints',
  ],
  [
    'no changeset',
    { '.changeset/first.md': "---\n'@lockless/rcu': minor\n---\n" },
    'packages/cpu: not released yet, and no file in .changeset names @lockless/cpu',
  ],
  [
    'a changeset of nothing',
    { '.changeset/other.md': "---\n'@lockless/gone': minor\n---\n" },
    '.changeset/other.md: names @lockless/gone, which does not exist',
  ],
  [
    'a changeset that says its packages elsewhere',
    { '.changeset/other.md': "## '@lockless/cpu': minor\n" },
    `.changeset/other.md: must begin with "---", a line "'PACKAGE': minor", "---"`,
  ],
  [
    'a version that is not here',
    {
      'packages/rcu/package.json': manifest('rcu', 'GPL-2.0-only', { dependencies: { '@lockless/cpu': '^1.0.0' } }),
    },
    'packages/rcu/package.json: names @lockless/cpu as "^1.0.0", expected "0.0.0" or "^0.0.0"',
  ],
  [
    'a published package that needs a private one',
    {
      'packages/cpu/package.json': manifest('cpu', 'MIT', { private: true }),
      'packages/rcu/package.json': manifest('rcu', 'GPL-2.0-only', { dependencies: { '@lockless/cpu': '0.0.0' } }),
    },
    'packages/rcu/package.json: dependencies name @lockless/cpu, which is not published',
  ],
  [
    'a registry in the lock file',
    locked({ resolved: 'https://registry.example/x.tgz' }),
    'package-lock.json: node_modules/x is tied to https://registry.example/x.tgz',
  ],
  [
    'an optional package that the lock file lacks',
    locked({ optionalDependencies: { 'x-darwin': '1.0.0' } }),
    'package-lock.json: lacks x-darwin, which node_modules/x needs on another platform: npm ci would fail',
  ],
  ['no integrity', locked({ integrity: '' }), 'package-lock.json: node_modules/x has no integrity'],
])('%s is found', (_, offence, finding) => {
  expect(checkManifests(plantedRepository(offence))).toContain(finding);
});
