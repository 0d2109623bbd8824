// SPDX-License-Identifier: MIT
// @ts-check

/**
 * The one direction of the repository's packages. A package may depend on packages of a lower level only, and further on its kind:
 *
 * - `base` and `kernel` packages never depend on an engine (their tests may, as a devDependency);
 * - an `engine` depends on nothing but `cpu` and `memory-model`, in its tests too;
 * - a `tool` may depend on everything below it, engines included;
 * - an `app` composes; nothing depends on it.
 *
 * `license` is the license of every source file of the package: packages that follow the kernel's own patches are GPL-2.0-only.
 *
 * @typedef {{ level: number, kind: 'base' | 'kernel' | 'engine' | 'tool' | 'app', license: 'MIT' | 'GPL-2.0-only' }} Place
 */

/** @type {Record<string, Place>} The folder's name of each package and app, and its place. */
export const places = {
  strip: { level: -1, kind: 'base', license: 'MIT' },
  wasm: { level: -1, kind: 'base', license: 'MIT' },
  cpu: { level: 0, kind: 'base', license: 'MIT' },
  'memory-model': { level: 1, kind: 'base', license: 'MIT' },
  recording: { level: 1, kind: 'base', license: 'MIT' },
  mutant: { level: 0, kind: 'base', license: 'MIT' },
  'mm-types': { level: 1, kind: 'kernel', license: 'GPL-2.0-only' },
  rcu: { level: 2, kind: 'kernel', license: 'GPL-2.0-only' },
  page: { level: 2, kind: 'kernel', license: 'GPL-2.0-only' },
  'radix-tree': { level: 3, kind: 'kernel', license: 'GPL-2.0-only' },
  'mmu-notifier': { level: 2.5, kind: 'kernel', license: 'GPL-2.0-only' },
  memcontrol: { level: 2.6, kind: 'kernel', license: 'GPL-2.0-only' },
  rmap: { level: 3, kind: 'kernel', license: 'GPL-2.0-only' },
  'huge-memory': { level: 4.5, kind: 'kernel', license: 'GPL-2.0-only' },
  'value-map': { level: 4, kind: 'kernel', license: 'GPL-2.0-only' },
  pagecache: { level: 4, kind: 'kernel', license: 'GPL-2.0-only' },
  'memory-failure': { level: 5.5, kind: 'kernel', license: 'GPL-2.0-only' },
  mm: { level: 5, kind: 'kernel', license: 'GPL-2.0-only' },
  kvm: { level: 5.5, kind: 'kernel', license: 'GPL-2.0-only' },
  simulator: { level: 2, kind: 'engine', license: 'MIT' },
  checker: { level: 2, kind: 'engine', license: 'MIT' },
  native: { level: 2, kind: 'engine', license: 'MIT' },
  litmus: { level: 6, kind: 'tool', license: 'MIT' },
  scenarios: { level: 6, kind: 'tool', license: 'GPL-2.0-only' },
  lookup: { level: 5, kind: 'tool', license: 'GPL-2.0-only' },
  'shared-map': { level: 6, kind: 'tool', license: 'GPL-2.0-only' },
  report: { level: 6, kind: 'tool', license: 'MIT' },
  experiments: { level: 7, kind: 'tool', license: 'GPL-2.0-only' },
  'file-cache': { level: 7, kind: 'tool', license: 'GPL-2.0-only' },
  'native-bench': { level: 7.5, kind: 'tool', license: 'GPL-2.0-only' },
  replay: { level: 7, kind: 'tool', license: 'GPL-2.0-only' },
  oracle: { level: 7, kind: 'tool', license: 'GPL-2.0-only' },
  outcomes: { level: 7, kind: 'tool', license: 'GPL-2.0-only' },
  lockless: { level: 8, kind: 'app', license: 'MIT' },
  playground: { level: 8, kind: 'app', license: 'MIT' },
};

const belowEngines = new Set(['cpu', 'memory-model']);

/**
 * Why `from` may not depend on `to`, or undefined when it may.
 * @param {string} from @param {string} to the folders' names @param {{ test?: boolean }} [use] `test`: only its tests depend on it
 * @returns {string | undefined}
 */
export function forbidden(from, to, { test = false } = {}) {
  const source = places[from];
  const target = places[to];
  if (!source) return `${from} has no place in scripts/levels.mjs`;
  if (!target) return `${to} has no place in scripts/levels.mjs`;
  if (source.kind === 'engine') {
    return belowEngines.has(to) ? undefined : 'an engine depends on cpu and memory-model only';
  }
  if (target.kind === 'engine' && (source.kind === 'kernel' || source.kind === 'base')) {
    return test ? undefined : `a ${source.kind} package never depends on an engine`;
  }
  if (target.level >= source.level) {
    return `level ${source.level} may not depend on level ${target.level}`;
  }
  return undefined;
}
