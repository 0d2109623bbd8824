// SPDX-License-Identifier: MIT
import { isAbsolute, join } from 'node:path';
import type { Rec, UserBuffer } from '../format.js';
import { length, userBuffer } from './buffers.js';
import { canonical } from './files.js';
import { O_CLOEXEC, O_CREAT, O_TMPFILE, O_TRUNC, openFlags } from './flags.js';
import { decorationsOf, splitArgs, stringsOf } from './strace-log.js';
import type { CallContext, Translate } from './tasks.js';

/** The string arguments as user memory. `pointers`: which arguments they are, in order. */
function pathBuffers(call: CallContext, pointers: number[]): UserBuffer[] {
  const strings = call.strace ? stringsOf(call.strace) : [];
  return pointers.flatMap((at, i) => userBuffer(call.args.at(at), Buffer.byteLength(strings[i] ?? '') + 1));
}

/** The n-th path of a call, absolute. `argument` is where it stands; the one before it is the directory, for the *at calls. */
function pathAt(call: CallContext, argument: number, n: number): string {
  if (!call.strace) return '';
  const path = stringsOf(call.strace)[n] ?? '';
  if (isAbsolute(path)) return canonical(path);
  const directory =
    argument > 0 && call.name.includes('at') ? decorationsOf(splitArgs(call.strace)[argument - 1] ?? '')[0] : undefined;
  return canonical(join(directory ?? call.thread.cwd.path, path));
}

function generic(call: CallContext, buffers: UserBuffer[]): Rec[] {
  return [{ kind: 'call', ...call.span, call: call.name, result: call.result, buffers }];
}

const OPENAT2: readonly (readonly [string, number])[] = [
  ['O_WRONLY', 1],
  ['O_RDWR', 2],
  ['O_CREAT', O_CREAT],
  ['O_EXCL', 0o200],
  ['O_TRUNC', O_TRUNC],
  ['O_APPEND', 0o2000],
  ['O_CLOEXEC', O_CLOEXEC],
  ['O_DIRECT', 0o40000],
];

function flagsOf(call: CallContext): number {
  if (call.name === 'creat') return O_CREAT | O_TRUNC | 1;
  if (call.name === 'open') return call.args.int(1);
  if (call.name === 'openat') return call.args.int(2);
  const words = /flags=([A-Z_|0-9a-fx]+)/.exec(call.strace?.args ?? '')?.[1].split('|') ?? [];
  return OPENAT2.reduce((flags, [word, bit]) => (words.includes(word) ? flags | bit : flags), 0);
}

const open =
  (pathArgument: number): Translate =>
  (call) => {
    const buffers = pathBuffers(call, [pathArgument]);
    const path = decorationsOf(call.strace?.result ?? '')[0];
    if (call.result < 0 || path === undefined) return generic(call, buffers);
    const flags = flagsOf(call);
    const unnamed = (flags & O_TMPFILE) === O_TMPFILE;
    const file = !isAbsolute(path)
      ? null
      : unnamed
        ? call.files.temporary(path)
        : call.files.opened(path, (flags & O_CREAT) !== 0);
    if (file && flags & O_TRUNC) file.size = 0;
    const description = call.describe(file, { append: (flags & 0o2000) !== 0 });
    call.release(call.thread.descriptors.set(call.result, description, (flags & O_CLOEXEC) !== 0));
    if (!file) return generic(call, buffers);
    return [
      {
        kind: 'open',
        ...call.span,
        ofd: description.id,
        file: file.id,
        flags: openFlags(flags),
        size: file.size,
        buffers,
      },
    ];
  };

const memfd: Translate = (call) => {
  if (call.result < 0) return null;
  const file = call.files.anonymous(`memfd:${call.strace ? (stringsOf(call.strace)[0] ?? '') : ''}`);
  const description = call.describe(file);
  call.release(call.thread.descriptors.set(call.result, description, (call.args.int(1) & 1) !== 0));
  const flags = openFlags(2 | O_CREAT);
  return [
    { kind: 'open', ...call.span, ofd: description.id, file: file.id, flags, size: 0, buffers: pathBuffers(call, [0]) },
  ];
};

const unlink =
  (pathArgument: number): Translate =>
  (call) => {
    const buffers = pathBuffers(call, [pathArgument]);
    const file = call.result === 0 ? call.files.unlinked(pathAt(call, pathArgument, 0)) : null;
    if (!file) return generic(call, buffers);
    return [{ kind: 'unlink', ...call.span, file: file.id, last: file.names.size === 0, result: 0 }];
  };

const rename =
  (from: number, to: number): Translate =>
  (call) => {
    const buffers = pathBuffers(call, [from, to]);
    if (call.result !== 0) return generic(call, buffers);
    const { file, replaced } = call.files.renamed(pathAt(call, from, 0), pathAt(call, to, 1));
    if (file) return [{ kind: 'rename', ...call.span, file: file.id, replaced: replaced?.id ?? null, result: 0 }];
    if (!replaced) return generic(call, buffers);
    return [{ kind: 'unlink', ...call.span, file: replaced.id, last: replaced.names.size === 0, result: 0 }];
  };

const link =
  (from: number, to: number): Translate =>
  (call) => {
    if (call.result === 0) call.files.linked(pathAt(call, from, 0), pathAt(call, to, 1));
    return generic(call, pathBuffers(call, [from, to]));
  };

const truncate: Translate = (call) => {
  const file = call.result === 0 ? call.files.opened(pathAt(call, 0, 0), false) : null;
  if (!file) return generic(call, pathBuffers(call, [0]));
  file.size = length(call.args.at(1));
  return [{ kind: 'truncate', ...call.span, file: file.id, length: file.size, result: 0 }];
};

const chdir: Translate = (call) => {
  if (call.result === 0 && call.name === 'chdir') call.thread.cwd.path = join(call.thread.cwd.path, relative(call));
  if (call.result === 0 && call.name === 'fchdir') {
    call.thread.cwd.path = decorationsOf(call.strace?.args ?? '')[0] ?? call.thread.cwd.path;
  }
  return generic(call, call.name === 'chdir' ? pathBuffers(call, [0]) : []);
};

function relative(call: CallContext): string {
  const path = call.strace ? (stringsOf(call.strace)[0] ?? '') : '';
  if (isAbsolute(path)) call.thread.cwd.path = '/';
  return path;
}

export const NAME_CALLS: Readonly<Record<string, Translate>> = {
  open: open(0),
  creat: open(0),
  openat: open(1),
  openat2: open(1),
  memfd_create: memfd,
  unlink: unlink(0),
  unlinkat: unlink(1),
  rename: rename(0, 1),
  renameat: rename(1, 3),
  renameat2: rename(1, 3),
  link: link(0, 1),
  linkat: link(1, 3),
  truncate,
  chdir,
  fchdir: chdir,
};
