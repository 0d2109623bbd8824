// SPDX-License-Identifier: MIT
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { deliberateDifferences, reasonAgainstKernel } from '@lockless/oracle';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { emptyFolder, lockless } from './terminal.js';

afterEach(() => void vi.unstubAllEnvs());

function script(...lines: string[]): string {
  const file = join(emptyFolder(), 'steps.txt');
  writeFileSync(file, `${lines.join('\n')}\n`);
  return file;
}

describe('lockless oracle', () => {
  test('lists what is meant to differ', async () => {
    const { code, stdout } = await lockless('oracle', '--differences');
    expect(code).toBe(0);
    for (const { name, reason } of deliberateDifferences) expect(stdout).toContain(`${name}\n  ${reason}\n`);
    const { stdout: json } = await lockless('oracle', '--differences', '--json');
    expect(JSON.parse(json)).toHaveLength(deliberateDifferences.length);
  });

  test('a script that cannot be read is bad input, with its line', async () => {
    const file = script('P0 mmap 0+4 rw private', 'P0 frobnicate');
    expect(await lockless('oracle', file)).toMatchObject({
      code: 3,
      stderr: expect.stringContaining(`${file}:2: expected mmap, `),
    });
    const missing = join(emptyFolder(), 'none.txt');
    expect(await lockless('oracle', missing)).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('no such file'),
    });
  });

  test('without gcc, or root, or Linux: wrong usage, and what is missing', async () => {
    vi.stubEnv('PATH', '');
    const { code, stdout, stderr } = await lockless('oracle', '--generate', '1');
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^lockless: the oracle needs (Linux|root|\/proc|gcc)/);
  });

  test('--seed and --generate are whole numbers', async () => {
    expect((await lockless('oracle', '--seed', '-1')).code).toBe(2);
    expect((await lockless('oracle', '--generate', '0')).code).toBe(2);
  });
});

const reason = reasonAgainstKernel();

describe.skipIf(reason !== null)(`on this machine${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  test('a script that goes the same way on both sides', async () => {
    const file = script('P0 mmap 0+4 rw private', 'P0 write 1', 'P0 fork P1', 'P1 write 1');
    const { code, stdout, stderr } = await lockless('oracle', file);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toBe(`${file}: the same on both sides, 4 of 4 steps compared\n`);
  });

  test('what is meant to differ is named, and is no difference', async () => {
    const file = script('P0 mmap 0+2 rw private', 'P0 mremap 1+2 8+2', 'P0 read 0');
    const { code, stdout } = await lockless('oracle', file, '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout).scripts).toEqual([
      { name: file, steps: 1, difference: null, deliberate: ['mremap-of-several-areas'] },
    ]);
  });

  test('generated scripts: the seed and how much was compared', async () => {
    const { code, stdout } = await lockless('oracle', '--generate', '3', '--seed', '5', '--json');
    expect(code).toBe(0);
    const { scripts, generated } = JSON.parse(stdout);
    expect(scripts).toEqual([]);
    expect(generated).toMatchObject({ seed: 5, scripts: 3, found: null, interrupted: false });
    expect(generated.steps).toBeGreaterThan(3);
  });
});
