// SPDX-License-Identifier: MIT
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { difference, Numbers, runSimulated } from './native/compare.js';
import { NativeSide, removePrograms, stripProgram, withoutStore } from './native/native-side.js';
import type { Program, Step } from './native/program.js';

const long = process.env.LOCKLESS_LONG !== undefined;

const programs: Record<string, () => Promise<Program>> = {
  rcu: () => import('./native/programs/rcu.js'),
  page: () => import('./native/programs/page.js'),
  'radix-tree': () => import('./native/programs/radix-tree.js'),
  pagecache: () => import('./native/programs/pagecache.js'),
};

const step: fc.Arbitrary<Step> = fc.tuple(fc.nat(1000), fc.nat(100_000), fc.nat(100_000));
const steps: fc.Arbitrary<Step[]> = fc.array(step, { minLength: 8, maxLength: 60, size: 'max' });

afterAll(removePrograms);

describe('the stripped and the simulated build do the same, step for step', () => {
  const runs = { fast: long ? 300 : 30, strict: long ? 100 : 8 };
  const tables = ['fast', 'strict'] as const;
  test.each(Object.keys(programs).flatMap((name) => tables.map((table) => ({ name, table }))))(
    '$name, $table primitives',
    async ({ name, table }) => {
      const program = await programs[name]();
      const native = new NativeSide(stripProgram(name), table);
      const numRuns = runs[table];
      const loaded = await native.loaded;
      const numbers = new Numbers(loaded);
      let primitives = 0;
      await fc.assert(
        fc.asyncProperty(steps, async (chosen) => {
          const simulated = runSimulated(program, chosen, loaded);
          primitives += simulated.trace.length / 4;
          expect(difference(simulated, await native.run(chosen), numbers)).toBe(null);
        }),
        { numRuns },
      );
      await native.end();
      expect(primitives).toBeGreaterThan(numRuns * 50);
    },
  );
});

/** The first statement of a file that does nothing but store. */
const mutants: readonly (readonly [program: string, file: string])[] = [
  ['rcu', 'urcu-mb.js'],
  ['rcu', 'urcu-call-rcu.js'],
  ['page', 'page-buddy.js'],
  ['page', 'pagevec.js'],
  ['radix-tree', 'radix-tree.js'],
  ['radix-tree', 'radix-tree-tag.js'],
  ['pagecache', 'filemap.js'],
  ['pagecache', 'bio.js'],
];

describe('a native build that lacks one store is noticed', () => {
  test.each(mutants)('%s: %s', async (name, file) => {
    const program = await programs[name]();
    const { dropped, path } = withoutStore(name, file);
    const native = new NativeSide(path);
    const loaded = await native.loaded;
    const numbers = new Numbers(loaded);
    const found: string[] = [];
    for (const chosen of fc.sample(steps, { numRuns: 20, seed: 1 })) {
      const where = difference(runSimulated(program, chosen, loaded), await native.run(chosen), numbers);
      if (where !== null) found.push(where);
      if (found.length > 0) break;
    }
    await native.end();
    expect(found, dropped).toHaveLength(1);
  });
});
