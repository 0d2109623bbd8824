// SPDX-License-Identifier: GPL-2.0-only
import type { Exec, FileInfo, Fork, Rec, Recording, ThreadInfo, Touch } from '@lockless/recording';

/** Hand-made recordings: one program file that maps 0x400-0x404 private r-x, 0x600-0x602 private rw-, a heap and a stack. */
export const CODE = 0x400;
export const DATA = 0x600;
export const BRK = 0x604;
export const STACK_TOP = 0x7fff0;

/** Threads are numbered as they are born: tid 1, 2, 3 ...; the first is process 1. */
export const exec = (end = 1): Exec => ({
  kind: 'exec',
  tid: 1,
  start: 0,
  end,
  file: 0,
  space: 0,
  brk: BRK * 4096,
  maps: [
    { from: CODE, to: CODE + 4, prot: 'r-x', shared: false, kind: 'file', file: 0, index: 0 },
    { from: DATA, to: DATA + 2, prot: 'rw-', shared: false, kind: 'file', file: 0, index: 4 },
    { from: STACK_TOP - 2, to: STACK_TOP, prot: 'rw-', shared: false, kind: 'stack', file: null, index: 0 },
  ],
});

/** A new thread of process 1. */
export const thread = (child: number, start: number, end: number = start + 1, tid = 1): Fork => ({
  kind: 'fork',
  tid,
  start,
  end,
  child,
  childPid: 1,
  space: 0,
  shares: ['vm', 'files', 'thread'],
});

export const touch = (tid: number, start: number, page: number, access: Touch['access'] = 'read'): Touch => ({
  kind: 'touch',
  tid,
  start,
  page,
  access,
  kernel: false,
  present: false,
});

/** A call that may block. */
export const sync = (tid: number, start: number, end: number, object = '-'): Rec => ({
  kind: 'sync',
  tid,
  start,
  end,
  call: 'futex',
  object,
  result: 0,
  buffers: [],
});

export const exit = (tid: number, start: number, last = tid === 1): Rec => ({
  kind: 'exit',
  tid,
  start,
  code: 0,
  signal: 0,
  last,
});

export const file = (id: number, pages: number, more: Partial<FileInfo> = {}): FileInfo => ({
  id,
  kind: 'regular',
  device: '254:0',
  inode: id + 100,
  size: pages * 4096,
  path: `/file/${id}`,
  existed: true,
  cached: [],
  ...more,
});

/** The whole: threads and spaces are read off the forks. Records are sorted by start, as a recording's are. */
export function recording(given: readonly Rec[], files: readonly FileInfo[] = [file(0, 8)]): Recording {
  const records = given.map((rec, i) => ({ rec, i })).sort((a, b) => a.rec.start - b.rec.start || a.i - b.i);
  const ordered = records.map(({ rec }) => rec);
  const end = Math.max(...ordered.map((rec) => ('end' in rec ? rec.end : rec.start)));
  const threads: ThreadInfo[] = [{ tid: 1, pid: 1, comm: 'program', start: 0, end }];
  const spaces: Recording['header']['spaces'] = [{ id: 0, pid: 1, born: 'exec', start: 0, end, rssAtEnd: null }];
  for (const rec of ordered) {
    if (rec.kind !== 'fork') continue;
    threads.push({ tid: rec.child, pid: rec.childPid, comm: `child${rec.child}`, start: rec.start, end });
    if (!rec.shares.includes('vm'))
      spaces.push({ id: rec.space, pid: rec.childPid, born: 'fork', start: rec.start, end, rssAtEnd: null });
  }
  return {
    header: {
      format: 'lockless-recording',
      version: 1,
      command: ['program'],
      machine: {
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
      },
      droppedCaches: true,
      duration: end,
      threads,
      spaces,
      warnings: [],
    },
    files: [...files],
    records: ordered,
  };
}
