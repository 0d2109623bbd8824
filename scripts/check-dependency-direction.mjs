// SPDX-License-Identifier: MIT
// @ts-check
import { existsSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join, resolve } from 'node:path';
import { forbidden, places } from './levels.mjs';
import { importsOf, packageNameOf } from './source-imports.mjs';
import { findWorkspaces, isMain, listFiles, readJson, repositoryPath, runCheck } from './workspaces.mjs';

/** @typedef {import('./workspaces.mjs').Workspace} Workspace */

const sourceFile = /\.[cm]?[jt]sx?$/;

/**
 * Imports run in one direction: the manifests, the sources, the tests and the TypeScript project references all keep to the level
 * table of scripts/levels.mjs and agree with each other.
 * @param {string} root @returns {string[]}
 */
export function checkDependencyDirection(root) {
  const workspaces = findWorkspaces(root);
  const byName = new Map(workspaces.map((workspace) => [workspace.manifest.name, workspace]));
  return [
    ...workspaces.flatMap((workspace) => [
      ...checkPlace(workspace),
      ...checkManifest(workspace, byName),
      ...checkSources(root, workspace, byName),
      ...checkReferences(root, workspace, byName),
    ]),
    ...checkRootReferences(root, workspaces),
  ];
}

/** @param {Workspace} workspace */
function checkPlace({ id, path }) {
  return places[id] ? [] : [`${path}: has no place in scripts/levels.mjs`];
}

/** @param {Workspace} workspace @param {Map<string, Workspace>} byName */
function checkManifest({ id, path, manifest }, byName) {
  const findings = [];
  for (const [kind, test] of /** @type {const} */ ([
    ['dependencies', false],
    ['optionalDependencies', false],
    ['peerDependencies', false],
    ['devDependencies', true],
  ])) {
    for (const [name, range] of Object.entries(manifest[kind] ?? {})) {
      const target = byName.get(name);
      if (!target) {
        if (name.startsWith('@lockless/'))
          findings.push(`${path}/package.json: ${kind} names ${name}, which does not exist`);
        continue;
      }
      const why = forbidden(id, target.id, { test });
      if (why) findings.push(`${path}/package.json: ${kind} names ${name}: ${why}`);
      if (range === '*' || range.startsWith('file:')) {
        findings.push(`${path}/package.json: ${kind} names ${name} as "${range}", expected a version`);
      }
    }
  }
  return findings;
}

/** @param {string} root @param {Workspace} workspace @param {Map<string, Workspace>} byName */
function checkSources(root, workspace, byName) {
  const { dir, id, manifest } = workspace;
  const findings = [];
  const shipped = { ...manifest.dependencies, ...manifest.peerDependencies, ...manifest.optionalDependencies };
  for (const folder of ['src', 'test', 'bench', 'scripts']) {
    const test = folder !== 'src';
    for (const file of listFiles(join(dir, folder)).filter((name) => sourceFile.test(name))) {
      for (const { specifier, line } of importsOf(file)) {
        const where = `${repositoryPath(root, file)}:${line}`;
        if (specifier.startsWith('.')) {
          if (leavesPackage(dir, file, specifier)) findings.push(`${where}: imports ${specifier}, outside its package`);
          continue;
        }
        if (isBuiltin(specifier) || specifier.startsWith('#')) continue;
        const name = packageNameOf(specifier);
        if (name === manifest.name) continue;
        const target = byName.get(name);
        const why = target && forbidden(id, target.id, { test });
        if (why) findings.push(`${where}: imports ${specifier}: ${why}`);
        const declared = name in shipped || (test && (name in (manifest.devDependencies ?? {}) || !target));
        if (!declared) findings.push(`${where}: imports ${specifier}, which package.json does not declare`);
      }
    }
  }
  return findings;
}

/** @param {string} dir @param {string} file @param {string} specifier */
function leavesPackage(dir, file, specifier) {
  return !resolve(file, '..', specifier).startsWith(`${dir}/`);
}

/**
 * A package's project references are its dependencies in the repository.
 * @param {string} root @param {Workspace} workspace @param {Map<string, Workspace>} byName
 */
function checkReferences(root, { dir, path, manifest }, byName) {
  const config = join(dir, 'tsconfig.json');
  if (!existsSync(config)) return [`${path}/tsconfig.json: missing`];
  const referenced = referencesOf(config);
  const dependencies = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies });
  const wanted = dependencies.flatMap((name) => byName.get(name)?.dir ?? []);
  return [
    ...wanted
      .filter((folder) => !referenced.includes(folder))
      .map((folder) => `${path}/tsconfig.json: no reference to ${repositoryPath(root, folder)}, a dependency`),
    ...referenced
      .filter((folder) => folder !== dir && !folder.startsWith(`${dir}/`) && !wanted.includes(folder))
      .map((folder) => `${path}/tsconfig.json: references ${repositoryPath(root, folder)}, not a dependency`),
  ];
}

/** The root project builds every workspace. @param {string} root @param {Workspace[]} workspaces */
function checkRootReferences(root, workspaces) {
  const config = join(root, 'tsconfig.json');
  if (!existsSync(config)) return ['tsconfig.json: missing'];
  const referenced = referencesOf(config);
  return [
    ...workspaces
      .filter(({ dir }) => !referenced.includes(dir))
      .map(({ path }) => `tsconfig.json: no reference to ${path} (npm run references writes it)`),
    ...referenced
      .filter((folder) => !workspaces.some(({ dir }) => dir === folder))
      .map((folder) => `tsconfig.json: references ${folder}, which is not a workspace`),
  ];
}

/** @param {string} config @returns {string[]} absolute folders */
function referencesOf(config) {
  /** @type {{ path: string }[]} */
  const references = readJson(config).references ?? [];
  return references.map(({ path }) => resolve(config, '..', path).replace(/\/tsconfig[^/]*\.json$/, ''));
}

if (isMain(import.meta.url)) await runCheck('Dependency direction', checkDependencyDirection);
