// SPDX-License-Identifier: MIT
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { processIo } from '../src/io.js';
import { CLI, onTerminal, works } from './own-process.js';
import { emptyFolder, TRUE } from './terminal.js';

/** What only a process of its own shows: signals, pipes, exit codes. Runs what was built. */
const RUN = `'${process.execPath}' '${CLI}' run`;

beforeAll(() => {
  if (!existsSync(CLI)) throw new Error('apps/lockless is not built: npm run build');
});

const bash = (script: string, cwd?: string) => spawnSync('bash', ['-c', script], { encoding: 'utf8', cwd });

describe.skipIf(!works('bash', '--version'))('in a pipeline', () => {
  test('a reader that is gone is no error, and leaves the exit code alone', () => {
    const { stdout, stderr } = bash(`${RUN} '${TRUE}' --limit 20 --json | true; echo "\${PIPESTATUS[0]}"`);
    expect({ stdout, stderr }).toEqual({ stdout: '4\n', stderr: '' });
  });

  test('one that wants the first line gets it', () => {
    const { stdout, stderr } = bash(`${RUN} '${TRUE}' --limit 20 | head -1`);
    expect({ stdout, stderr }).toEqual({
      stdout: 'bounded (stopped before the end; nothing wrong so far)  /bin/true\n',
      stderr: '',
    });
  });

  test.skipIf(!existsSync('/dev/full'))('a full disk is told', () => {
    const { status, stderr } = bash(`${RUN} '${TRUE}' --limit 20 > /dev/full`);
    expect(stderr).toMatch(/^lockless: standard output cannot be written: ENOSPC.*\n$/);
    expect(status).toBe(2);
  });

  test('the command that repeats a run works in a shell, whatever the recording is called', () => {
    const folder = emptyFolder();
    const name = "-it's $(touch x) \\.lkr";
    copyFileSync(TRUE, join(folder, name));
    writeFileSync(join(folder, 'lockless'), `#!/bin/sh\nexec '${process.execPath}' '${CLI}' "$@"\n`);
    chmodSync(join(folder, 'lockless'), 0o755);
    const args = [CLI, 'run', '--limit', '20', '--json', '--', name];
    const first = spawnSync(process.execPath, args, { encoding: 'utf8', cwd: folder });
    expect({ status: first.status, stderr: first.stderr }).toEqual({ status: 4, stderr: '' });
    const { replay, accesses, recording } = JSON.parse(first.stdout);
    expect(recording.path).toBe(name);
    const second = bash(`PATH=.:$PATH; ${replay} --json`, folder);
    expect(JSON.parse(second.stdout).accesses).toBe(accesses);
    expect(readdirSync(folder).sort()).toEqual([name, 'lockless']);
  });
});

describe.skipIf(!works('script', '--version'))('Ctrl-C on a terminal', () => {
  test('shows how far the run came, and leaves nothing half-written', async () => {
    const folder = emptyFolder();
    const report = join(folder, 'run.html');
    const { screen, status } = await onTerminal(`${RUN} gcc-hello --report '${report}'`, /% of \d+ operations/, 1);
    expect(screen).toMatch(/interrupted.*nothing wrong so far/);
    expect(screen).toMatch(/[\d,]+ of 1?\d,\d+ recorded operations/);
    expect(screen).toContain('none violated');
    expect(screen).not.toContain('    at ');
    expect(status).toBe(130);
    expect(readdirSync(folder)).toEqual(['run.html']);
  });

  test('twice ends it too, without a stack trace', async () => {
    const folder = emptyFolder();
    const report = join(folder, 'run.html');
    const { screen, status } = await onTerminal(`${RUN} gcc-hello --report '${report}'`, /% of \d+ operations/, 2);
    expect(screen).not.toContain('    at ');
    expect(status).toBe(130);
    expect(readdirSync(folder).filter((file) => file !== 'run.html')).toEqual([]);
  });
});

test('one Ctrl-C is told, a second one ends the process', () => {
  const exit = vi.spyOn(process, 'exit').mockImplementation((code) => {
    throw new Error(`exit ${code}`);
  });
  const before = process.listenerCount('SIGINT');
  let interrupts = 0;
  const ignore = processIo.onInterrupt(() => interrupts++);
  try {
    process.emit('SIGINT');
    expect(interrupts).toBe(1);
    expect(() => process.emit('SIGINT')).toThrow('exit 130');
    expect(interrupts).toBe(1);
  } finally {
    ignore();
    exit.mockRestore();
  }
  expect(process.listenerCount('SIGINT')).toBe(before);
});
