// SPDX-License-Identifier: MIT
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, test } from 'vitest';
import { CLI } from './own-process.js';
import { lockless } from './terminal.js';

const CORPUS = fileURLToPath(new URL('../../../packages/litmus/corpus', import.meta.url));

beforeAll(() => {
  if (!existsSync(CLI)) throw new Error('apps/lockless is not built: npm run build');
});

const native = (...args: string[]) =>
  spawnSync(process.execPath, [CLI, 'litmus', '--native', ...args], { encoding: 'utf8' });

test('tests on threads: one JSON document, and the exit code agrees with it', () => {
  const files = ['sb-mb', 'srcu-overlapping'].map((name) => `${CORPUS}/${name}.litmus`);
  const { status, stdout, stderr } = native('--json', ...files);
  const { calibration, tests } = JSON.parse(stdout);
  expect(stderr).toBe('');
  expect(status).toBe(calibration.reordered > 0 ? 0 : 4);
  expect(tests[0]).toMatchObject({ name: 'sb-mb', table: 'fast', seed: 1, verdict: 'holds' });
  expect(tests[0].outcomes.length).toBe(3);
  expect(tests[1].notNative).toBe('srcu_read_lock() has no native counterpart');
});

test('a barrier that does nothing is a violation, and the table says which outcome is forbidden', () => {
  const run = () => native('--weaken', 'smp_mb', '--seconds', '2', `${CORPUS}/sb-mb.litmus`);
  // On a busy machine the threads may hardly meet.
  let { status, stdout } = run();
  for (let attempts = 1; attempts < 10 && status !== 1; attempts++) ({ status, stdout } = run());
  expect(stdout).toMatch(/\* 0:r0=0; 1:r0=0; +[\d,]+ {2}FORBIDDEN\n/);
  expect(status).toBe(1);
  const again = `lockless litmus --native --table fast --weaken smp_mb --seed 1 --seconds 2 ${CORPUS}/sb-mb.litmus`;
  expect(stdout).toMatch(/ {2}0:r0=0; 1:r0=0; {2}in [\d,]+ of [\d,]+ instances, first seen within [\d,]+\n/);
  expect(stdout).toContain(`  again: ${again}\n`);
});

test.each(['--model', '--unroll', '--jobs', '--dot', '--svg'])('%s has no meaning natively', async (option) => {
  const value = option === '--model' ? 'sc' : '1';
  const { code, stderr } = await lockless('litmus', '--native', option, value, CORPUS);
  expect(code).toBe(2);
  expect(stderr).toContain(`cannot be used with option '${option}`);
});
