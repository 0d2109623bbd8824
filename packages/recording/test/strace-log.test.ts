// SPDX-License-Identifier: MIT
import { describe, expect, test } from 'vitest';
import type { StraceLog } from '../src/recorder/strace-log.js';
import { decorationsOf, descriptorsOf, StraceParser, splitArgs, stringsOf } from '../src/recorder/strace-log.js';

function parse(...lines: string[]): StraceLog {
  const parser = new StraceParser();
  for (const line of lines) parser.push(line);
  return parser.finish();
}

const hex = (text: string): string =>
  [...Buffer.from(text)].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('');

test('a whole call: arguments, strings, decorations', () => {
  const line = `12  openat(AT_FDCWD<${hex('/tmp/a b')}>, "${hex('ü"x, [1]')}", O_RDONLY|O_CLOEXEC) = 3<${hex('/tmp/a b/ü"x, [1]')}>`;
  const call = parse(line).calls.get(12)?.[0];
  expect(call?.name).toBe('openat');
  if (!call) return;
  expect(stringsOf(call)).toEqual(['ü"x, [1]']);
  expect(decorationsOf(call.args)).toEqual(['/tmp/a b']);
  expect(decorationsOf(call.result)).toEqual(['/tmp/a b/ü"x, [1]']);
});

test('an unfinished call is joined with its resumption, across other threads', () => {
  const log = parse(
    '1  execve(0x10, 0x20, 0x30 <unfinished ...>',
    `2  pipe2([3<${hex('pipe:[9]')}>, 4<${hex('pipe:[9]')}>], O_CLOEXEC) = 0`,
    '1  <... execve resumed>) = 0 (DELAYED)',
  );
  expect(log.calls.get(1)).toEqual([{ name: 'execve', args: '0x10, 0x20, 0x30', result: '0 (DELAYED)' }]);
  expect(descriptorsOf(log.calls.get(2)?.[0] ?? { name: '', args: '', result: '' })).toEqual([3, 4]);
});

test('arguments that arrive with the resumption are kept', () => {
  const log = parse('1  sendfile(4, 3, [0] <unfinished ...>', '1  <... sendfile resumed> => [5], 100) = 5');
  const call = log.calls.get(1)?.[0];
  expect(call && splitArgs(call)).toEqual(['4', '3', '[0] => [5]', '100']);
});

describe('threads that end', () => {
  test('by exit and by signal', () => {
    const { ends } = parse(
      '1  +++ exited with 3 +++',
      '2  +++ killed by SIGKILL +++',
      '3  +++ killed by SIGSEGV (core dumped) +++',
    );
    expect([...ends]).toEqual([
      [1, { code: 3, signal: null }],
      [2, { code: 0, signal: 'SIGKILL' }],
      [3, { code: 0, signal: 'SIGSEGV' }],
    ]);
  });

  test('inside a call', () => {
    const log = parse(
      '1  openat(AT_FDCWD, "\\x2f" <unfinished ...>) = ?',
      '2  unlink("\\x2f" <unfinished ...>',
      '2  +++ killed by SIGKILL +++',
    );
    expect(log.calls.get(1)?.[0].result).toBe('?');
    expect(log.calls.get(2)?.[0]).toEqual({ name: 'unlink', args: '"\\x2f"', result: '?' });
  });

  test('signals that are handled are no events', () => {
    expect(parse('1  --- SIGCHLD {si_signo=SIGCHLD} ---', '1  --- stopped by SIGSTOP ---').calls.size).toBe(0);
  });
});

describe('lines that strace does not write', () => {
  test.each([
    ['no pid', 'open("x") = 3', 'strace log:1: expected a line that begins with a process id, got "open'],
    [
      'no call',
      '1  what is this',
      'strace log:1: expected a system call, its resumption, a signal or an exit, got "what',
    ],
    [
      'a resumption of nothing',
      '1  <... read resumed>) = 0',
      'strace log:1: expected the resumption of nothing, got "read"',
    ],
    ['another end', '1  +++ melted +++', 'strace log:1: expected how a thread ended, got'],
  ])('%s', (_, line, message) => {
    expect(() => parse(line)).toThrow(message);
  });
});
