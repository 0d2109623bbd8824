// SPDX-License-Identifier: MIT
import fc from 'fast-check';
import type { Exec, FileInfo, Header, Rec, Recording, SpaceInfo, UserBuffer, Vma } from '../src/index.js';

const MACHINE: Header['machine'] = {
  kernel: '6.18.0',
  arch: 'x86_64',
  pageSize: 4096,
  cpus: 2,
  memory: 2 ** 34,
  swap: 0,
  readAheadKb: { '254:0': 128 },
  faultAroundBytes: 65536,
  transparentHugepage: 'madvise',
  transparentHugepageShmem: 'never',
  overcommit: 0,
};

const FILE: FileInfo = {
  id: 0,
  kind: 'regular',
  device: '254:0',
  inode: 12,
  size: 8192,
  existed: true,
  path: '/bin/a program',
  cached: [[0, 1]],
};
const VMA: Vma = { from: 0x400, to: 0x402, prot: 'r-x', shared: false, kind: 'file', file: 0, index: 0 };
const STACK: Vma = { from: 2 ** 35 - 2, to: 2 ** 35, prot: 'rw-', shared: false, kind: 'stack', file: null, index: 0 };
const EXEC: Exec = { kind: 'exec', tid: 7, start: 0, end: 3, file: 0, space: 0, brk: 0x602000, maps: [VMA, STACK] };

/** A small recording: one thread, with these records between its exec and its exit. */
export function sample(...between: Rec[]): Recording {
  const end = between.reduce((latest, record) => Math.max(latest, 'end' in record ? record.end : record.start), 9);
  const threads = [{ tid: 7, pid: 7, comm: 'a program', start: 0, end }];
  const spaces: SpaceInfo[] = [
    { id: 0, pid: 7, born: 'exec', start: 0, end, rssAtEnd: { file: 1, anon: 2, swap: 0, shmem: 0 } },
  ];
  return {
    header: {
      format: 'lockless-recording',
      version: 1,
      command: ['a program', '--with "quotes" and\nnewlines'],
      machine: MACHINE,
      droppedCaches: true,
      duration: end,
      threads,
      spaces,
      warnings: [],
    },
    files: [{ ...FILE, cached: [[0, 1]] }],
    records: [
      { ...EXEC, maps: [VMA, STACK] },
      ...between,
      { kind: 'exit', tid: 7, start: end, code: 0, signal: 0, last: true },
    ],
  };
}

const page = fc.integer({ min: 0, max: 2 ** 34 });
const bytes = fc.oneof(fc.nat(), fc.maxSafeNat());
const errno = fc.integer({ min: -133, max: -1 });
const pageResult = fc.oneof(page, errno);
const result = fc.oneof(fc.constant(0), fc.nat(), errno);
const length = fc.nat({ max: 2 ** 30 });
const prot = fc.constantFrom('---', 'r--', 'rw-', 'rwx', 'r-x', '-w-');
const buffer: fc.Arbitrary<UserBuffer> = fc.record({ page, offset: fc.nat({ max: 4095 }), length });
const buffers = fc.array(buffer, { maxLength: 3 });
const flags = fc.uniqueArray(fc.constantFrom('private', 'shared', 'fixed', 'anonymous', '0x40'), { maxLength: 3 });
const word = fc.constantFrom('futex', 'poll', 'wait4', 'newfstatat');
const anyFile = fc.constant(0);

