// SPDX-License-Identifier: MIT
import { copyFileSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { RunResult } from '@lockless/report';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { main } from '../src/main.js';
import { differencesFrom } from './result-shape.js';
import { emptyFolder, jsonOf, lockless, never, Screen, TRUE } from './terminal.js';

const run = async (...args: string[]): Promise<RunResult> => jsonOf(await lockless('run', ...args, '--json'));
const withoutSeconds = ({ seconds, ...rest }: RunResult): Omit<RunResult, 'seconds'> => rest;

/** Words of a command as a POSIX shell would split it, for the quoting that we use. */
const words = (command: string): string[] =>
  [...command.matchAll(/(?:'[^']*'|\\.|[^\s'\\])+/g)].map(([word]) =>
    word.replaceAll(/'([^']*)'|\\(.)/g, (_, quoted, escaped) => quoted ?? escaped),
  );

describe('a run that holds', () => {
  test('exits 0 and prints a summary', async () => {
    const { code, stdout, stderr } = await lockless('run', TRUE);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^holds {2}\/bin\/true\n/);
    expect(stdout).toContain('all 78 recorded operations');
    expect(stdout).toContain('none violated');
    expect(stdout).not.toContain('\x1b');
  });

  test('prints the JSON document that the report package documents, and nothing else', async () => {
    const finished = await lockless('run', TRUE, '--json');
    expect(finished.code).toBe(0);
    const result = jsonOf(finished);
    expect(differencesFrom('RunResult', result)).toEqual([]);
    expect(result.verdict).toBe('holds');
    expect(result.operations).toBe(result.operationsTotal);
    expect(result.timeline.cpus.flatMap(({ slices }) => slices).some(({ task }) => task.startsWith('true/'))).toBe(
      true,
    );
    expect(result.timeline.time.length).toBeGreaterThan(10);
  });

  test('the check of the document finds what is wrong with one', () => {
    expect(differencesFrom('Measure', { name: 'x', title: 'x', simulated: 1, real: '1', items: 0, more: 1 })).toEqual([
      'Measure.real: expected a number, got "1"',
      'Measure.agreement: missing',
      'Measure.more: not in the interface',
    ]);
    expect(differencesFrom('ContextStack', { cpu: 0, task: 'a', frames: [1] })).toEqual([
      'ContextStack.frames[0]: expected a string, got 1',
    ]);
  });
});

describe('a seed', () => {
  const options = ['--cpus', '3', '--memory', '12M', '--model', 'tso', '--scheduler', 'pct', '--neighbours', '2'];
  const faults = ['--inject', 'enomem=0.5%', '--inject', 'signal=0.001'];

  test('decides everything but the seconds, and the command that repeats the run does', async () => {
    const first = await run(TRUE, ...options, ...faults, '--seed', '42');
    expect(withoutSeconds(await run(TRUE, ...options, ...faults, '--seed', '42'))).toEqual(withoutSeconds(first));
    expect(first.configuration.inject).toEqual({ enomem: 0.005, signal: 0.001 });
    const [program, ...replay] = words(first.replay);
    expect(program).toBe('lockless');
    expect(withoutSeconds(jsonOf(await lockless(...replay, '--json')))).toEqual(withoutSeconds(first));
    const other = await run(TRUE, ...options, ...faults, '--seed', '43');
    expect(other.accesses).not.toBe(first.accesses);
  });

  test('with a limit and a tiny rate too', async () => {
    const first = await run(TRUE, '--limit', '20', '--inject', 'eio=0.00000001', '--generation', 'tree-lock');
    const [, ...replay] = words(first.replay);
    expect(withoutSeconds(jsonOf(await lockless(...replay, '--json')))).toEqual(withoutSeconds(first));
  });
});

describe('what a recording is called', () => {
  test('the bundled ones by name, the default one too', async () => {
    const result = await run('--limit', '1');
    expect(result.recording.path).toBe('git-status');
    expect(result.replay).toMatch(/^lockless run git-status --cpus 4 /);
    expect((await run('python-start', '--limit', '1')).recording.path).toBe('python-start');
  });

  test('a file by the path that was given', async () => {
    const path = relative(process.cwd(), TRUE);
    const result = await run(path, '--limit', '1');
    expect(result.recording.path).toBe(path);
    expect(words(result.replay)[2]).toBe(path);
  });

  test.each(['a b.lkr', "it's $(touch x).lkr"])('%s, so that a shell reads it back', async (name) => {
    const path = join(emptyFolder(), name);
    copyFileSync(TRUE, path);
    const result = await run(path, '--limit', '1');
    expect(result.recording.path).toBe(path);
    expect(words(result.replay)[2]).toBe(path);
  });
});

