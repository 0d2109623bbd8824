// SPDX-License-Identifier: MIT
// @ts-check
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '../workspaces.mjs';

/** Packages that implement what the documents name. */
const KERNEL = [
  'cpu',
  'mm-types',
  'rcu',
  'page',
  'radix-tree',
  'mmu-notifier',
  'memcontrol',
  'rmap',
  'huge-memory',
  'pagecache',
  'memory-failure',
  'mm',
  'kvm',
];

const DECLARED = /^\s*(?:export )?(?:function\*? |const |class )([\w$]+)|^ {2}\*?([\w$]+)\(.*\{$/gm;

/** @typedef {{ name: string, file: string, package: string }} Found `file` within `src` */

/** @returns {Map<string, Found[]>} everything that is declared in the kernel's packages, by name */
export function declared() {
  /** @type {Map<string, Found[]>} */
  const all = new Map();
  for (const folder of KERNEL) {
    const source = join(repositoryRoot, 'packages', folder, 'src');
    for (const entry of readdirSync(source, { recursive: true })) {
      const file = String(entry);
      if (!file.endsWith('.ts')) continue;
      for (const match of readFileSync(join(source, file), 'utf8').matchAll(DECLARED)) {
        const name = /** @type {string} */ (match[1] ?? match[2]);
        const known = all.get(name);
        if (known === undefined) all.set(name, [{ name, file, package: folder }]);
        else if (!known.some((other) => other.file === file && other.package === folder))
          known.push({ name, file, package: folder });
      }
    }
  }
  return all;
}

/** find_get_page: findGetPage; __put_page: __putPage; SetPageLocked: setPageLocked. @param {string} name @returns {string} */
export function camelCase(name) {
  const [, lead = '', rest = ''] = /^(_*)(.*)$/.exec(name) ?? [];
  const own = rest.replace(/_+(\w)/g, (_, letter) => letter.toUpperCase());
  return lead + own.charAt(0).toLowerCase() + own.slice(1);
}
