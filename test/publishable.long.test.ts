// SPDX-License-Identifier: MIT
import { expect, test } from 'vitest';
import { checkPublishable } from '../scripts/check-publishable.mjs';
import { manifest, plantedRepository } from './planted-repository.js';

/** Only `cpu`, as its build would leave it. */
const built = {
  'packages/rcu/package.json': null,
  'packages/cpu/dist/index.js': 'export const one = 1;\n',
  'packages/cpu/dist/index.d.ts': 'export declare const one: number;\n',
};

const dist = { types: './dist/index.d.ts', default: './dist/index.js' };

test('a built package with a `source` condition can be published', async () => {
  expect(await checkPublishable(plantedRepository(built))).toEqual([]);
});

test.each([
  ['no build', { 'packages/cpu/dist/index.js': null }, 'packages/cpu: does not pack dist/index.js'],
  [
    'an export that is not packed',
    {
      'packages/cpu/package.json': manifest('cpu', 'MIT', {
        exports: { '.': dist, './native': { types: './dist/native.d.ts', default: './dist/native.js' } },
      }),
    },
    'packages/cpu: publint: pkg.exports["./native"].default is ./dist/native.js but the file does not exist.',
  ],
  [
    'types that a TypeScript user cannot resolve',
    { 'packages/cpu/dist/index.d.ts': "export * from './gone';\n" },
    'are-the-types-wrong',
  ],
  [
    'CommonJS code that says it is a module',
    { 'packages/cpu/dist/index.js': 'module.exports = require("node:fs");\n' },
    'CJS',
  ],
  ['a packed test', { 'packages/cpu/src/cpu.test.ts': 'export {};\n' }, 'packages/cpu: packs src/cpu.test.ts'],
  [
    'the state of an incremental build',
    {
      'packages/cpu/dist/tsconfig.tsbuildinfo': '{}',
      'packages/cpu/package.json': manifest('cpu', 'MIT', { files: ['dist', 'src'] }),
    },
    'packages/cpu: packs dist/tsconfig.tsbuildinfo',
  ],
])('%s is found', async (_, offence, finding) => {
  const findings = await checkPublishable(plantedRepository({ ...built, ...offence }));
  expect(findings.join('\n')).toContain(finding);
});
