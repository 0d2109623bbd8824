// SPDX-License-Identifier: MIT
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { missingBuild, missingInstall, nodeTooOld } from '../scripts/bootstrap.mjs';
import { plantedRepository, repositoryRoot } from './planted-repository.js';

test.each(['18.20.4', '20.18.3', '16.0.0'])('Node %s is refused, with the version that is needed', (version) => {
  expect(nodeTooOld(version)).toMatch(/needs Node 20\.19 or newer/);
  expect(nodeTooOld(version)).toContain(version);
});

test.each(['20.19.0', '20.20.2', '22.0.0', '26.1.0'])('Node %s is accepted', (version) => {
  expect(nodeTooOld(version)).toBeUndefined();
});

test('the oldest Node is the one that the manifests name', () => {
  const { engines } = JSON.parse(readFileSync(join(repositoryRoot, 'package.json'), 'utf8'));
  expect(nodeTooOld(engines.node.replace('>=', ''))).toBeUndefined();
});

const lock = (version: string): object => ({
  packages: {
    '': {},
    'packages/cpu': { name: '@lockless/cpu' },
    'node_modules/x': { version, integrity: 'sha512-x' },
    'node_modules/only-elsewhere': { version: '1.0.0', integrity: 'sha512-y', optional: true },
  },
});

test('a clone without node_modules, with another version, or with a new workspace needs an install', () => {
  const root = plantedRepository({ 'package-lock.json': lock('1.0.0') });
  expect(missingInstall(root)).toBe('node_modules is missing');
  for (const name of ['cpu', 'rcu']) mkdirSync(join(root, 'node_modules/@lockless', name), { recursive: true });
  const installed = join(root, 'node_modules/.package-lock.json');
  writeFileSync(installed, JSON.stringify({ packages: { 'node_modules/x': { version: '1.0.0' } } }));
  expect(missingInstall(root)).toBeUndefined();
  writeFileSync(installed, JSON.stringify({ packages: { 'node_modules/x': { version: '0.9.0' } } }));
  expect(missingInstall(root)).toContain('node_modules/x');
  writeFileSync(installed, JSON.stringify({ packages: { 'node_modules/x': { version: '1.0.0' } } }));
  rmSync(join(root, 'node_modules/@lockless/rcu'), { recursive: true });
  expect(missingInstall(root)).toBe('node_modules/@lockless/rcu is missing');
});

/** A repository that `npm test` has everything for: turbo and vitest are programs that say what they were asked to do. */
function startedRepository(): { root: string; start: () => { built: boolean; status: number | null; stderr: string } } {
  const root = plantedRepository({
    'node_modules/.package-lock.json': { packages: { 'node_modules/x': { version: '1.0.0' } } },
    'node_modules/@lockless/cpu/package.json': {},
    'node_modules/@lockless/rcu/package.json': {},
    'node_modules/turbo/bin/turbo': `const { mkdirSync, existsSync } = require('node:fs');
for (const id of ['cpu', 'rcu']) mkdirSync('packages/' + id + '/dist', { recursive: true });
if (existsSync('broken')) { console.error('error TS1005'); process.exit(2); }
`,
    'node_modules/vitest/vitest.mjs': "console.log('tests ran');\n",
  });
  cpSync(join(repositoryRoot, 'scripts'), join(root, 'scripts'), { recursive: true });
  const start = (): { built: boolean; status: number | null; stderr: string } => {
    const { stdout, stderr, status } = spawnSync(process.execPath, ['scripts/test.mjs'], {
      cwd: root,
      encoding: 'utf8',
    });
    expect(stdout).toBe('tests ran\n');
    return { built: stderr.includes('building'), status, stderr };
  };
  return { root, start };
}

test('a build runs when it is missing and when a source, or a manifest, changed, came or went; and not otherwise', () => {
  const { root, start } = startedRepository();
  const source = join(root, 'packages/cpu/src/index.ts');
  expect(missingBuild(root)).toBe('packages/cpu/dist is missing');
  expect(start()).toMatchObject({ built: true, status: 0 });
  expect(start()).toMatchObject({ built: false, status: 0, stderr: '' });
  writeFileSync(source, 'export {};\n');
  expect(start().built).toBe(true);
  utimesSync(source, 1, 1); // an older file, as a checkout of another branch may leave it
  expect(start().built).toBe(true);
  const added = join(root, 'packages/cpu/src/added.ts');
  writeFileSync(added, '');
  expect(start().built).toBe(true);
  unlinkSync(added);
  expect(start().built).toBe(true);
  rmSync(join(root, 'packages/rcu/dist'), { recursive: true });
  expect(start().built).toBe(true);
  expect(start().built).toBe(false);
});

test('a build that fails is shown, fails the run, and is tried again; the tests run all the same', () => {
  const { root, start } = startedRepository();
  writeFileSync(join(root, 'broken'), '');
  const first = start();
  expect(first.status).toBe(1);
  expect(first.stderr).toContain('error TS1005');
  expect(start()).toMatchObject({ built: true, status: 1 });
  unlinkSync(join(root, 'broken'));
  expect(start()).toMatchObject({ built: true, status: 0 });
});
