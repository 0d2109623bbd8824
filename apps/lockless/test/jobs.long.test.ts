// SPDX-License-Identifier: MIT
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CheckResult } from '@lockless/checker';
import { beforeAll, describe, expect, test } from 'vitest';
import { emptyFolder } from './terminal.js';

/** What only threads and a module loader of their own show. Runs what was built. */
const CLI = fileURLToPath(new URL('../dist/cli.js', import.meta.url));

beforeAll(() => {
  if (!existsSync(CLI)) throw new Error('apps/lockless is not built: npm run build');
});

/** Without `LOCKLESS_LONG` a program with an eighth of the executions. */
const [COUNT, EXECUTIONS] = process.env.LOCKLESS_LONG === undefined ? [7, 5040] : [8, 40_320];

/** A copy of a test's module in a folder where nothing is installed. */
function elsewhere(name: string): string {
  const folder = emptyFolder();
  copyFileSync(new URL(`modules/${name}.mjs`, import.meta.url), join(folder, `${name}.mjs`));
  return folder;
}

function run(cwd: string, ...args: string[]): { status: number | null; stderr: string; result: CheckResult } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, 'check', ...args, '--json'], {
    encoding: 'utf8',
    cwd,
  });
  const [result] = stdout === '' ? [] : (JSON.parse(stdout) as CheckResult[]);
  return { status, stderr, result };
}

describe('--jobs', () => {
  const folder = (): string => elsewhere('increments');

  test('has the result of one job', () => {
    const cwd = folder();
    const [alone, shared] = ['1', '2'].map((jobs) => run(cwd, `./increments.mjs#increments-${COUNT}`, '--jobs', jobs));
    expect(alone.stderr + shared.stderr).toBe('');
    expect(alone.result).toMatchObject({ verdict: 'holds', executions: EXECUTIONS, events: COUNT });
    expect({ ...shared.result, seconds: 0 }).toEqual({ ...alone.result, seconds: 0 });
  });

  test('finds the violation that one job finds', () => {
    const cwd = folder();
    const [alone, shared] = ['1', '2'].map((jobs) => run(cwd, './increments.mjs#late', '--jobs', jobs));
    expect(alone.result).toMatchObject({ verdict: 'violated', violation: { kind: 'BUG', at: 'finally' } });
    expect({ ...shared.result, seconds: 0 }).toEqual({ ...alone.result, seconds: 0 });
  });

  test('tells what is wrong with a program as one job does', () => {
    const cwd = folder();
    const { status, stderr } = run(
      cwd,
      './increments.mjs#increments-3',
      '--jobs',
      '2',
      '--without',
      'increment.smp_mb',
    );
    expect(stderr).toContain("'increment.smp_mb' is no guard, and no ordering site");
    expect(status).toBe(3);
  });
});

test('a module of the user needs nothing installed beside it', () => {
  const { status, stderr, result } = run(elsewhere('broken'), './broken.mjs');
  expect({ status, stderr }).toEqual({ status: 1, stderr: '' });
  expect(result.violation).toMatchObject({ kind: 'BUG', message: 'BUG_ON(data != 42)' });
});