describe('a limit', () => {
  test('ends the run without a verdict: exit 4', async () => {
    const finished = await lockless('run', TRUE, '--limit', '20', '--json');
    const { verdict, operations, operationsTotal } = jsonOf(finished);
    expect({ code: finished.code, verdict }).toEqual({ code: 4, verdict: 'bounded' });
    expect(operations).toBeGreaterThanOrEqual(20);
    expect(operations).toBeLessThan(30);
    expect(operationsTotal).toBe(78);
    expect((await lockless('run', TRUE, '--limit', '20')).stdout).toMatch(/^bounded \(stopped before the end/);
  });

  test('beyond the end changes nothing', async () => {
    const { verdict, accesses } = await run(TRUE, '--limit', '1000');
    expect({ verdict, accesses }).toEqual({ verdict: 'holds', accesses: (await run(TRUE)).accesses });
  });
});

describe('a guard left out', () => {
  const args = ['sqlite-threads', '--without', 'treeLock.irqsOff', '--cpus', '2'];

  test('is found: exit 1, the violation first, with the stacks in kernel functions', async () => {
    const { code, stdout, stderr } = await lockless('run', ...args);
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
    expect(stdout).toMatch(
      /^violated: irq-unsafe-lock .*sqlite-threads, 2 CPUs, model weak, without treeLock\.irqsOff\n/,
    );
    expect(stdout).toContain('treeLock is taken by an interrupt handler, and elsewhere with interrupts enabled');
    expect(stdout).toMatch(/\b(endPageWriteback|testClearPageWriteback|endBioWrite)\w* \(\w+(-\w+)*\.[jt]s:\d+/);
    expect(stdout).toMatch(/repeat: lockless run sqlite-threads .*--without treeLock\.irqsOff/s);
  });

  test('in JSON too, even when a limit would have ended the run', async () => {
    const finished = await lockless('run', ...args, '--json', '--limit', '100000');
    const { verdict, violation, configuration, ...rest } = jsonOf(finished);
    expect({ code: finished.code, verdict }).toEqual({ code: 1, verdict: 'violated' });
    expect(configuration.without).toEqual(['treeLock.irqsOff']);
    expect(differencesFrom('RunResult', { verdict, violation, configuration, ...rest })).toEqual([]);
    expect(violation?.kind).toBe('irq-unsafe-lock');
    const frames = violation?.stacks.flatMap((stack) => stack.frames) ?? [];
    expect(frames.length).toBeGreaterThan(3);
    for (const frame of frames) expect(frame).toMatch(/^[\w$.<>]+ \([\w.-]+:\d+\)$/);
  });
});

describe('a report', () => {
  test('is one page, complete, with nothing beside it', async () => {
    const folder = emptyFolder();
    const { code, stdout } = await lockless('run', TRUE, '--report', join(folder, 'run.html'));
    expect(code).toBe(0);
    expect(stdout).toContain('all 78 recorded operations');
    expect(readdirSync(folder)).toEqual(['run.html']);
    const page = readFileSync(join(folder, 'run.html'), 'utf8');
    expect(page).toMatch(/^<!doctype html>/i);
    expect(page.trimEnd()).toMatch(/<\/html>$/);
    expect(page).toContain('/bin/true');
  });

  test('replaces what a link leads to, and keeps the link', async () => {
    const folder = emptyFolder();
    writeFileSync(join(folder, 'old.html'), 'old');
    symlinkSync('old.html', join(folder, 'link.html'));
    await lockless('run', TRUE, '--limit', '1', '--report', join(folder, 'link.html'));
    expect(readdirSync(folder).sort()).toEqual(['link.html', 'old.html']);
    expect(readFileSync(join(folder, 'old.html'), 'utf8')).toMatch(/^<!doctype html>/i);
  });

  test('does not replace a device', async () => {
    expect((await lockless('run', TRUE, '--limit', '1', '--report', '/dev/null')).code).toBe(4);
    expect(statSync('/dev/null').isCharacterDevice()).toBe(true);
  });
});

describe('a terminal', () => {
  afterEach(() => vi.unstubAllEnvs());

  test('sees progress on stderr and colours on stdout', async () => {
    vi.stubEnv('NO_COLOR', '');
    const [stdout, stderr] = [new Screen(true), new Screen(true)];
    expect(await main(['run', TRUE, '--limit', '60'], { stdout, stderr, onInterrupt: never })).toBe(4);
    expect(stderr.text).toMatch(/\d+ % of 78 operations, \d+\.\d M accesses\/s/);
    expect(stdout.text).toContain('\x1b[');
    expect(stdout.text).not.toContain('accesses/s, ');
  });

  test('that does not know its width gets the result all the same', async () => {
    const [stdout, stderr] = [new Screen(true, 0), new Screen(true, 0)];
    expect(await main(['run', TRUE, '--limit', '60'], { stdout, stderr, onInterrupt: never })).toBe(4);
    expect(stdout.text).toContain('recorded operations of 1 thread');
    expect(stderr.text).toBe('');
  });

  test('sees no colours when NO_COLOR says so', async () => {
    vi.stubEnv('NO_COLOR', '1');
    const stdout = new Screen(true);
    await main(['run', TRUE, '--limit', '1'], { stdout, stderr: new Screen(), onInterrupt: never });
    expect(stdout.text).not.toContain('\x1b[');
  });
});

test('Ctrl-C ends the run with a consistent partial result: exit 130', async () => {
  const [stdout, stderr] = [new Screen(), new Screen()];
  const onInterrupt = (listener: () => void): (() => void) => {
    listener();
    return () => {};
  };
  const code = await main(['run', 'sqlite-threads', '--json'], { stdout, stderr, onInterrupt });
  const result = jsonOf({ code, stdout: stdout.text, stderr: stderr.text });
  expect({ code, verdict: result.verdict }).toEqual({ code: 130, verdict: 'interrupted' });
  expect(differencesFrom('RunResult', result)).toEqual([]);
  expect(result.operations).toBeLessThan(result.operationsTotal);
});

test('a fault of the program itself is told as one: exit 70', async () => {
  const [stdout, stderr] = [new Screen(), new Screen()];
  const onInterrupt = (): never => {
    throw new TypeError('no such thing');
  };
  expect(await main(['run', TRUE, '--json'], { stdout, stderr, onInterrupt })).toBe(70);
  expect(stdout.text).toBe('');
  expect(stderr.text).toMatch(/^lockless: internal error, please report it:\nTypeError: no such thing\n {4}at /);
});
