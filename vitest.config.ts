// SPDX-License-Identifier: MIT
import { fileURLToPath } from 'node:url';
import { defaultServerConditions } from 'vite';
import { defineConfig } from 'vitest/config';

/** Time for the longer campaigns of docs/testing.md. */
const longer = Math.max(1, Number(process.env.LOCKLESS_SEEDS ?? 1), Number(process.env.LOCKLESS_RUNS ?? 1) / 30);

/** `LOCKLESS_LONG=1`, as in CI: also what takes long and shows little more. */
const long = process.env.LOCKLESS_LONG !== undefined;

/**
 * Tests run on the sources: the `source` condition of every workspace package leads to its `src/*.ts`, so a test needs no build.
 * The patterns fit both the root (`npm test`) and one workspace (`vitest run --config ../../vitest.config.ts`).
 */
export default defineConfig({
  // One file for all: a package that cannot be built yet must not keep the others from being tested.
  tsconfig: fileURLToPath(new URL('tsconfig.base.json', import.meta.url)),
  resolve: { conditions: ['source'] },
  ssr: { resolve: { conditions: ['source', ...defaultServerConditions] } },
  test: {
    exclude: long ? ['**/node_modules/**'] : ['**/node_modules/**', '**/*.long.test.ts'],
    include: ['packages/*/test/**/*.test.ts', 'apps/*/test/**/*.test.ts', 'test/**/*.test.ts'],
    maxWorkers: '100%',
    testTimeout: longer * 60_000,
    hookTimeout: 120_000,
  },
});
