// SPDX-License-Identifier: MIT
// @ts-check
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readmeExample } from './readme-example.mjs';
import { findWorkspaces, isMain, readJson, runCheck } from './workspaces.mjs';

/** @typedef {import('./workspaces.mjs').Workspace} Workspace */

/**
 * Every workspace has the same shape: its manifest can be published, its README has an example that can be run, and what is not released yet
 * has a changeset. And the lock file ties nobody to a registry.
 * @param {string} root @returns {string[]}
 */
export function checkManifests(root) {
  const workspaces = findWorkspaces(root);
  return [
    ...workspaces.flatMap((workspace) => [
      ...checkShape(workspace),
      ...checkExports(workspace),
      ...checkReadme(workspace),
      ...checkInternalRanges(workspace, workspaces),
    ]),
    ...checkSegments(workspaces),
    ...checkChangesets(root, workspaces),
    ...checkLockFile(root),
  ];
}

/** @param {Workspace} workspace */
function checkShape({ id, app, path, dir, manifest }) {
  /** @type {string[]} */
  const findings = [];
  const say = (/** @type {string} */ text) => findings.push(`${path}/package.json: ${text}`);
  const name = app ? id : `@lockless/${id}`;
  if (manifest.name !== name) say(`name is ${manifest.name}, expected ${name}`);
  if (!/^\d+\.\d+\.\d+/.test(manifest.version ?? '')) say('no version');
  if (!manifest.description) say('no description');
  if (manifest.type !== 'module') say('type must be "module"');
  if (manifest.engines?.node !== '>=20.19') say('engines.node must be ">=20.19"');
  if (!manifest.scripts?.build) say('no build script');
  if (manifest.scripts?.test !== 'vitest run --config ../../vitest.config.ts') {
    say('scripts.test must be "vitest run --config ../../vitest.config.ts", which tests the sources of all packages');
  }
  for (const file of ['dist', '!dist/*.tsbuildinfo']) {
    if (!manifest.files?.includes(file)) say(`files must have "${file}"`);
  }
  for (const file of manifest.files ?? []) {
    if (/^[\w.-]+$/.test(file) && file !== 'dist' && !existsSync(join(dir, file)))
      say(`files names ${file}, which does not exist`);
  }
  if (manifest.exports && !manifest.files?.includes('src'))
    say('files must have "src", for the `source` condition and the source maps');
  return findings;
}

/** Each subpath leads to a source, to types and to code, in the order in which tools must try them. @param {Workspace} workspace */
function checkExports({ app, path, dir, manifest }) {
  const entries = Object.entries(manifest.exports ?? {});
  if (entries.length === 0) return app && manifest.bin ? [] : [`${path}/package.json: no exports`];
  return entries.flatMap(([subpath, target]) => {
    if (typeof target === 'string') return [];
    const where = `${path}/package.json: exports["${subpath}"]`;
    const { node, ...conditions } = /** @type {Record<string, any>} */ (target ?? {});
    const { source, types, default: code } = /** @type {Record<string, string>} */ (conditions);
    const order = Object.keys(conditions).join(', ');
    if (order !== 'source, types, default' && order !== 'types, default') {
      return [`${where} has the conditions ${order}; expected source, types, default`];
    }
    // What is other in Node comes before what is for all.
    if (node && (Object.keys(node).join(', ') !== 'types, default' || Object.keys(target ?? {}).at(-3) !== 'node')) {
      return [`${where}.node must have types, default, and stand before the package's own`];
    }
    const findings = [];
    if (source && !existsSync(join(dir, source))) findings.push(`${where}: ${source} does not exist`);
    if (!types?.startsWith('./dist/') || !types.endsWith('.d.ts')) findings.push(`${where}: types is ${types}`);
    if (!code?.startsWith('./dist/') || !code.endsWith('.js')) findings.push(`${where}: default is ${code}`);
    return findings;
  });
}

/** @param {Workspace} workspace */
function checkReadme({ app, path, dir, manifest }) {
  if (manifest.private) return [];
  const file = join(dir, 'README.md');
  if (!existsSync(file)) return [`${path}/README.md: missing`];
  if (app) return [];
  const example = readmeExample(readFileSync(file, 'utf8'));
  return typeof example === 'string' ? [`${path}/README.md: ${example}`] : [];
}

