// SPDX-License-Identifier: GPL-2.0-only
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RCU_EXEMPT } from '@lockless/page';
import { expect, it } from 'vitest';

const PACKAGES = fileURLToPath(new URL('../..', import.meta.url));

/** Excuses of a part of the function that they name, or of several that do the same. */
const SHARED = ['memCgroupForceEmptyList', 'headOfTail'];

/** Calls of a function in the kernel packages: where, in which function, and with which excuse. */
function callsOf(name: string): { readonly within: string; readonly excuse: string | null }[] {
  const calls: { within: string; excuse: string | null }[] = [];
  for (const folder of readdirSync(PACKAGES)) {
    if (folder === 'scenarios') continue; // Where races are made of it.
    const source = join(PACKAGES, folder, 'src');
    for (const file of sourcesIn(source)) {
      let within = '';
      for (const line of readFileSync(join(source, file), 'utf8').split('\n')) {
        within = /^(?:export )?function\* (\w+)/.exec(line)?.[1] ?? within;
        const call = new RegExp(`yield\\* ${name}\\(\\w+(?:, '(\\w+)')?\\)`).exec(line);
        if (call !== null) calls.push({ within, excuse: call[1] ?? null });
      }
    }
  }
  return calls;
}

const sourcesIn = (folder: string): string[] => {
  try {
    return readdirSync(folder, { recursive: true })
      .map(String)
      .filter((file) => file.endsWith('.ts'));
  } catch {
    return [];
  }
};

it('every excuse from being an RCU reader is used, by the function that it names', () => {
  const calls = callsOf('getPageUnlessZeroExempt');
  expect(new Set(calls.map(({ excuse }) => excuse))).toEqual(new Set(Object.keys(RCU_EXEMPT)));
  const elsewhere = calls.filter(({ within, excuse }) => within !== excuse).map(({ excuse }) => excuse);
  expect(new Set(elsewhere)).toEqual(new Set(SHARED));
});

it('all other callers of get_page_unless_zero() have a scenario in which they are found without RCU, or are lookups', () => {
  expect(
    callsOf('getPageUnlessZero')
      .map(({ within }) => within)
      .sort(),
  ).toEqual([
    'deactivatePage', // without its guard; else get_page()
    'getHead', // transparentHugepageAdjust's, without its guard; else get_page()
    'gupHugeEntry',
    'headReference', // pageTransCompoundAnonSplit's
    'mcHandlePresentPte', // without its guard; else get_page()
    'migrationEntryWait',
    'pageCacheGetSpeculative',
  ]);
});
