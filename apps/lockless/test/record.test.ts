// SPDX-License-Identifier: MIT
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { emptyFolder, jsonOf, lockless } from './terminal.js';

const missing =
  process.platform !== 'linux' || process.arch !== 'x64'
    ? 'not Linux on x86-64'
    : process.getuid?.() !== 0
      ? 'not root'
      : (['strace', 'setarch', 'perl'].find((tool) => spawnSync(tool, ['--version']).status !== 0) ??
        (existsSync('/sys/kernel/tracing/events/exceptions') || existsSync('/sys/kernel/debug/tracing')
          ? null
          : 'tracefs'));

describe.skipIf(missing !== null)(`record${missing === null ? '' : ` (skipped: ${missing})`}`, () => {
  afterEach(() => vi.unstubAllEnvs());

  test('writes a recording that run replays', async () => {
    const folder = emptyFolder();
    const output = join(folder, 'true.lkr.gz');
    const { code, stdout, stderr } = await lockless('record', '--no-drop-caches', '--json', '-o', output, '--', 'true');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const said = JSON.parse(stdout) as Record<string, unknown>;
    expect(said).toMatchObject({ output, command: ['true'], exit: 0, signal: null, processes: 1, threads: 1 });
    expect(said.userFaults).toBeGreaterThan(10);
    expect(readdirSync(folder)).toEqual(['true.lkr.gz']);
    const replayed = await lockless('run', output, '--json');
    expect(replayed.code).toBe(0);
    const { recording, processes, operations } = jsonOf(replayed);
    expect(recording).toMatchObject({ path: output, command: ['true'], processes: 1 });
    expect(processes[0].faults.real.total).toBeGreaterThan(10);
    expect(operations).toBeGreaterThan(20);
  });

  test('says how the program ended, which is not how the recording did', async () => {
    const output = join(emptyFolder(), 'false.lkr.gz');
    const { code, stdout } = await lockless('record', '--no-drop-caches', '-o', output, '--', 'false');
    expect(code).toBe(0);
    expect(stdout).toContain('the program ended with exit status 1\n');
    expect(stdout).toContain(`replay it: lockless run ${output}\n`);
  });

  test('an unknown program, or no strace: exit 2, nothing written', async () => {
    const folder = emptyFolder();
    const output = join(folder, 'x.lkr.gz');
    const unknown = await lockless('record', '-o', output, '--', 'no-such-program');
    expect(unknown).toEqual({ code: 2, stdout: '', stderr: 'lockless: no-such-program: no such program in PATH\n' });
    vi.stubEnv('PATH', folder);
    const bare = await lockless('record', '-o', output, '--', '/bin/true');
    expect(bare).toEqual({
      code: 2,
      stdout: '',
      stderr: 'lockless: recording needs strace; install the package strace\n',
    });
    expect(readdirSync(folder)).toEqual([]);
  });
});
