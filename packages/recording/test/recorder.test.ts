// SPDX-License-Identifier: MIT
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Recorded, RecordOptions } from '../src/index.js';
import { RecorderError, readRecording, record } from '../src/index.js';
import { Tracefs } from '../src/recorder/tracefs.js';
import { Follower } from './follow.js';

const missing =
  process.getuid?.() !== 0 ? 'not root' : spawnSync('strace', ['--version']).status !== 0 ? 'no strace' : null;

let cwd = '';
beforeAll(() => {
  cwd = realpathSync(mkdtempSync(join(tmpdir(), 'lockless-recorder-')));
});
afterAll(() => rmSync(cwd, { recursive: true }));

const env = { PATH: '/usr/bin:/bin' };
const recordShell = (script: string, options: Partial<RecordOptions> = {}): Promise<Recorded> =>
  record({ command: ['sh', '-c', script], cwd, env, stdio: 'ignore', dropCaches: false, ...options });

/** Everything of tracing that is not ours and that we must not change. */
function tracingState(): Record<string, string> {
  const tracefs = Tracefs.open();
  const read = (file: string): string => readFileSync(join(tracefs.root, file), 'utf8');
  const files = [
    'tracing_on',
    'set_event',
    'set_event_pid',
    'current_tracer',
    'trace_clock',
    'trace_options',
    'buffer_size_kb',
  ];
  const state = Object.fromEntries(files.map((file) => [file, read(file)]));
  const instances = readdirSync(join(tracefs.root, 'instances')).filter((name) =>
    name.startsWith(`lockless-${process.pid}-`),
  );
  tracefs.close();
  return { ...state, instances: instances.join() };
}

describe.skipIf(missing !== null)(`recording${missing ? ` (skipped: ${missing})` : ''}`, () => {
  test('a shell that writes, appends, reads, renames and unlinks', async () => {
    const before = tracingState();
    const output = join(cwd, 'out.lkr.gz');
    const script = 'printf abc > f; printf de >> f; cat f f; mv f g; read x < g; rm g';
    const { recording, code } = await recordShell(script, { output });
    expect(code).toBe(0);
    expect(tracingState()).toEqual(before);
    expect(readRecording(output)).toEqual(recording);
    const { touches, ...wrong } = new Follower(recording).found;
    expect(touches).toBeGreaterThan(100);
    expect(wrong).toMatchObject({ strayTouches: [], addedTwice: [], removedTwice: [], unreadable: [] });
    const f = recording.files.find((file) => file.path === join(cwd, 'f'));
    expect(f).toMatchObject({ existed: false, size: 0 });
    const onF = recording.records.filter((each) => 'file' in each && each.file === f?.id);
    expect(onF.filter((each) => each.kind === 'write')).toMatchObject([
      { offset: 0, length: 3, result: 3 },
      { offset: 3, length: 2, result: 2 },
    ]);
    const reads = onF.flatMap((each) => (each.kind === 'read' && each.result > 0 ? [[each.offset, each.result]] : []));
    // cat reads the whole twice, the shell byte by byte.
    expect(reads).toEqual([...[0, 0].map((offset) => [offset, 5]), ...[0, 1, 2, 3, 4].map((offset) => [offset, 1])]);
    expect(onF.filter((each) => each.kind === 'rename' || each.kind === 'unlink')).toMatchObject([
      { kind: 'rename', replaced: null },
      { kind: 'unlink', last: true },
    ]);
    expect(onF.filter((each) => each.kind === 'added')).toMatchObject([{ index: 0, pages: 1 }]);
  });

  test('a fork with its copied space, a pipe, and a process that is killed', async () => {
    const { recording, signal } = await recordShell(
      '(exit 3); echo x | cat; sleep 9 & kill -9 $!; wait; kill -TERM $$',
    );
    expect(signal).toBe('SIGTERM');
    const { records, header } = recording;
    expect(header.spaces.some((space) => space.born === 'fork')).toBe(true);
    const exits = records.filter((each) => each.kind === 'exit').map(({ code, signal }) => [code, signal]);
    expect(exits).toContainEqual([3, 0]);
    expect(exits).toContainEqual([0, 9]);
    expect(exits.at(-1)).toEqual([0, 15]);
    const pipes = records.filter((each) => each.kind === 'sync' && each.object.startsWith('pipe:'));
    expect(pipes.map((each) => each.kind === 'sync' && each.call)).toEqual(expect.arrayContaining(['write', 'read']));
    const anonymous = new Follower(recording).anonymous();
    expect([...anonymous]).toEqual(header.spaces.map((space) => [space.id, space.rssAtEnd?.anon]));
  });

  test('a file that was there: its size, its identity, its cached pages', async () => {
    writeFileSync(join(cwd, 'old'), 'x'.repeat(10_000));
    const { recording } = await recordShell('cat old');
    const old = recording.files.find((file) => file.path === join(cwd, 'old'));
    expect(old).toMatchObject({ existed: true, size: 10_000, cached: [[0, 2]] });
    expect(old?.inode).toBeGreaterThan(0);
    expect(recording.records.some((each) => each.kind === 'added' && each.file === old?.id)).toBe(false);
  });

  test('an abort kills the program and leaves nothing behind', async () => {
    const before = tracingState();
    const controller = new AbortController();
    const output = join(cwd, 'aborted.lkr.gz');
    const recorded = recordShell('echo $$ > pid; sleep 60', { output, signal: controller.signal });
    const timer = setInterval(() => {
      if (readdirSync(cwd).includes('pid')) controller.abort();
    }, 20);
    await expect(recorded).rejects.toMatchObject({ name: 'RecorderError', failure: 'interrupted' });
    clearInterval(timer);
    expect(tracingState()).toEqual(before);
    expect(readdirSync(cwd).filter((name) => name.startsWith('aborted'))).toEqual([]);
    const pid = readFileSync(join(cwd, 'pid'), 'utf8').trim();
    expect(() => readFileSync(`/proc/${pid}/comm`)).toThrow(/ENOENT/);
  });

  test('a buffer that is too small is an error that says what to do', async () => {
    const before = tracingState();
    const recorded = recordShell('ls / | cat', { bufferMb: 0.01 });
    await expect(recorded).rejects.toThrow(/^\d+ events did not fit the trace buffer; record with a larger bufferMb/);
    expect(tracingState()).toEqual(before);
  });

  test('a program that is not there', async () => {
    await expect(record({ command: ['no-such-program'], env })).rejects.toMatchObject({
      failure: 'command-not-found',
      message: 'no-such-program: no such program in PATH',
    });
  });
});

test('an output that cannot be written is refused before anything runs', async () => {
  await expect(record({ command: ['true'], output: '/nonexistent/out.lkr.gz' })).rejects.toMatchObject({
    failure: 'cannot-write',
  });
});

test('without root it says so', async () => {
  const getuid = vi.spyOn(process, 'getuid').mockReturnValue(1000);
  try {
    await expect(record({ command: ['true'] })).rejects.toBeInstanceOf(RecorderError);
    await expect(record({ command: ['true'] })).rejects.toMatchObject({ failure: 'not-root' });
  } finally {
    getuid.mockRestore();
  }
});
