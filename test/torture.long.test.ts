// SPDX-License-Identifier: MIT
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const torture = (...args: string[]) =>
  spawnSync(process.execPath, [fileURLToPath(new URL('../scripts/torture.mjs', import.meta.url)), ...args], {
    encoding: 'utf8',
    timeout: 300_000,
  });

test.each(['mb', 'qsbr'])('a short torture run counts what it did, and finds nothing: rcu %s', (rcu) => {
  const { status, stdout } = torture('--seconds', '5', '--seed', '3', '--rcu', rcu);
  expect(stdout).toMatch(/^[1-9]\d* deaths, [1-9]\d* verifications, .* operations; seed 3\n/);
  expect(stdout).toContain('contents, counts and memory are right; what was fsynced is on the disk\n');
  expect(status).toBe(0);
});
