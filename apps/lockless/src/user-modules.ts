// SPDX-License-Identifier: MIT
import { register } from 'node:module';

/** Hooks for imports: `@lockless/...` leads to the packages of this command, from wherever it is imported. */
const HOOKS = `
const owners = [];
export const initialize = (urls) => void owners.push(...urls);
export async function resolve(specifier, context, next) {
  if (!specifier.startsWith('@lockless/')) return next(specifier, context);
  for (const parentURL of owners) {
    try {
      return await next(specifier, { ...context, parentURL });
    } catch {}
  }
  return next(specifier, context);
}`;

let registered = false;

/**
 * From here on a module of the user gets the very packages that this command runs: there is one engine in charge in each copy of `@lockless/cpu`, so a
 * second copy would run nowhere. It works without an installation beside the module, too.
 */
export function shareOurPackages(): void {
  if (registered) return;
  registered = true;
  const owners = ['@lockless/scenarios', '@lockless/checker'].map((name) => import.meta.resolve(name));
  register(`data:text/javascript,${encodeURIComponent(HOOKS)}`, { data: [import.meta.url, ...owners] });
}
