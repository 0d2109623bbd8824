// SPDX-License-Identifier: MIT
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { Rec, Recording } from '../src/index.js';
import { formatRecording, RecordingError, readRecording } from '../src/index.js';
import { endLine } from '../src/writer.js';
import { family, sample } from './sample.js';

function messageOf(data: string | Uint8Array): string {
  try {
    readRecording(Buffer.from(data as string), 'bad.lkr');
  } catch (error) {
    if (error instanceof RecordingError) return error.message;
    throw error;
  }
  return 'no error';
}

/** The message for the text of `recording` after an edit, the end line put right again. */
function edited(recording: Recording, from: string | RegExp, to: string): string {
  const body = formatRecording(recording).split('\n').slice(0, -2).join('\n');
  const changed = `${body.replace(from, to)}\n`;
  expect(changed).not.toBe(`${body}\n`);
  return messageOf(`${changed}${endLine(changed)}\n`);
}

const touch: Rec = { kind: 'touch', tid: 7, start: 5, page: 0x401, access: 'read', kernel: false, present: false };
const munmap: Rec = { kind: 'munmap', tid: 7, start: 6, end: 6, page: 0x400, length: 4096, result: 0 };

describe('files that are no recordings', () => {
  test.each([
    ['empty', '', 'bad.lkr: expected a recording, got an empty file'],
    [
      'an empty gzip',
      gzipSync(''),
      'bad.lkr:1: expected an end line (the recording is cut short), got the end of the file',
    ],
    ['text', 'hello\n', 'bad.lkr:1: expected a JSON header with format "lockless-recording", got "hello"'],
    ['binary', Buffer.from([0x7f, 0x45, 0x0a, 0xff, 0xfe]), 'bad.lkr:2: expected text in UTF-8, got binary data'],
    ['other JSON', '{"format":"x"}\n', 'bad.lkr:1: expected "lockless-recording" at header.format, got "x"'],
    [
      'damaged gzip',
      Buffer.from([0x1f, 0x8b, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
      'bad.lkr: expected a gzip stream, got a damaged one (unknown compression method)',
    ],
    [
      'cut gzip',
      gzipSync(formatRecording(sample())).subarray(0, 60),
      'bad.lkr: expected a complete gzip stream, got one that is cut short',
    ],
  ])('%s', (_, data, message) => {
    expect(messageOf(data)).toBe(message);
  });

  test('a missing file', () => {
    expect(() => readRecording('/nonexistent/x.lkr')).toThrow(
      /^\/nonexistent\/x\.lkr: expected a file that can be read, got ENOENT/,
    );
  });

  test.each([
    ['another version', '"version":1', '"version":2', 'expected 1 at header.version, got 2'],
    [
      'an unknown field of the header',
      '"overcommit":0',
      '"overcommit":0,"x":1',
      'expected no such field at header.machine.x, got 1',
    ],
    [
      'a header field of the wrong type',
      '"pid":7',
      '"pid":-7',
      'expected a whole number at header.threads[0].pid, got -7',
    ],
  ])('%s', (_, from, to, message) => {
    expect(edited(sample(), from, to)).toBe(`bad.lkr:1: ${message}`);
  });
});

describe('lines that are no records', () => {
  test.each<[string, string | RegExp, string, string]>([
    ['an unknown kind', 'touch 7', 'touched 7', '7: expected a record, got "touched 7 5 401 read user absent"'],
    [
      'a prototype name',
      'touch 7',
      'constructor 7',
      '7: expected a record, got "constructor 7 5 401 read user absent"',
    ],
    ['a missing field', ' absent', '', '7: expected present: present | absent, got the end of the line'],
    ['a field too many', ' absent', ' absent 1', '7: expected the end of the line, got "1"'],
    ['a wrong word', ' read user', ' look user', '7: expected access: read | write | exec, got "look"'],
    ['a negative size', ' 4096 0', ' -4096 0', '8: expected length: a number of bytes, got "-4096"'],
    ['a negative time', 'touch 7 5', 'touch 7 -5', '7: expected start: a whole number, got "-5"'],
    ['a leading zero', 'touch 7 5', 'touch 7 05', '7: expected start: a whole number, got "05"'],
    [
      'a page beyond user addresses',
      '401 read',
      '800000000 read',
      '7: expected page: a page number in hexadecimal, below 800000000, got "800000000"',
    ],
    ['a file record too late', 'touch 7 5', 'file 1 regular\ntouch 7 5', '7: expected a record, got "file 1 regular"'],
    [
      'a vma elsewhere',
      'touch 7 5',
      'touch 7 5 401 read user absent\nvma 1 2\ntouch 7 5',
      '8: expected vma lines only after an exec, got "vma 1 2"',
    ],
    [
      'a path that is no JSON',
      '"/bin/a program"',
      '/bin/a program',
      '2: expected path: a JSON string, got "/bin/a program"',
    ],
    ['cached pages out of order', 'cached 0 1', 'cached 0 1\ncached 2 3', '4: expected a first page above 2, got 2'],
    ['cached pages backwards', 'cached 0 1', 'cached 3 1', '3: expected a last page of at least 3, got 1'],
    ['file ids not in order', 'file 0 ', 'file 1 ', '2: expected file id 0, got 1'],
  ])('%s', (_, from, to, message) => {
    expect(edited(sample(touch, munmap), from, to)).toBe(`bad.lkr:${message}`);
  });
});

describe('records that cannot be', () => {
  const withRecord = (record: Rec): string => messageOf(formatRecording(sample(touch, record)));
  const bad: [string, Rec, string][] = [
    ['time backwards', { ...touch, start: 4 }, 'expected a start of at least 5 (the record before), got 4'],
    ['an unborn thread', { ...touch, tid: 8 }, 'expected a thread that was born before, got thread 8'],
    [
      'an unknown file',
      { kind: 'added', tid: 7, start: 6, file: 1, index: 0, pages: 1 },
      'expected a file id below 1, got 1',
    ],
    ['no pages', { kind: 'added', tid: 7, start: 6, file: 0, index: 0, pages: 0 }, 'expected at least one page, got 0'],
    [
      'an unknown space',
      { kind: 'rss', tid: 7, start: 6, space: 1, member: 'anon', pages: 1 },
      'expected a space id below 1, got 1',
    ],
    [
      'a closed description',
      { kind: 'close', tid: 7, start: 6, ofd: 3 },
      'expected a description that is open, got description 3',
    ],
    [
      'an unmapped end',
      { ...munmap, page: 2 ** 35 - 1, length: 8192 },
      'expected a range below the end of user addresses, got one that ends at page 800000001',
    ],
    [
      'a child not in the header',
      { kind: 'fork', tid: 7, start: 6, end: 7, child: 8, childPid: 8, space: 1, shares: [] },
      'expected a child that the header lists, got thread 8',
    ],
    [
      'map-around backwards',
      { kind: 'map-around', tid: 7, start: 6, file: 0, first: 4, last: 3 },
      'expected a last index of at least 4, got 3',
    ],
  ];
  test.each(bad)('%s', (_, record, message) => {
    expect(withRecord(record)).toBe(`bad.lkr:8: ${message}`);
  });

  test('anything but the first exec first', () => {
    const recording = sample(touch);
    recording.records.shift();
    expect(messageOf(formatRecording(recording))).toBe(
      'bad.lkr:4: expected the exec of thread 7 as the first record, got touch of thread 7',
    );
  });

  test('an event after the exit, unless it is the kernel clearing up', () => {
    const recording = sample(touch);
    recording.records.push({ kind: 'rss', tid: 7, start: 9, space: 0, member: 'anon', pages: 0 });
    expect(messageOf(formatRecording(recording))).toBe('no error');
    recording.records.push({ ...touch, start: 9 });
    expect(messageOf(formatRecording(recording))).toBe(
      'bad.lkr:10: expected no touch of thread 7 after its exit, got touch',
    );
  });

  test('a file under another description', () => {
    const recording = sample(
      { kind: 'open', tid: 7, start: 1, end: 1, ofd: 0, file: 0, flags: ['read'], size: 1, buffers: [] },
      { kind: 'read', tid: 7, start: 2, end: 2, ofd: 0, file: 1, offset: 0, length: 1, result: 1, buffers: [] },
    );
    recording.files.push({ ...recording.files[0], id: 1, cached: [] });
    expect(messageOf(formatRecording(recording))).toBe(
      'bad.lkr:9: expected file 0 (description 0 was opened on it), got file 1',
    );
  });

  test.each([
    [
      'maps that overlap',
      sample(),
      'vma 7fffffffe',
      'vma 401',
      '6: expected a vma that starts at 402 or above, got 401',
    ],
    [
      'a copy of the address space under a known id',
      family(),
      'fork 7 10 10 8 8 1',
      'fork 7 10 10 8 8 0',
      '7: expected address space 1, got 0',
    ],
  ])('%s', (_, recording, from, to, message) => {
    expect(edited(recording, from, to)).toBe(`bad.lkr:${message}`);
  });

  test('a thread that the header promises and the records lack', () => {
    const recording = sample();
    recording.header.threads.push({ tid: 8, pid: 8, comm: 'x', start: 0, end: 0 });
    expect(messageOf(formatRecording(recording))).toBe(
      'bad.lkr:8: expected records of thread 8 (it is in the header), got none',
    );
  });

  test('a line changed behind the checksum', () => {
    const text = formatRecording(sample(touch)).replace('401 read', '400 read');
    expect(messageOf(text)).toMatch(
      /^bad\.lkr:9: expected checksum [0-9a-f]{8} \(the recording was altered\), got "[0-9a-f]{8}"$/,
    );
  });
});
