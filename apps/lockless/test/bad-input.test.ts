// SPDX-License-Identifier: MIT
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32, gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, test, vi } from 'vitest';
import { emptyFolder, lockless, TRUE } from './terminal.js';

const bundled = gunzipSync(readFileSync(new URL('../../../recordings/git-status.lkr.gz', import.meta.url))).toString();
const lines = bundled.split('\n').slice(0, -2);

/** The recording made of these lines, with an end line that fits. */
function sealed(changed: readonly string[]): string {
  const body = changed.map((line) => `${line}\n`).join('');
  return `${body}end ${changed.length} ${crc32(body).toString(16).padStart(8, '0')}\n`;
}

/** Two records of one thread, the second before the first. Returns the line where that shows. */
function misordered(): { text: string; line: number } {
  const start = (line: string): number => Number(line.split(' ')[2]);
  const isTouch = (line: string): boolean => line.startsWith('touch ');
  const first = lines.findIndex(
    (line, i) => isTouch(line) && isTouch(lines[i + 1] ?? '') && start(line) < start(lines[i + 1]),
  );
  const swapped = lines.with(first, lines[first + 1]).with(first + 1, lines[first]);
  return { text: sealed(swapped), line: first + 2 };
}

/** Runs a file with this content, from its folder. */
async function runFile(content: string | Uint8Array, ...args: string[]) {
  const folder = emptyFolder();
  const file = join(folder, 'bad.lkr.gz');
  writeFileSync(file, content);
  const finished = await lockless('run', file, ...args);
  return { ...finished, message: finished.stderr.replaceAll(`${folder}/`, ''), left: readdirSync(folder) };
}

describe('a recording that is none: exit 3, file and line, no output', () => {
  const cut = gzipSync(bundled);
  const { text, line } = misordered();
  const [header] = lines;
  test.each<[string, string | Uint8Array, string | RegExp]>([
    ['empty', '', 'bad.lkr.gz: expected a recording, got an empty file'],
    [
      'truncated',
      cut.subarray(0, cut.length / 2),
      'bad.lkr.gz: expected a complete gzip stream, got one that is cut short',
    ],
    [
      'truncated between two lines',
      `${lines.slice(0, 900).join('\n')}\n`,
      /^lockless: bad\.lkr\.gz:901: expected an end line \(the recording is cut short\)/,
    ],
    ['truncated within a line', bundled.slice(0, 40_000), /^lockless: bad\.lkr\.gz:\d+: expected .*, got /],
    [
      'binary',
      readFileSync(process.execPath).subarray(0, 5000),
      /^lockless: bad\.lkr\.gz:\d+: expected text in UTF-8, got binary data/,
    ],
    ['text', 'hello\n', 'bad.lkr.gz:1: expected a JSON header with format "lockless-recording", got "hello"'],
    [
      'mis-ordered',
      gzipSync(text),
      new RegExp(
        `^lockless: bad\\.lkr\\.gz:${line}: expected a start of at least \\d+ \\(the record before\\), got \\d+`,
      ),
    ],
    [
      'of another version',
      sealed([header.replace('"version":1', '"version":9'), ...lines.slice(1)]),
      /^lockless: bad\.lkr\.gz:1: expected .*1.* at header\.version, got 9/,
    ],
    [
      'altered',
      bundled.replace(' user ', ' kernel '),
      /^lockless: bad\.lkr\.gz:\d+: expected checksum [0-9a-f]+ \(the recording was altered\)/,
    ],
    [
      'with an unknown record',
      sealed([...lines, 'frobnicate 1 2']),
      new RegExp(`^lockless: bad\\.lkr\\.gz:${lines.length + 1}: expected a record, got "frobnicate 1 2"`),
    ],
  ])('%s', async (_, content, expected) => {
    const { code, stdout, message, left } = await runFile(content, '--json');
    if (typeof expected === 'string') expect(message).toBe(`lockless: ${expected}\n`);
    else expect(message).toMatch(expected);
    expect(message.trimEnd()).not.toContain('\n');
    expect(stdout).toBe('');
    expect(code).toBe(3);
    expect(left).toEqual(['bad.lkr.gz']);
  });

  test('a folder', async () => {
    const { code, stderr, stdout } = await lockless('run', emptyFolder());
    expect(stderr).toMatch(/^lockless: .*: expected a file that can be read, got EISDIR/);
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
  });

  test('leaves no report', async () => {
    const { code, left } = await runFile('', '--report', join(emptyFolder(), 'x.html'));
    expect(code).toBe(3);
    expect(left).toEqual(['bad.lkr.gz']);
  });
});

