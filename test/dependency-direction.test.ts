// SPDX-License-Identifier: MIT
import { expect, test } from 'vitest';
import { checkDependencyDirection } from '../scripts/check-dependency-direction.mjs';
import { forbidden } from '../scripts/levels.mjs';
import { manifest, plantedRepository, repositoryRoot } from './planted-repository.js';

test("the repository's imports run in one direction", () => {
  expect(checkDependencyDirection(repositoryRoot)).toEqual([]);
});

test('a sound repository passes', () => {
  expect(checkDependencyDirection(plantedRepository())).toEqual([]);
});

test.each([
  ['mm', 'pagecache'],
  ['rmap', 'page'],
  ['rcu', 'cpu'],
  ['simulator', 'cpu'],
  ['checker', 'memory-model'],
  ['scenarios', 'checker'],
  ['lockless', 'mm'],
  ['lockless', 'report'],
  ['replay', 'report'],
  ['replay', 'simulator'],
])('%s may depend on %s', (from, to) => {
  expect(forbidden(from, to)).toBeUndefined();
});

test.each([
  ['cpu', 'rcu', 'level 0 may not depend on level 2'],
  ['page', 'rcu', 'level 2 may not depend on level 2'],
  ['radix-tree', 'pagecache', 'level 3 may not depend on level 4'],
  ['simulator', 'mm-types', 'an engine depends on cpu and memory-model only'],
  ['simulator', 'checker', 'an engine depends on cpu and memory-model only'],
  ['mm', 'simulator', 'a kernel package never depends on an engine'],
  ['memory-model', 'checker', 'a base package never depends on an engine'],
  ['report', 'lockless', 'level 6 may not depend on level 8'],
])('%s may not depend on %s', (from, to, why) => {
  expect(forbidden(from, to)).toBe(why);
});

test('the tests of a kernel package may use an engine, those of an engine no kernel package', () => {
  expect(forbidden('mm', 'simulator', { test: true })).toBeUndefined();
  expect(forbidden('simulator', 'mm', { test: true })).toBe('an engine depends on cpu and memory-model only');
});

const rcu = (source: string): Record<string, string> => ({
  'packages/rcu/src/index.ts': `// SPDX-License-Identifier: GPL-2.0-only\n${source}\n`,
});

test.each([
  [
    'a dependency on a higher level',
    { 'packages/cpu/package.json': manifest('cpu', 'MIT', { dependencies: { '@lockless/rcu': '0.0.0' } }) },
    'packages/cpu/package.json: dependencies names @lockless/rcu: level 0 may not depend on level 2',
  ],
  [
    'an import from a higher level, also of a type',
    { 'packages/cpu/src/index.ts': "\nimport type { X } from '@lockless/rcu';\n" },
    'packages/cpu/src/index.ts:2: imports @lockless/rcu: level 0 may not depend on level 2',
  ],
  [
    'a dynamic import from a higher level',
    { 'packages/cpu/src/index.ts': "export const late = () => import('@lockless/rcu/native');\n" },
    'packages/cpu/src/index.ts:1: imports @lockless/rcu/native: level 0 may not depend on level 2',
  ],
  [
    'an import that the manifest does not declare',
    rcu("export * from 'left-pad';"),
    'packages/rcu/src/index.ts:2: imports left-pad, which package.json does not declare',
  ],
  [
    'an import around the package by its path',
    rcu("export * from '../../cpu/src/index.js';"),
    'packages/rcu/src/index.ts:2: imports ../../cpu/src/index.js, outside its package',
  ],
  [
    'a dependency without a project reference',
    { 'packages/rcu/tsconfig.json': { references: [] } },
    'packages/rcu/tsconfig.json: no reference to packages/cpu, a dependency',
  ],
  [
    'a project reference without a dependency',
    { 'packages/cpu/tsconfig.json': { references: [{ path: '../rcu' }] } },
    'packages/cpu/tsconfig.json: references packages/rcu, not a dependency',
  ],
  [
    'a workspace that the root project does not build',
    { 'tsconfig.json': { files: [], references: [{ path: 'packages/cpu' }] } },
    'tsconfig.json: no reference to packages/rcu (npm run references writes it)',
  ],
  [
    'a package without a level',
    { 'packages/new/package.json': manifest('new', 'MIT'), 'packages/new/tsconfig.json': {} },
    'packages/new: has no place in scripts/levels.mjs',
  ],
  [
    'any version of a dependency',
    { 'packages/rcu/package.json': manifest('rcu', 'GPL-2.0-only', { dependencies: { '@lockless/cpu': '*' } }) },
    'packages/rcu/package.json: dependencies names @lockless/cpu as "*", expected a version',
  ],
])('%s is found', (_, offence, finding) => {
  expect(checkDependencyDirection(plantedRepository(offence))).toContain(finding);
});

test('an engine in the sources of a kernel package is found, in its tests it is not', () => {
  const root = plantedRepository({
    'packages/simulator/package.json': manifest('simulator', 'MIT'),
    'packages/simulator/tsconfig.json': {},
    'packages/rcu/package.json': manifest('rcu', 'GPL-2.0-only', {
      dependencies: { '@lockless/cpu': '0.0.0' },
      devDependencies: { '@lockless/simulator': '0.0.0' },
    }),
    'packages/rcu/src/machine.ts': "import '@lockless/simulator';\n",
    'packages/rcu/test/machine.test.ts': "import '@lockless/simulator';\n",
  });
  const findings = checkDependencyDirection(root).filter((finding) => finding.includes('machine'));
  expect(findings).toEqual([
    'packages/rcu/src/machine.ts:1: imports @lockless/simulator: a kernel package never depends on an engine',
    'packages/rcu/src/machine.ts:1: imports @lockless/simulator, which package.json does not declare',
  ]);
});
