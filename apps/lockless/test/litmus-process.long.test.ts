// SPDX-License-Identifier: MIT
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { CLI, onTerminal, works } from './own-process.js';
import { emptyFolder } from './terminal.js';

const CORPUS = fileURLToPath(new URL('../../../packages/litmus/corpus', import.meta.url));

beforeAll(() => {
  if (!existsSync(CLI)) throw new Error('apps/lockless is not built: npm run build');
});

const litmus = (...args: string[]) => spawnSync(process.execPath, [CLI, 'litmus', ...args], { encoding: 'utf8' });

/** So many executions that nobody waits for the end: eight threads write to two variables and read both. */
const ENDLESS = `C endless\n{}\n${Array.from({ length: 8 }, (_, n) => `P${n}(int *x, int *y) { WRITE_ONCE(*x, ${n}); r0 = READ_ONCE(*y); WRITE_ONCE(*y, ${n}); r1 = READ_ONCE(*x); }\n`).join('')}exists (0:r0=7)\n`;

function folderWithEndless(): string {
  const folder = emptyFolder();
  copyFileSync(join(CORPUS, 'sb-mb.litmus'), join(folder, 'a.litmus'));
  writeFileSync(join(folder, 'b.litmus'), ENDLESS);
  copyFileSync(join(CORPUS, 'sb-mb.litmus'), join(folder, 'c.litmus'));
  return folder;
}

test('several at a time say what one at a time says, in the same order', () => {
  const files = readdirSync(CORPUS).filter((file) => file.startsWith('rcu-'));
  const rows = (...args: string[]): unknown => {
    const { status, stdout, stderr } = litmus(...files.map((file) => join(CORPUS, file)), '--json', ...args);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    return JSON.parse(stdout, (key, value) => (key === 'seconds' ? 0 : value));
  };
  expect(rows('--jobs', '3')).toEqual(rows());
});

test('a malformed test among several at a time does not stop the others', () => {
  const folder = emptyFolder();
  copyFileSync(join(CORPUS, 'sb-mb.litmus'), join(folder, 'a.litmus'));
  writeFileSync(join(folder, 'b.litmus'), 'C b\n');
  copyFileSync(join(CORPUS, 'sb-mb.litmus'), join(folder, 'c.litmus'));
  const { status, stdout, stderr } = litmus(folder, '--jobs', '2');
  expect({ status, stderr }).toEqual({ status: 3, stderr: '' });
  expect(stdout).toMatch(/3 tests: 2 as declared, 1 in error; /);
});

describe.skipIf(!works('script', '--version'))('on a terminal', () => {
  const run = `'${process.execPath}' '${CLI}' litmus`;

  test('Ctrl-C ends a test that takes too long, and shows what was found', async () => {
    const { screen, status } = await onTerminal(
      `${run} '${folderWithEndless()}'`,
      /1 of 3 tests, \S*b\.litmus for 1 s/,
      1,
    );
    expect(screen).toMatch(/a\.litmus +Never +Never/);
    expect(screen).toMatch(/3 tests: 1 as declared, 2 not run; /);
    expect(screen).not.toContain('    at ');
    expect(status).toBe(130);
  });

  test('Ctrl-C leaves one JSON document of what was found', async () => {
    const out = join(emptyFolder(), 'out.json');
    const command = `${run} '${folderWithEndless()}' --json`;
    const { status } = await onTerminal(`bash -c "${command} > '${out}'"`, /1 of 3 tests, \S*b\.litmus for 1 s/, 1);
    expect(status).toBe(130);
    expect(JSON.parse(readFileSync(out, 'utf8'))).toMatchObject([{ name: 'sb-mb', observation: 'Never' }]);
  });

  test('what is left of the line of progress is nothing', async () => {
    const { screen, status } = await onTerminal(`${run} '${join(CORPUS, 'sb-mb.litmus')}'`, /never/, 0);
    expect(screen).toMatch(/Observation sb-mb Never 0 3/);
    // The line is erased and the cursor shown, and only then something is printed.
    expect(screen).toContain('\u001b[0K\u001b[?25hTest sb-mb Allowed');
    expect(status).toBe(0);
  });
});