describe('wrong usage: exit 2, what was expected, no output', () => {
  test.each<[string[], string]>([
    [
      ['run', TRUE, '--memory', '12XB'],
      'expected a size such as 64M, 1G or 8192K, or a share of the footprint such as 25%, got "12XB"',
    ],
    [['run', TRUE, '--memory', '0%'], 'expected more than 0%'],
    [['run', TRUE, '--memory', '10K'], 'expected at least 1M, got "10K"'],
    [['run', TRUE, '--memory', '999G'], 'expected at most 2G, got "999G"'],
    [['run', TRUE, '--memory', ''], 'expected a size such as'],
    [['run', TRUE, '--memory', '1%'], 'pages; at least 256 are needed'],
    [
      ['run', TRUE, '--inject', 'x=2'],
      'expected KIND=RATE with KIND one of enomem, eio, enospc, signal, for example enomem=1%, got "x=2"',
    ],
    [['run', TRUE, '--inject', 'eio=2'], 'expected a rate from 0 to 1 (or 0% to 100%), got "eio=2"'],
    [['run', TRUE, '--inject', 'eio'], 'expected KIND=RATE'],
    [['run', TRUE, '--inject', 'eio=-1'], 'expected KIND=RATE'],
    [['run', TRUE, '--cpus', '0'], 'expected a whole number from 1 to 64, got "0"'],
    [['run', TRUE, '--cpus', '65'], 'expected a whole number from 1 to 64, got "65"'],
    [['run', TRUE, '--cpus', '2.5'], 'expected a whole number from 1 to 64, got "2.5"'],
    [['run', TRUE, '--cpus', '0x10'], 'expected a whole number from 1 to 64, got "0x10"'],
    [['run', TRUE, '--seed', '-1'], 'expected a whole number from 0 to 4294967295, got "-1"'],
    [['run', TRUE, '--limit', '0'], 'expected a whole number from 1 to 2147483648, got "0"'],
    [['run', TRUE, '--neighbours', 'many'], 'expected a whole number from 0 to 64, got "many"'],
    [['run', TRUE, '--model', 'arm'], 'Allowed choices are sc, tso, weak'],
    [
      ['run', TRUE, '--without', 'nothing'],
      'no guard "nothing": expected one of addToPageCache.mappingBeforePublish, ',
    ],
    [['run', TRUE, '--frobnicate'], "unknown option '--frobnicate'"],
    [['run', TRUE, '--cpu', '2'], '(Did you mean --cpus?)'],
    [['run', TRUE, '--cpus'], "option '--cpus <n>' argument missing"],
    [['run', TRUE, TRUE], "too many arguments for 'run'"],
    [
      ['run', 'no-such'],
      'no recording "no-such": expected a file or one of gcc-hello, git-status, python-start, sqlite-threads',
    ],
    [['rum'], "unknown command 'rum'"],
    [['record'], "missing required argument 'command'"],
    [['bench', 'disk'], 'Allowed choices are simulator, checker, native, pagecache, rmap'],
    [[], 'Usage: lockless'],
  ])('%j', async (args, message) => {
    const { code, stdout, stderr } = await lockless(...args);
    expect(stderr).toContain(message);
    expect(stderr).not.toContain('    at ');
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  });
});

describe('a report that cannot be written: exit 2 before the run, nothing left behind', () => {
  const refused = async (path: string): Promise<string> => {
    const { code, stdout, stderr } = await lockless('run', TRUE, '--report', path);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).not.toContain('tmp"');
    expect(stderr).not.toMatch(/[0-9a-f]{8}\.tmp/);
    return stderr;
  };

  test('in a folder that is not there', async () => {
    expect(await refused('/nonexistent/x.html')).toBe(
      'lockless: --report /nonexistent/x.html: cannot be written: no such file or directory\n',
    );
  });

  test('a folder', async () => {
    const folder = emptyFolder();
    expect(await refused(folder)).toBe(`lockless: --report ${folder}: cannot be written: it is a directory\n`);
    expect(await refused(`${folder}/x/`)).toContain('it is not the name of a file');
    expect(readdirSync(folder)).toEqual([]);
  });

  test('below a file', async () => {
    const file = join(emptyFolder(), 'file');
    writeFileSync(file, 'mine');
    expect(await refused(join(file, 'x.html'))).toContain('not a directory');
    expect(readFileSync(file, 'utf8')).toBe('mine');
  });

  test.skipIf(process.platform !== 'linux')('on a file system that takes no files, as root too', async () => {
    expect(await refused('/proc/self/x.html')).toMatch(
      /cannot be written: (no such file or directory|permission denied)/,
    );
  });

  test('by way of links that go round', async () => {
    const folder = emptyFolder();
    symlinkSync(join(folder, 'a'), join(folder, 'b'));
    symlinkSync(join(folder, 'b'), join(folder, 'a'));
    expect(await refused(join(folder, 'a'))).toContain('too many symbolic links');
  });
});

describe('record', () => {
  test('a user who is not root is told so', async () => {
    const getuid = vi.spyOn(process, 'getuid').mockReturnValue(1000);
    const output = join(emptyFolder(), 'x.lkr.gz');
    const { code, stdout, stderr } = await lockless('record', '-o', output, '--', 'true');
    getuid.mockRestore();
    expect(stderr).toBe('lockless: recording needs root: it traces the kernel and empties the page cache\n');
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  });

  test('an output that cannot be written is refused before the program runs', async () => {
    const folder = emptyFolder();
    mkdirSync(join(folder, 'sub'));
    for (const output of ['/nonexistent/x.lkr.gz', join(folder, 'sub'), '/dev/null']) {
      const { code, stdout, stderr } = await lockless('record', '-o', output, '--', 'touch', join(folder, 'ran'));
      expect(stderr).toMatch(new RegExp(`^lockless: ${output} cannot be written: .*\\n$`));
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    }
    expect(readdirSync(folder)).toEqual(['sub']);
  });
});