/** For each kind, arbitrary fields beyond tid, start and end; file 0 and space 0 exist, description 0 is open. */
const FIELDS = {
  read: fc.record({ ofd: fc.constant(0), file: anyFile, offset: bytes, length, result: errno, buffers }),
  write: fc.record({ ofd: fc.constant(0), file: anyFile, offset: bytes, length, result: fc.constant(0), buffers }),
  copy: fc.record({
    call: word,
    from: fc.option(anyFile),
    fromOffset: bytes,
    to: fc.option(anyFile),
    toOffset: bytes,
    length: bytes,
    result,
  }),
  truncate: fc.record({ file: anyFile, length: bytes, result }),
  fallocate: fc.record({ file: anyFile, mode: fc.nat(), offset: bytes, length: bytes, result }),
  fsync: fc.record({ call: word, file: fc.option(anyFile), result }),
  fadvise: fc.record({ file: anyFile, offset: bytes, length: bytes, advice: word, result }),
  unlink: fc.record({ file: anyFile, last: fc.boolean(), result }),
  rename: fc.record({ file: anyFile, replaced: fc.option(anyFile), result }),
  mmap: fc.record({
    page,
    length,
    prot,
    flags,
    file: fc.constant(null),
    ofd: fc.constant(null),
    offset: bytes,
    result: pageResult,
  }),
  munmap: fc.record({ page, length, result }),
  mprotect: fc.record({ page, length, prot, result }),
  mremap: fc.record({ page, oldLength: length, newLength: length, flags, to: page, result: pageResult }),
  brk: fc.record({ address: bytes.map((n) => n % 2 ** 47), result: bytes.map((n) => n % 2 ** 47) }),
  madvise: fc.record({ page, length: bytes, advice: word, result }),
  msync: fc.record({ page, length: bytes, flags, result }),
  mlock: fc.record({
    call: fc.constantFrom('mlock', 'mlock2', 'munlock', 'mlockall', 'munlockall'),
    page,
    length: bytes,
    flags: fc.nat(),
    result,
  }),
  sync: fc.record({
    call: word,
    object: fc.constantFrom('-', 'fd', 'pipe:3', 'futex:7ff0', 'child:8'),
    result,
    buffers,
  }),
  call: fc.record({ call: word, result, buffers }),
  touch: fc.record({
    page,
    access: fc.constantFrom('read', 'write', 'exec'),
    kernel: fc.boolean(),
    present: fc.boolean(),
  }),
  added: fc.record({ file: anyFile, index: fc.nat(), pages: fc.integer({ min: 1, max: 512 }) }),
  removed: fc.record({ file: anyFile, index: fc.nat(), pages: fc.integer({ min: 1, max: 512 }) }),
  rss: fc.record({ space: fc.constant(0), member: fc.constantFrom('file', 'anon', 'swap', 'shmem'), pages: fc.nat() }),
  'map-around': fc
    .nat()
    .chain((first) => fc.record({ file: anyFile, first: fc.constant(first), last: fc.constant(first + 15) })),
  'file-fault': fc.record({ file: anyFile, index: fc.nat() }),
};
const INSTANT = new Set(['touch', 'added', 'removed', 'rss', 'map-around', 'file-fault']);

const step = fc.oneof(
  ...Object.entries(FIELDS).map(([kind, fields]) =>
    fc.record({
      kind: fc.constant(kind),
      fields: fields as fc.Arbitrary<object>,
      after: fc.nat({ max: 50 }),
      takes: fc.nat({ max: 50 }),
    }),
  ),
);

/** Recordings with every kind of record in any order, between the open and the close of one file. */
export const anyRecording: fc.Arbitrary<Recording> = fc.array(step, { maxLength: 30 }).map((steps) => {
  const opened: Rec = {
    kind: 'open',
    tid: 7,
    start: 0,
    end: 1,
    ofd: 0,
    file: 0,
    flags: ['read', 'write'],
    size: 8192,
    buffers: [],
  };
  let start = 0;
  const records = steps.map(({ kind, fields, after, takes }) => {
    start += after;
    const end = INSTANT.has(kind) ? {} : { end: start + takes };
    return { kind, tid: 7, start, ...end, ...fields } as Rec;
  });
  return inTime(sample(opened, ...records, { kind: 'close', tid: 7, start, ofd: 0 }));
});

/** The exit is last in order, and a call may end after it began; so the exit's time is that of the last start. */
function inTime(recording: Recording): Recording {
  const { records } = recording;
  const exit = records[records.length - 1];
  exit.start = Math.max(exit.start, records[records.length - 2].start);
  return recording;
}

/** A family: a fork with its own copy, a vfork child that execs, a thread. */
export function family(): Recording {
  const recording = sample(
    { kind: 'fork', tid: 7, start: 10, end: 20, child: 8, childPid: 8, space: 1, shares: [] },
    { kind: 'rss', tid: 7, start: 12, space: 1, member: 'anon', pages: 3 },
    { kind: 'fork', tid: 7, start: 21, end: 60, child: 9, childPid: 9, space: 0, shares: ['vm', 'vfork'] },
    { ...EXEC, tid: 9, start: 30, end: 50, space: 2 },
    { kind: 'fork', tid: 7, start: 61, end: 62, child: 10, childPid: 7, space: 0, shares: ['vm', 'files', 'thread'] },
    { kind: 'touch', tid: 10, start: 63, page: 0x401, access: 'read', kernel: false, present: false },
    { kind: 'exit', tid: 10, start: 64, code: 0, signal: 0, last: false },
    { kind: 'exit', tid: 9, start: 65, code: 3, signal: 0, last: true },
    { kind: 'exit', tid: 8, start: 66, code: 0, signal: 9, last: true },
    { kind: 'rss', tid: 8, start: 67, space: 1, member: 'anon', pages: 0 },
  );
  const { header } = recording;
  const spans = { start: 12, end: 66 };
  header.threads.push(
    { tid: 8, pid: 8, comm: 'child', ...spans },
    { tid: 9, pid: 9, comm: 'other', ...spans },
    { tid: 10, pid: 7, comm: 'thread', ...spans },
  );
  header.spaces.push(
    { id: 1, pid: 8, born: 'fork', ...spans, rssAtEnd: null },
    { id: 2, pid: 9, born: 'exec', ...spans, rssAtEnd: { file: 0, anon: 0, swap: 0, shmem: 0 } },
  );
  return recording;
}
