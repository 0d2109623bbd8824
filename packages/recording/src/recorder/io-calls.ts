// SPDX-License-Identifier: MIT
import type { Rec, UserBuffer } from '../format.js';
import { length, userBuffer } from './buffers.js';
import type { Description } from './descriptors.js';
import { fadviseAdvice } from './flags.js';
import { splitArgs } from './strace-log.js';
import type { CallContext, Translate } from './tasks.js';

const IOVEC = 16;

interface Transfer {
  vector: boolean;
  /** Which argument holds the position; null: the description's own. */
  position: number | null;
}

/** A read or write of something without a page cache: it may block, and it touches user memory. */
function otherTransfer(call: CallContext, buffers: UserBuffer[]): Rec[] {
  const pipe = call.thread.descriptors.get(call.args.int(0))?.pipe;
  const object = pipe === null || pipe === undefined ? 'fd' : `pipe:${pipe}`;
  return [{ kind: 'sync', ...call.span, call: call.name, object, result: call.result, buffers }];
}

function transfer(kind: 'read' | 'write', { vector, position }: Transfer): Translate {
  return (call) => {
    const { args, result } = call;
    const bytes = vector ? Math.max(0, result) : length(args.at(2));
    const buffers = userBuffer(args.at(1), vector ? args.int(2) * IOVEC : bytes);
    const description = call.thread.descriptors.get(args.int(0));
    const file = description?.file;
    if (!description || !file) return otherTransfer(call, buffers);
    // preadv2 and pwritev2 take -1 for the description's own position.
    const own = position === null || args.negative(position);
    const appending = kind === 'write' && description.append;
    const offset = appending ? file.size : own ? description.offset : length(args.at(position));
    const done = Math.max(0, result);
    if (own) description.offset = offset + done;
    if (kind === 'write' && done > 0) file.size = Math.max(file.size, offset + done);
    return [{ kind, ...call.span, ofd: description.id, file: file.id, offset, length: bytes, result, buffers }];
  };
}

/** The offset that a pointer argument held, as strace shows it: `[123]` or `[123] => [456]`. */
function pointedOffset(call: CallContext, argument: number): number | null {
  const text = call.strace ? splitArgs(call.strace)[argument] : undefined;
  const digits = text === undefined ? null : /^\[(\d+)/.exec(text);
  return digits ? Number(digits[1]) : null;
}

interface Side {
  fd: number;
  pointer: number | null;
}

/** One side of a copy: its file and offset; moves the description on when it was its own position that was used. */
function side(
  call: CallContext,
  { fd, pointer }: Side,
  done: number,
): [description: Description | null, offset: number] {
  const description = call.thread.descriptors.get(call.args.int(fd));
  if (!description?.file) return [null, 0];
  const pointed = pointer === null ? null : pointedOffset(call, pointer);
  const offset = pointed ?? description.offset;
  if (pointed === null) description.offset += done;
  return [description, offset];
}

function copy(from: Side, to: Side, size: number): Translate {
  return (call) => {
    const done = Math.max(0, call.result);
    const [source, fromOffset] = side(call, from, done);
    const [target, toOffset] = side(call, to, done);
    if (!source && !target) return null;
    if (target?.file && done > 0) target.file.size = Math.max(target.file.size, toOffset + done);
    return [
      {
        kind: 'copy',
        ...call.span,
        call: call.name,
        from: source?.file?.id ?? null,
        fromOffset,
        to: target?.file?.id ?? null,
        toOffset,
        length: length(call.args.at(size)),
        result: call.result,
      },
    ];
  };
}

/** A call on a file's descriptor (argument 0); on anything else it is not ours. */
function onFile(translate: (call: CallContext, file: NonNullable<Description['file']>) => Rec[]): Translate {
  return (call) => {
    const file = call.thread.descriptors.get(call.args.int(0))?.file;
    return file ? translate(call, file) : null;
  };
}

const fsync: Translate = onFile((call, file) => [
  { kind: 'fsync', ...call.span, call: call.name, file: file.id, result: call.result },
]);

const KEEP_SIZE = 1;

export const IO_CALLS: Readonly<Record<string, Translate>> = {
  read: transfer('read', { vector: false, position: null }),
  pread64: transfer('read', { vector: false, position: 3 }),
  readv: transfer('read', { vector: true, position: null }),
  preadv: transfer('read', { vector: true, position: 3 }),
  preadv2: transfer('read', { vector: true, position: 3 }),
  write: transfer('write', { vector: false, position: null }),
  pwrite64: transfer('write', { vector: false, position: 3 }),
  writev: transfer('write', { vector: true, position: null }),
  pwritev: transfer('write', { vector: true, position: 3 }),
  pwritev2: transfer('write', { vector: true, position: 3 }),
  sendfile: copy({ fd: 1, pointer: 2 }, { fd: 0, pointer: null }, 3),
  copy_file_range: copy({ fd: 0, pointer: 1 }, { fd: 2, pointer: 3 }, 4),
  splice: copy({ fd: 0, pointer: 1 }, { fd: 2, pointer: 3 }, 4),
  fsync,
  fdatasync: fsync,
  syncfs: fsync,
  sync_file_range: fsync,
  sync: (call) => [{ kind: 'fsync', ...call.span, call: 'sync', file: null, result: call.result }],
  ftruncate: onFile((call, file) => {
    const bytes = length(call.args.at(1));
    if (call.result === 0) file.size = bytes;
    return [{ kind: 'truncate', ...call.span, file: file.id, length: bytes, result: call.result }];
  }),
  fallocate: onFile((call, file) => {
    const mode = call.args.int(1);
    const offset = length(call.args.at(2));
    const bytes = length(call.args.at(3));
    if (call.result === 0 && (mode & KEEP_SIZE) === 0) file.size = Math.max(file.size, offset + bytes);
    return [{ kind: 'fallocate', ...call.span, file: file.id, mode, offset, length: bytes, result: call.result }];
  }),
  fadvise64: onFile((call, file) => [
    {
      kind: 'fadvise',
      ...call.span,
      file: file.id,
      offset: length(call.args.at(1)),
      length: length(call.args.at(2)),
      advice: fadviseAdvice(call.args.int(3)),
      result: call.result,
    },
  ]),
  readahead: onFile((call, file) => [
    {
      kind: 'fadvise',
      ...call.span,
      file: file.id,
      offset: length(call.args.at(1)),
      length: length(call.args.at(2)),
      advice: 'readahead',
      result: call.result,
    },
  ]),
};
