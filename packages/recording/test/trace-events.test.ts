// SPDX-License-Identifier: MIT
import { expect, test } from 'vitest';
import { parseTraceLine, SyscallArgs } from '../src/recorder/trace-events.js';

const line = (body: string): string => `    a b: x-1-3349    [001] d..1.  1390.550894: ${body}`;
const at = { tid: 3349, comm: 'a b: x-1', time: 1_390_550_894 };

test.each([
  [
    'page_fault_user: address=0x7ffff7fe4b70 ip=0x7ffff7fe4b70 error_code=0x14',
    { name: 'fault', kernel: false, address: 0x7ffff7fe4b70, error: 20 },
  ],
  [
    'page_fault_kernel: address=0x555555573240 ip=elf_load error_code=0x2',
    { name: 'fault', kernel: true, address: 0x555555573240, error: 2 },
  ],
  [
    'mm_filemap_add_to_page_cache: dev 254:0 ino 20c00e pfn=0x10dc7e ofs=8192 order=2',
    { name: 'added', device: '254:0', inode: 0x20c00e, index: 2, pages: 4 },
  ],
  [
    'mm_filemap_delete_from_page_cache: dev 0:3 ino fe00000 pfn=0x1 ofs=0 order=0',
    { name: 'removed', device: '0:3', inode: 0xfe00000, index: 0, pages: 1 },
  ],
  [
    'mm_filemap_map_pages: dev=254:0 ino=52c00 ofs=90112-155647',
    { name: 'map-around', device: '254:0', inode: 0x52c00, first: 22, last: 37 },
  ],
  [
    'mm_filemap_fault: dev=254:0 ino=3f854 ofs=122880',
    { name: 'file-fault', device: '254:0', inode: 0x3f854, index: 30 },
  ],
  [
    'rss_stat: mm_id=2584127131 curr=0 type=MM_SHMEMPAGES size=8192B',
    { name: 'rss', mm: 2584127131, current: false, member: 'shmem', pages: 2 },
  ],
  [
    'task_newtask: pid=3350 comm=a b clone_flags=4100 oom_score_adj=0',
    { name: 'new-task', child: 3350, flags: 0x4100 },
  ],
  ['sched_prepare_exec: interp=/usr/bin/sh filename=/usr/bin/sh pid=3349 comm=sh', { name: 'prepare-exec' }],
  ['sched_process_exec: filename=/a b pid=1 old_pid=1 pid=3349 old_pid=3348', { name: 'exec', oldTid: 3348 }],
  ['sched_process_exit: comm=sh pid=3349 prio=120 group_dead=true', { name: 'exit', groupDead: true }],
  ['sys_exit: NR 59 = -2', { name: 'leave', nr: 59, result: -2 }],
])('%s', (body, expected) => {
  expect(parseTraceLine(line(body))).toEqual({ ...at, ...expected });
});

test('arguments of system calls, as longs and as ints', () => {
  const event = parseTraceLine(line('sys_enter: NR 257 (ffffffffffffff9c, 7fffffffe29f, 80000, ffffffff, 0, 0)'));
  if (event?.name !== 'enter') throw new Error('expected an enter');
  expect(event.nr).toBe(257);
  expect([event.args.int(0), event.args.at(1), event.args.int(2), event.args.int(3)]).toEqual([
    -100, 0x7fffffffe29f, 0x80000, -1,
  ]);
  expect([event.args.negative(0), event.args.negative(1)]).toEqual([true, false]);
  expect(new SyscallArgs([]).at(5)).toBe(0);
});

test('comments and other events are passed over', () => {
  expect(parseTraceLine('# tracer: nop')).toBeNull();
  expect(parseTraceLine('')).toBeNull();
  expect(parseTraceLine(line('sched_switch: prev_comm=a'))).toBeNull();
});

test('what tracefs never wrote is an error, not a guess', () => {
  expect(() => parseTraceLine('CPU:1 [LOST 5 EVENTS]')).toThrow(
    'tracefs: expected an event line, got "CPU:1 [LOST 5 EVENTS]"',
  );
  expect(() => parseTraceLine(line('rss_stat: mm_id=x'))).toThrow('tracefs: expected rss_stat as');
});
