// SPDX-License-Identifier: MIT
import { statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { describe, expect, test } from 'vitest';
import type { Rec } from '../src/index.js';
import { Assembly } from '../src/recorder/assembly.js';
import type { Before } from '../src/recorder/files.js';
import { deviceName, FileTable } from '../src/recorder/files.js';
import type { Assembled } from '../src/recorder/finish.js';
import { finishAssembly } from '../src/recorder/finish.js';
import { StraceParser } from '../src/recorder/strace-log.js';
import { parseTraceLine } from '../src/recorder/trace-events.js';

const directory = `${tmpdir()}`;
const device = deviceName(statSync(directory).dev);
const hex = (text: string): string =>
  [...Buffer.from(text)].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('');
const PROGRAM = `${directory}/lockless-no-such-program`;
const BEFORE = new Map<string, Before>([
  [PROGRAM, { device, inode: 1_000_001, size: 4096, cached: [] }],
  [`${directory}/lockless-old`, { device, inode: 1_000_002, size: 99, cached: [[0, 0]] }],
]);

interface Script {
  /** Bodies of trace lines, one microsecond apart. */
  trace: string[];
  strace?: string[];
}

const [major, minor] = device.split(':').map(Number);
const EXEC = [
  'sys_enter: NR 59 (1, 2, 3, 0, 0, 0)',
  'sched_prepare_exec: x',
  'sched_process_exec: filename=x pid=7 old_pid=7',
  'sys_exit: NR 59 = 0',
];
const EXIT = ['sys_enter: NR 231 (0, 0, 0, 0, 0, 0)', 'sched_process_exit: comm=p pid=7 prio=120 group_dead=true'];

/** What one process does between its exec and its exit. */
function assemble({ trace, strace = [] }: Script): Assembled {
  const parser = new StraceParser();
  for (const line of ['execve(1, 2, 3) = 0', ...strace]) parser.push(`7  ${line}`);
  const image = {
    maps: `400000-402000 r-xp 00000000 ${major.toString(16)}:${minor.toString(16)} 1000001 ${PROGRAM}\n`,
    program: PROGRAM,
    brk: 0x602000,
  };
  const files = new FileTable(BEFORE, Date.now());
  const log = parser.finish();
  const assembly = new Assembly({
    rootTid: 7,
    cwd: directory,
    files,
    strace: log,
    images: new Map([[7, [image]]]),
    inherited: [],
  });
  [...EXEC, ...trace, ...EXIT].forEach((body, i) => {
    const event = parseTraceLine(`p-7 [000] ..... 1.${String(i).padStart(6, '0')}: ${body}`);
    if (event) assembly.push(event);
  });
  return finishAssembly(assembly, files, log);
}

const call = (nr: number, result: number, ...args: number[]): string[] => [
  `sys_enter: NR ${nr} (${[...args, 0, 0, 0, 0, 0, 0]
    .slice(0, 6)
    .map((arg) => arg.toString(16))
    .join(', ')})`,
  `sys_exit: NR ${nr} = ${result}`,
];
const opened = (name: string, fd: number): string =>
  `openat(AT_FDCWD<${hex(directory)}>, "${hex(name)}", O_RDWR) = ${fd}<${hex(`${directory}/${name}`)}>`;
const openat = (fd: number, flags: number): string[] => call(257, fd, 0xffffff9c, 0x1000, flags);
const added = (inode: number, index: number): string =>
  `mm_filemap_add_to_page_cache: dev ${device} ino ${inode.toString(16)} pfn=0x1 ofs=${index * 4096} order=0`;
const RDWR_CREAT = 0o102;
const ofKind = <K extends Rec['kind']>({ records }: Assembled, kind: K): Extract<Rec, { kind: K }>[] =>
  records.filter((record): record is Extract<Rec, { kind: K }> => record.kind === kind);

describe('offsets', () => {
  test('follow reads, writes, lseek and dup; pread leaves them alone', () => {
    const made = assemble({
      strace: [opened('a', 3)],
      trace: [
        ...openat(3, RDWR_CREAT),
        ...call(1, 100, 3, 0x5000, 100),
        ...call(32, 4, 3),
        ...call(1, 10, 4, 0x5000, 10),
        ...call(17, 20, 3, 0x5000, 20, 4096),
        ...call(8, 50, 3, 50, 0),
        ...call(0, 60, 4, 0x5000, 100),
      ],
    });
    expect(ofKind(made, 'write').map(({ offset }) => offset)).toEqual([0, 100]);
    expect(ofKind(made, 'read').map(({ offset, result }) => [offset, result])).toEqual([
      [4096, 20],
      [50, 60],
    ]);
    expect(new Set([...ofKind(made, 'read'), ...ofKind(made, 'write')].map(({ ofd }) => ofd))).toEqual(new Set([0]));
  });

  test('of appending writes are the end of the file, whoever made it longer', () => {
    const made = assemble({
      strace: [opened('a', 3), opened('a', 4)],
      trace: [
        ...openat(3, RDWR_CREAT | 0o2000),
        ...openat(4, 2),
        ...call(18, 10, 4, 0x5000, 10, 5000),
        ...call(1, 7, 3, 0x5000, 7),
        ...call(77, 0, 4, 100),
        ...call(1, 7, 3, 0x5000, 7),
      ],
    });
    expect(ofKind(made, 'write').map(({ offset }) => offset)).toEqual([5000, 5010, 100]);
  });
});

describe('descriptions', () => {
  test('close only when the last descriptor goes, and at the exit', () => {
    const made = assemble({
      strace: [opened('a', 3), opened('b', 5)],
      trace: [
        ...openat(3, RDWR_CREAT),
        ...call(33, 4, 3, 4),
        ...call(3, 0, 3),
        ...openat(5, RDWR_CREAT),
        ...call(3, 0, 4),
      ],
    });
    const closes = ofKind(made, 'close');
    expect(closes.map(({ ofd }) => ofd)).toEqual([0, 1]);
    expect(closes[1].start).toBe(ofKind(made, 'exit')[0].start);
  });

  test('what no open was seen for is not a file', () => {
    const made = assemble({ trace: call(0, 5, 9, 0x5004, 100) });
    expect(ofKind(made, 'sync')).toMatchObject([
      { call: 'read', object: 'fd', result: 5, buffers: [{ page: 5, offset: 4, length: 100 }] },
    ]);
  });
});

describe('inodes of files that come and go', () => {
  test('are learnt from what is added while the file is written, and may be used again', () => {
    const made = assemble({
      strace: [opened('a', 3), `unlink("${hex(`${directory}/a`)}") = 0`, opened('b', 3)],
      trace: [
        ...openat(3, RDWR_CREAT),
        call(1, 10, 3, 0x5000, 10)[0],
        added(4242, 0),
        call(1, 10, 3, 0x5000, 10)[1],
        ...call(87, 0, 0x1000),
        ...call(3, 0, 3),
        ...openat(3, RDWR_CREAT),
        call(1, 10, 3, 0x5000, 10)[0],
        added(4242, 0),
        call(1, 10, 3, 0x5000, 10)[1],
      ],
    });
    const names = ofKind(made, 'added').map(({ file }) => made.files[file].path);
    expect(names).toEqual([`${directory}/a`, `${directory}/b`]);
    expect(ofKind(made, 'unlink')).toMatchObject([{ last: true, result: 0 }]);
  });

  test('are learnt from faults on a mapping', () => {
    const made = assemble({
      strace: [opened('a', 3)],
      trace: [
        ...openat(3, RDWR_CREAT),
        ...call(9, 0x7f0000000000, 0, 8192, 3, 1, 3, 0),
        'page_fault_user: address=0x7f0000001000 ip=0x1 error_code=0x6',
        added(4243, 1),
      ],
    });
    expect(ofKind(made, 'added').map(({ file }) => made.files[file].path)).toEqual([`${directory}/a`]);
  });

  test('are of the filesystem of the nearest directory that is still there', () => {
    const made = assemble({
      strace: [opened('lockless-gone/deep/a', 3)],
      trace: [...openat(3, RDWR_CREAT), call(1, 10, 3, 0x5000, 10)[0], added(4244, 0), call(1, 10, 3, 0x5000, 10)[1]],
    });
    expect(made.files.at(-1)).toMatchObject({ path: `${directory}/lockless-gone/deep/a`, inode: 4244, existed: false });
  });

  test('that nothing explains are metadata', () => {
    const made = assemble({ trace: [added(99, 3)] });
    expect(ofKind(made, 'added').map(({ file }) => made.files[file])).toMatchObject([
      { kind: 'metadata', inode: 99, path: '' },
    ]);
  });
});

test('a name that is removed or taken over leads to another file from then on', () => {
  const at = (name: string): string => `"${hex(`${directory}/${name}`)}"`;
  const made = assemble({
    strace: [
      opened('lockless-old', 3),
      `unlink(${at('lockless-old')}) = 0`,
      opened('lockless-old', 4),
      opened('b', 5),
      `rename(${at('b')}, ${at('lockless-old')}) = 0`,
      opened('lockless-old', 6),
    ],
    trace: [
      ...openat(3, 2),
      ...call(87, 0, 0x1000),
      ...openat(4, RDWR_CREAT),
      ...openat(5, RDWR_CREAT),
      ...call(82, 0, 0x1000, 0x2000),
      ...openat(6, 2),
    ],
  });
  const [old, anew, b, last] = ofKind(made, 'open').map(({ file }) => file);
  expect(made.files[old]).toMatchObject({ existed: true, inode: 1_000_002, size: 99 });
  expect(made.files[anew]).toMatchObject({ existed: false, path: `${directory}/lockless-old` });
  expect(anew).not.toBe(old);
  expect(ofKind(made, 'rename')).toMatchObject([{ file: b, replaced: anew }]);
  expect(last).toBe(b);
});

test('counters go to the space that the thread is about, though the kernel uses a name again', () => {
  const rss = (mm: number, current: number, pages: number): string =>
    `rss_stat: mm_id=${mm} curr=${current} type=MM_ANONPAGES size=${pages * 4096}B`;
  const made = assemble({
    trace: [
      rss(1, 1, 5),
      'sys_enter: NR 56 (0, 0, 0, 0, 0, 0)',
      rss(2, 0, 5),
      'task_newtask: pid=8 comm=p clone_flags=1200011 oom_score_adj=0',
      'sys_exit: NR 56 = 8',
      rss(1, 1, 6),
    ],
  });
  expect(ofKind(made, 'rss').map(({ space, pages }) => [space, pages])).toEqual([
    [0, 5],
    [1, 5],
    [0, 6],
  ]);
  expect(made.spaces.map(({ born, rssAtEnd }) => [born, rssAtEnd?.anon])).toEqual([
    ['exec', 6],
    ['fork', undefined],
  ]);
});

test('what interrupts a call inside the kernel is EINTR to the program', () => {
  const made = assemble({ trace: call(202, -512, 0x7000, 0) });
  expect(ofKind(made, 'sync')).toMatchObject([{ call: 'futex', object: 'futex:7000', result: -4 }]);
});

test('calls that are not followed are warned of', () => {
  expect(assemble({ trace: [...call(425, 3, 8, 0x1000), ...call(425, 3, 8, 0x1000)] }).warnings).toEqual([
    'io_uring_setup is not followed (called 2 times)',
  ]);
});

test('a call that only one of strace and tracefs saw is an error', () => {
  expect(() => assemble({ strace: [opened('a', 3)], trace: call(87, 0, 0x1000) })).toThrow(
    'call 2 of thread 7: tracefs says unlink, strace says openat',
  );
  expect(() => assemble({ trace: call(87, 0, 0x1000) })).toThrow('tracefs says unlink, strace says nothing');
});
