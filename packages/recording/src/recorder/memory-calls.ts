// SPDX-License-Identifier: MIT
import type { Mlock } from '../format.js';
import { length, pageOf } from './buffers.js';
import { madviseAdvice, mmapFlags, mremapFlags, msyncFlags, protection } from './flags.js';
import type { CallContext, Translate } from './tasks.js';

/** Results of mmap and mremap: page number or negative errno. */
const pageResult = (result: number): number => (result < 0 ? result : pageOf(result));

const MAP_ANONYMOUS = 0x20;

const mmap: Translate = ({ args, result, thread, span }) => {
  const anonymous = (args.int(3) & MAP_ANONYMOUS) !== 0;
  const description = anonymous ? null : thread.descriptors.get(args.int(4));
  const file = description?.file ?? null;
  const bytes = length(args.at(1));
  if (file?.inode === 0 && result >= 0) {
    const from = pageOf(result);
    thread.space.unknownMaps.push({ from, to: from + Math.ceil(bytes / 4096), file });
  }
  return [
    {
      kind: 'mmap',
      ...span,
      page: pageOf(args.at(0)),
      length: bytes,
      prot: protection(args.int(2)),
      flags: mmapFlags(args.int(3)),
      file: file?.id ?? null,
      ofd: file && description ? description.id : null,
      offset: file ? length(args.at(5)) : 0,
      result: pageResult(result),
    },
  ];
};

const range = ({ args }: CallContext): { page: number; length: number } => ({
  page: pageOf(args.at(0)),
  length: length(args.at(1)),
});

const mlock =
  (name: Mlock['call']): Translate =>
  (call) => {
    const all = name === 'mlockall' || name === 'munlockall';
    return [
      {
        kind: 'mlock',
        ...call.span,
        call: name,
        ...(all ? { page: 0, length: 0 } : range(call)),
        flags: name === 'mlock2' ? call.args.int(2) : name === 'mlockall' ? call.args.int(0) : 0,
        result: call.result,
      },
    ];
  };

export const MEMORY_CALLS: Readonly<Record<string, Translate>> = {
  mmap,
  munmap: (call) => [{ kind: 'munmap', ...call.span, ...range(call), result: call.result }],
  mprotect: (call) => [
    { kind: 'mprotect', ...call.span, ...range(call), prot: protection(call.args.int(2)), result: call.result },
  ],
  mremap: ({ args, span, result }) => [
    {
      kind: 'mremap',
      ...span,
      page: pageOf(args.at(0)),
      oldLength: length(args.at(1)),
      newLength: length(args.at(2)),
      flags: mremapFlags(args.int(3)),
      to: args.int(3) & 2 ? pageOf(args.at(4)) : 0,
      result: pageResult(result),
    },
  ],
  brk: ({ args, span, result }) => [{ kind: 'brk', ...span, address: args.at(0) < 2 ** 47 ? args.at(0) : 0, result }],
  madvise: (call) => [
    { kind: 'madvise', ...call.span, ...range(call), advice: madviseAdvice(call.args.int(2)), result: call.result },
  ],
  msync: (call) => [
    { kind: 'msync', ...call.span, ...range(call), flags: msyncFlags(call.args.int(2)), result: call.result },
  ],
  mlock: mlock('mlock'),
  mlock2: mlock('mlock2'),
  munlock: mlock('munlock'),
  mlockall: mlock('mlockall'),
  munlockall: mlock('munlockall'),
};
