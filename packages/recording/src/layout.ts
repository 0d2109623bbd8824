// SPDX-License-Identifier: MIT
import type { Codec } from './codec.js';
import {
  buffers,
  byteAddress,
  count,
  either,
  flagList,
  listOf,
  nullable,
  oneOf,
  page,
  pageEnd,
  pageOrErrno,
  prot,
  signed,
  text,
  word,
} from './codec.js';
import type { FileInfo, Rec, RecKind, Transfer, Vma } from './format.js';

/** One field of a line and how it is spelled. */
export type Field<R> = { [F in keyof R & string]-?: readonly [name: F, codec: Codec<R[F]>] }[keyof R & string];
type Of<K extends RecKind> = Extract<Rec, { kind: K }>;

const file: Codec<number> = { ...count, what: 'a file id' };
const fileOrNone = nullable(file);
const ofd: Codec<number> = { ...count, what: 'an open file description' };
const space: Codec<number> = { ...count, what: 'an address space id' };
const bytes: Codec<number> = { ...count, what: 'a number of bytes' };
const index: Codec<number> = { ...count, what: 'a page index' };
const pages: Codec<number> = { ...count, what: 'a number of pages' };
const result: Codec<number> = { ...signed, what: 'the result of a system call' };
const tid: Codec<number> = { ...count, what: 'a thread id' };

const transfer: readonly Field<Transfer>[] = [
  ['ofd', ofd],
  ['file', file],
  ['offset', bytes],
  ['length', bytes],
  ['result', result],
  ['buffers', buffers],
];

/**
 * The format, record by record: after `KIND TID START` (and the duration, for records that have an `end`) come these
 * fields, separated by single spaces. The reader, the writer and docs/recording-format.md all follow this table.
 */
export const LAYOUT: { readonly [K in RecKind]: readonly Field<Of<K>>[] } = {
  fork: [
    ['child', tid],
    ['childPid', tid],
    ['space', space],
    ['shares', listOf('vm', 'files', 'thread', 'vfork')],
  ],
  exec: [
    ['file', file],
    ['space', space],
    ['brk', byteAddress],
  ],
  exit: [
    ['code', count],
    ['signal', count],
    ['last', either('last', 'more')],
  ],
  open: [
    ['ofd', ofd],
    ['file', file],
    [
      'flags',
      listOf('read', 'write', 'append', 'create', 'exclusive', 'truncate', 'direct', 'sync', 'dsync', 'tmpfile'),
    ],
    ['size', bytes],
    ['buffers', buffers],
  ],
  close: [['ofd', ofd]],
  read: transfer,
  write: transfer,
  copy: [
    ['call', word],
    ['from', fileOrNone],
    ['fromOffset', bytes],
    ['to', fileOrNone],
    ['toOffset', bytes],
    ['length', bytes],
    ['result', result],
  ],
  truncate: [
    ['file', file],
    ['length', bytes],
    ['result', result],
  ],
  fallocate: [
    ['file', file],
    ['mode', count],
    ['offset', bytes],
    ['length', bytes],
    ['result', result],
  ],
  fsync: [
    ['call', word],
    ['file', fileOrNone],
    ['result', result],
  ],
  fadvise: [
    ['file', file],
    ['offset', bytes],
    ['length', bytes],
    ['advice', word],
    ['result', result],
  ],
  unlink: [
    ['file', file],
    ['last', either('last', 'more')],
    ['result', result],
  ],
  rename: [
    ['file', file],
    ['replaced', fileOrNone],
    ['result', result],
  ],
  mmap: [
    ['page', page],
    ['length', bytes],
    ['prot', prot],
    ['flags', flagList],
    ['file', fileOrNone],
    ['ofd', nullable(ofd)],
    ['offset', bytes],
    ['result', pageOrErrno],
  ],
  munmap: [
    ['page', page],
    ['length', bytes],
    ['result', result],
  ],
  mprotect: [
    ['page', page],
    ['length', bytes],
    ['prot', prot],
    ['result', result],
  ],
  mremap: [
    ['page', page],
    ['oldLength', bytes],
    ['newLength', bytes],
    ['flags', flagList],
    ['to', page],
    ['result', pageOrErrno],
  ],
  brk: [
    ['address', byteAddress],
    ['result', byteAddress],
  ],
  madvise: [
    ['page', page],
    ['length', bytes],
    ['advice', word],
    ['result', result],
  ],
  msync: [
    ['page', page],
    ['length', bytes],
    ['flags', flagList],
    ['result', result],
  ],
  mlock: [
    ['call', oneOf('mlock', 'mlock2', 'munlock', 'mlockall', 'munlockall')],
    ['page', page],
    ['length', bytes],
    ['flags', count],
    ['result', result],
  ],
  sync: [
    ['call', word],
    ['object', word],
    ['result', result],
    ['buffers', buffers],
  ],
  call: [
    ['call', word],
    ['result', result],
    ['buffers', buffers],
  ],
  touch: [
    ['page', page],
    ['access', oneOf('read', 'write', 'exec')],
    ['kernel', either('kernel', 'user')],
    ['present', either('present', 'absent')],
  ],
  added: [
    ['file', file],
    ['index', index],
    ['pages', pages],
  ],
  removed: [
    ['file', file],
    ['index', index],
    ['pages', pages],
  ],
  rss: [
    ['space', space],
    ['member', oneOf('file', 'anon', 'swap', 'shmem')],
    ['pages', pages],
  ],
  'map-around': [
    ['file', file],
    ['first', index],
    ['last', index],
  ],
  'file-fault': [
    ['file', file],
    ['index', index],
  ],
};

/** Records that take time: their lines carry a duration after the start. */
export const SPANNING: ReadonlySet<RecKind> = new Set<RecKind>([
  ...([
    'fork',
    'exec',
    'open',
    'read',
    'write',
    'copy',
    'truncate',
    'fallocate',
    'fsync',
    'fadvise',
    'unlink',
  ] as const),
  ...(['rename', 'mmap', 'munmap', 'mprotect', 'mremap', 'brk', 'madvise', 'msync', 'mlock', 'sync', 'call'] as const),
]);

/** `vma ...`: the lines after an `exec`. */
export const VMA_LAYOUT: readonly Field<Vma>[] = [
  ['from', page],
  ['to', pageEnd],
  ['prot', prot],
  ['shared', either('shared', 'private')],
  ['kind', oneOf('file', 'heap', 'stack', 'vdso', 'vvar', 'anon')],
  ['file', fileOrNone],
  ['index', index],
];

/** `file ...`: the lines after the header, each with its `cached FIRST LAST` lines behind it. */
export const FILE_LAYOUT: readonly Field<Omit<FileInfo, 'cached'>>[] = [
  ['id', file],
  ['kind', oneOf('regular', 'shmem', 'metadata')],
  [
    'device',
    { ...word, what: 'a device as MAJOR:MINOR', read: (token) => (/^\d+:\d+$/.test(token) ? token : undefined) },
  ],
  ['inode', count],
  ['size', bytes],
  ['existed', either('existed', 'created')],
  ['path', text],
];
