// SPDX-License-Identifier: MIT
import { RecorderError } from '../error.js';
import type { RssMember } from '../format.js';

/** One event of the kernel's trace, as the recorder needs it. `time` is in microseconds of the monotonic clock. */
export type TraceEvent = { tid: number; comm: string; time: number } & (
  | { name: 'enter'; nr: number; args: SyscallArgs }
  | { name: 'leave'; nr: number; result: number }
  | { name: 'fault'; kernel: boolean; address: number; error: number }
  | { name: 'added' | 'removed'; device: string; inode: number; index: number; pages: number }
  | { name: 'map-around'; device: string; inode: number; first: number; last: number }
  | { name: 'file-fault'; device: string; inode: number; index: number }
  | { name: 'rss'; mm: number; current: boolean; member: RssMember; pages: number }
  | { name: 'new-task'; child: number; flags: number }
  | { name: 'prepare-exec' }
  | { name: 'exec'; oldTid: number }
  | { name: 'exit'; groupDead: boolean }
);

/** The six arguments of a system call, as the hexadecimal words that tracefs prints. */
export class SyscallArgs {
  readonly #words: string[];
  constructor(words: string[]) {
    this.#words = words;
  }
  /** As an unsigned number: addresses, lengths, offsets. Exact below 2^53. */
  at(index: number): number {
    return Number.parseInt(this.#words[index] ?? '0', 16);
  }
  /** As the int that it is in C: descriptors, flags. */
  int(index: number): number {
    return Number.parseInt((this.#words[index] ?? '0').slice(-8), 16) | 0;
  }
  /** True when the word is negative as a long. */
  negative(index: number): boolean {
    return this.at(index) >= 2 ** 63;
  }
}

/** The events to enable, as tracefs names them. Those with `optional` are missing on older kernels. */
export const EVENTS: readonly { path: string; filter?: string; optional?: boolean }[] = [
  { path: 'raw_syscalls/sys_enter' },
  { path: 'raw_syscalls/sys_exit' },
  { path: 'exceptions/page_fault_user' },
  { path: 'exceptions/page_fault_kernel', filter: 'address < 0x800000000000' },
  { path: 'filemap/mm_filemap_add_to_page_cache' },
  { path: 'filemap/mm_filemap_delete_from_page_cache' },
  { path: 'filemap/mm_filemap_map_pages', optional: true },
  { path: 'filemap/mm_filemap_fault', optional: true },
  { path: 'kmem/rss_stat' },
  { path: 'task/task_newtask' },
  { path: 'sched/sched_prepare_exec', optional: true },
  { path: 'sched/sched_process_exec' },
  { path: 'sched/sched_process_exit' },
];

const LINE = /^\s*(.{1,16}?)-(\d+)\s+\[\d+\]\s+\S+\s+(\d+)\.(\d{6}): (\w+): (.*)$/;
const MEMBERS: Readonly<Record<string, RssMember>> = {
  MM_FILEPAGES: 'file',
  MM_ANONPAGES: 'anon',
  MM_SWAPENTS: 'swap',
  MM_SHMEMPAGES: 'shmem',
};
const PAGE = 4096;

type Body = TraceEvent extends infer E ? (E extends TraceEvent ? Omit<E, 'tid' | 'comm' | 'time'> : never) : never;
type Parse = (match: RegExpExecArray) => Body;

const cacheEvent =
  (name: 'added' | 'removed'): Parse =>
  (m) => ({
    name,
    device: m[1],
    inode: Number.parseInt(m[2], 16),
    index: Number(m[3]) / PAGE,
    pages: 2 ** Number(m[4] ?? 0),
  });
const CACHE = /^dev (\d+:\d+) ino ([0-9a-f]+)(?: page=\S+)? pfn=\S+ ofs=(\d+)(?: order=(\d+))?/;

const fault =
  (kernel: boolean): Parse =>
  (m) => ({ name: 'fault', kernel, address: Number(m[1]), error: Number(m[2]) });
const FAULT = /^address=(0x[0-9a-f]+) ip=.* error_code=(0x[0-9a-f]+)$/;

const BODIES: Readonly<Record<string, readonly [RegExp, Parse]>> = {
  sys_enter: [
    /^NR (-?\d+) \((.*)\)$/,
    (m) => ({ name: 'enter', nr: Number(m[1]), args: new SyscallArgs(m[2].split(', ')) }),
  ],
  sys_exit: [/^NR (-?\d+) = (-?\d+)$/, (m) => ({ name: 'leave', nr: Number(m[1]), result: Number(m[2]) })],
  page_fault_user: [FAULT, fault(false)],
  page_fault_kernel: [FAULT, fault(true)],
  mm_filemap_add_to_page_cache: [CACHE, cacheEvent('added')],
  mm_filemap_delete_from_page_cache: [CACHE, cacheEvent('removed')],
  mm_filemap_map_pages: [
    /^dev=(\d+:\d+) ino=([0-9a-f]+) ofs=(\d+)-(\d+)$/,
    (m) => ({
      name: 'map-around',
      device: m[1],
      inode: Number.parseInt(m[2], 16),
      first: Number(m[3]) / PAGE,
      last: (Number(m[4]) + 1) / PAGE - 1,
    }),
  ],
  mm_filemap_fault: [
    /^dev=(\d+:\d+) ino=([0-9a-f]+) ofs=(\d+)$/,
    (m) => ({ name: 'file-fault', device: m[1], inode: Number.parseInt(m[2], 16), index: Number(m[3]) / PAGE }),
  ],
  rss_stat: [
    /^mm_id=(\d+) curr=(\d) type=(\w+) size=(-?\d+)B$/,
    (m) => ({
      name: 'rss',
      mm: Number(m[1]),
      current: m[2] === '1',
      member: MEMBERS[m[3]] ?? 'anon',
      pages: Math.max(0, Number(m[4]) / PAGE),
    }),
  ],
  task_newtask: [
    /^pid=(\d+) comm=.* clone_flags=([0-9a-f]+) oom_score_adj/,
    (m) => ({ name: 'new-task', child: Number(m[1]), flags: Number.parseInt(m[2], 16) }),
  ],
  sched_prepare_exec: [/^/, () => ({ name: 'prepare-exec' })],
  sched_process_exec: [/old_pid=(\d+)$/, (m) => ({ name: 'exec', oldTid: Number(m[1]) })],
  sched_process_exit: [/^comm=/, (m) => ({ name: 'exit', groupDead: /group_dead=true/.test(m.input) })],
};

/** Parses one line of a `trace` file. null for comments and for events the recorder did not ask for. */
export function parseTraceLine(line: string): TraceEvent | null {
  if (line === '' || line.startsWith('#')) return null;
  const head = LINE.exec(line);
  if (!head)
    throw new RecorderError(
      'trace-mismatch',
      `tracefs: expected an event line, got ${JSON.stringify(line.slice(0, 120))}`,
    );
  const body = BODIES[head[5]];
  if (!body) return null;
  const match = body[0].exec(head[6]);
  if (!match)
    throw new RecorderError(
      'trace-mismatch',
      `tracefs: expected ${head[5]} as ${body[0].source}, got ${JSON.stringify(head[6])}`,
    );
  const time = Number(head[3]) * 1_000_000 + Number(head[4]);
  return { tid: Number(head[2]), comm: head[1], time, ...body[1](match) } as TraceEvent;
}
