// SPDX-License-Identifier: MIT
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { difference, Numbers, runSimulated } from './native/compare.js';
import {
  NativeSide,
  removePrograms,
  type StoreStatement,
  storesOf,
  stripProgram,
  withoutStore,
} from './native/native-side.js';
import type { Program, Step } from './native/program.js';

const long = process.env.LOCKLESS_LONG !== undefined;

const programs: Record<string, () => Promise<Program>> = {
  rcu: () => import('./native/programs/rcu.js'),
  page: () => import('./native/programs/page.js'),
  'radix-tree': () => import('./native/programs/radix-tree.js'),
  'value-map': () => import('./native/programs/value-map.js'),
  pagecache: () => import('./native/programs/pagecache.js'),
};

/** Programs that are run where RCU readers say nothing as well. */
const withReaders = ['rcu', 'value-map', 'pagecache'];

const step: fc.Arbitrary<Step> = fc.tuple(fc.nat(1000), fc.nat(100_000), fc.nat(100_000));
const steps: fc.Arbitrary<Step[]> = fc.array(step, { minLength: 8, maxLength: 60, size: 'max' });

afterAll(removePrograms);

describe('the stripped and the simulated build do the same, step for step', () => {
  const runs = { fast: long ? 150 : 20, strict: long ? 50 : 8 };
  const tables = ['fast', 'strict'] as const;
  const all = Object.keys(programs).flatMap((name) => tables.map((table) => ({ name, table, rcu: 'mb' })));
  const quiet = withReaders.map((name) => ({ name, table: 'fast' as const, rcu: 'qsbr' }));
  test.each([...all, ...quiet])('$name, $table primitives, rcu $rcu', async ({ name, table, rcu }) => {
    const program = await programs[name]();
    const quietRcu = rcu === 'qsbr';
    const native = new NativeSide(stripProgram(name), table, quietRcu);
    const numRuns = runs[table];
    const loaded = await native.loaded;
    const numbers = new Numbers(loaded);
    let primitives = 0;
    await fc.assert(
      fc.asyncProperty(steps, async (chosen) => {
        const simulated = runSimulated(program, chosen, loaded, quietRcu);
        primitives += simulated.trace.length / 4;
        expect(difference(simulated, await native.run(chosen), numbers)).toBe(null);
      }),
      { numRuns },
    );
    await native.end();
    expect(primitives).toBeGreaterThan(numRuns * 50);
  });
});

const files: readonly (readonly [program: string, file: string])[] = [
  ['rcu', 'urcu-mb.ts'],
  ['rcu', 'urcu-qsbr.ts'],
  ['rcu', 'urcu-call-rcu.ts'],
  ['page', 'page-buddy.ts'],
  ['page', 'pagevec.ts'],
  ['radix-tree', 'radix-tree.ts'],
  ['radix-tree', 'radix-tree-tag.ts'],
  ['pagecache', 'filemap.ts'],
  ['pagecache', 'bio.ts'],
];

/** What a thread alone does not come to: repairs after a death, a grace period of another thread, and the end of reclaim. */
const notReached = [
  'yield* smpStoreRelease(own, ctr);',
  'if (endReader()) yield* smpStoreRelease(urcuReader(cpu), 0);',
  'if ((yield* readOnce(UrcuGp.lock(gp))) === cpu + 1 && endGracePeriod()) yield* smpStoreRelease(UrcuGp.lock(gp), 0);',
  'if (next === last) yield* store(RcuHead.next(at), NULL);',
  'if ((yield* readOnce(Zone.pagesScanned(zone))) !== 0) yield* store(Zone.pagesScanned(zone), 0);',
];

/** Whether a native build without that store does something else somewhere. */
async function noticed(name: string, file: string, store: StoreStatement): Promise<boolean> {
  const program = await programs[name]();
  const quietRcu = file === 'urcu-qsbr.ts';
  const native = new NativeSide(withoutStore(name, store), 'fast', quietRcu);
  try {
    const loaded = await native.loaded;
    const numbers = new Numbers(loaded);
    for (const chosen of fc.sample(steps, { numRuns: 25, seed: 1 }))
      if (difference(runSimulated(program, chosen, loaded, quietRcu), await native.run(chosen), numbers) !== null)
        return true;
    return false;
  } finally {
    await native.end();
  }
}

describe('a native build that lacks one store is noticed', () => {
  test.each(files)('%s: %s', async (name, file) => {
    const stores = storesOf(name, file);
    expect(stores).not.toEqual([]);
    const missed: string[] = [];
    // The long form: without any of them. The page cache's programs take too long for that.
    for (const store of stores.slice(0, long && name !== 'pagecache' ? stores.length : 1))
      if (!(await noticed(name, file, store)) && !notReached.includes(store.source))
        missed.push(`${file}: ${store.source}`);
    expect(missed).toEqual([]);
  });
});