/** A dependency on another workspace admits the version that is here, and a published package needs published ones only. @param {Workspace} workspace @param {Workspace[]} workspaces */
function checkInternalRanges({ path, manifest }, workspaces) {
  const ranges = { ...manifest.devDependencies, ...manifest.dependencies };
  return workspaces.flatMap(({ manifest: { name, version, private: unpublished } }) => {
    const range = ranges[name];
    if (unpublished && !manifest.private && manifest.dependencies?.[name] !== undefined) {
      return [`${path}/package.json: dependencies name ${name}, which is not published`];
    }
    if (range === undefined || range === version || range === `^${version}`) return [];
    return [`${path}/package.json: names ${name} as "${range}", expected "${version}" or "^${version}"`];
  });
}

/** Segments of static data that packages of this repository may have; the others are for its users. */
const SEGMENTS = 32;

/**
 * Each package with a native build makes it by the strip step, and has a segment of static data to itself (docs/native.md): or two threads would take
 * different things for the same.
 * @param {Workspace[]} workspaces
 */
function checkSegments(workspaces) {
  /** @type {Map<number, string>} */
  const owners = new Map();
  return workspaces.flatMap(({ path, manifest: { exports, lockless, scripts } }) => {
    /** @type {string[]} */
    const findings = [];
    const say = (/** @type {string} */ text) => findings.push(`${path}/package.json: ${text}`);
    const stripped = scripts?.build?.includes('lockless-strip --package') ?? false;
    if (stripped !== (exports?.['./native'] !== undefined))
      say(
        `${stripped ? 'no ./native among the exports' : 'exports ./native'}, expected so if "lockless-strip --package" is in the build`,
      );
    const segment = lockless?.segment;
    if (segment === undefined) {
      if (stripped) say('expected "lockless": { "segment": NUMBER }');
      return findings;
    }
    const owner = owners.get(segment);
    if (owner !== undefined) say(`lockless.segment ${segment} is ${owner}'s`);
    owners.set(segment, path);
    if (!Number.isInteger(segment) || segment < 0 || segment >= SEGMENTS)
      say(`lockless.segment is ${segment}, expected 0 to ${SEGMENTS - 1}`);
    return findings;
  });
}

/** @param {string} root @param {Workspace[]} workspaces */
function checkChangesets(root, workspaces) {
  const folder = join(root, '.changeset');
  const files = existsSync(folder)
    ? readdirSync(folder).filter((file) => file.endsWith('.md') && file !== 'README.md')
    : [];
  const findings = [];
  /** @type {Set<string>} */
  const covered = new Set();
  for (const file of files) {
    const head = /^---\n([\s\S]*?)\n---/.exec(readFileSync(join(folder, file), 'utf8'))?.[1];
    if (head === undefined) {
      findings.push(`.changeset/${file}: must begin with "---", a line "'PACKAGE': minor", "---"`);
      continue;
    }
    for (const [, name = '', bump] of head.matchAll(/^['"]?([^'":\n]+)['"]?:\s*(\S+)/gm)) {
      covered.add(name);
      if (!workspaces.some(({ manifest }) => manifest.name === name))
        findings.push(`.changeset/${file}: names ${name}, which does not exist`);
      if (!/^(major|minor|patch)$/.test(bump ?? ''))
        findings.push(`.changeset/${file}: ${name} has the bump "${bump}"`);
    }
  }
  for (const { path, manifest } of workspaces) {
    if (manifest.private || manifest.version !== '0.0.0' || covered.has(manifest.name)) continue;
    findings.push(`${path}: not released yet, and no file in .changeset names ${manifest.name}`);
  }
  return findings;
}

/**
 * The lock file says nothing about where packages come from, and all about what: also the optional packages of other platforms, which `npm install`
 * leaves out silently when a mirror does not have them, and without which `npm ci` fails.
 * @param {string} root
 */
function checkLockFile(root) {
  const file = join(root, 'package-lock.json');
  if (!existsSync(file)) return ['package-lock.json: missing'];
  /** @type {Record<string, { resolved?: string, link?: boolean, integrity?: string, optionalDependencies?: Record<string, string> }>} */
  const packages = readJson(file).packages;
  const known = new Set(Object.keys(packages).map((path) => path.slice(path.lastIndexOf('node_modules/') + 13)));
  const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies)
      .filter((name) => !known.has(name))
      .map((name) => `package-lock.json: lacks ${name}, which ${path} needs on another platform: npm ci would fail`),
  );
  const tied = Object.entries(packages).flatMap(([path, { resolved, link, integrity }]) => {
    if (!path.includes('node_modules/') || link) return [];
    if (resolved !== undefined) return [`package-lock.json: ${path} is tied to ${resolved}`];
    return integrity ? [] : [`package-lock.json: ${path} has no integrity`];
  });
  return [...missing, ...tied];
}

if (isMain(import.meta.url)) await runCheck('Manifests', checkManifests);
