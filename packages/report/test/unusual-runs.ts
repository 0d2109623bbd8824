// SPDX-License-Identifier: MIT
import type { RunResult } from '../src/index.js';
import { sampleRun } from './sample.js';

/** The same program under memory pressure with a guard left out: a page is freed while a lookup holds it. */
export function violatedRun(): RunResult {
  const run = sampleRun();
  const idle = (cpu: number) => ({ cpu, task: 'idle', frames: [] });
  return {
    ...run,
    verdict: 'violated',
    configuration: {
      ...run.configuration,
      memoryPages: 4_096,
      swapPages: 1_024,
      inject: { enomem: 0.01 },
      without: ['removeMapping.freezeRefs'],
    },
    operations: 41_022,
    accesses: 6_004_112,
    time: 398_411_205,
    violation: {
      kind: 'use-after-free',
      message: 'atomic read-modify-write of page@4711._count, in memory that was freed by freeHotColdPage on CPU 5',
      cpu: 1,
      task: 'cc1/28000',
      time: 398_411_205,
      stacks: [
        {
          cpu: 0,
          task: 'gcc/27966',
          status: 'spins on address_space@44.tree_lock',
          frames: [
            'spinLockIrq (spinlock.ts:41)',
            'addToPageCache (filemap.ts:201)',
            'doGenericFileRead (filemap.ts:388)',
          ],
        },
        {
          cpu: 1,
          task: 'cc1/28000',
          status: 'running',
          frames: [
            'putPage (swap.ts:31)',
            'findGetPage (filemap.ts:142)',
            'filemapFault (filemap.ts:455)',
            'doLinearFault (memory.ts:812)',
            'handleMmFault (memory.ts:1003)',
            'doPageFault (fault.ts:77)',
          ],
        },
        idle(2),
        idle(3),
        { cpu: 4, task: 'timer interrupt', frames: ['updateProcessTimes (timer.ts:19)'] },
        {
          cpu: 4,
          task: 'as/28017',
          status: 'interrupted',
          frames: ['copyPageRange (memory.ts:233)', 'dupMmap (fork.ts:140)'],
        },
        {
          cpu: 5,
          task: 'kswapd0',
          status: 'running',
          frames: [
            'freeHotColdPage (page_alloc.ts:231)',
            'removeMapping (vmscan.ts:118)',
            'shrinkPageList (vmscan.ts:240)',
            'shrinkInactiveList (vmscan.ts:301)',
            'balancePgdat (vmscan.ts:520)',
            'kswapd (vmscan.ts:588)',
          ],
        },
        idle(6),
        idle(7),
        {
          cpu: -1,
          task: 'pdflush',
          status: 'sleeps',
          frames: ['schedule (sched.ts:90)', 'lockPage (filemap.ts:77)', 'writeCachePages (page-writeback.ts:301)'],
        },
      ],
    },
    memory: {
      ...run.memory,
      reclaim: { scanned: 40_112, reclaimed: 11_040, kswapdWakeups: 88, directReclaims: 13 },
      swap: { pagesIn: 812, pagesOut: 1_204 },
      lowestFree: 12,
    },
    machine: {
      ...run.machine,
      injected: { enomem: 311 },
      newErrors: { 'mmap ENOMEM': 2, 'brk ENOMEM': 1, 'openat ENOMEM': 4 },
    },
    invariants: run.invariants.map((i) => (i.name === 'page references' ? { ...i, violations: 1 } : i)),
    replay:
      'lockless run gcc-hello --cpus 8 --memory 16M --seed 42 --inject enomem=0.01 --without removeMapping.freezeRefs',
  };
}

/** A violated run in which every string that comes from outside is `text`. */
export function hostile(text: string): RunResult {
  const run = violatedRun();
  const stacks = [{ cpu: 1, task: text, status: text, frames: [text, text] }];
  return {
    ...run,
    recording: { ...run.recording, path: text, command: [text, text], kernel: text },
    configuration: { ...run.configuration, without: [text], scheduler: text },
    violation: { ...run.violation!, kind: text, message: text, task: text, stacks },
    processes: run.processes.map((p) => ({ ...p, comm: text })),
    files: run.files.map((f) => ({ ...f, path: text, kind: text })),
    memory: { ...run.memory, zone: { [text]: 1 } },
    machine: { ...run.machine, newErrors: { [text]: 1 } },
    comparison: {
      measures: run.comparison.measures.map((m) => ({ ...m, title: text })),
      differences: run.comparison.differences.map((d) => ({ ...d, item: text, cause: text, measure: text })),
    },
    invariants: run.invariants.map((i) => ({ ...i, name: text })),
    timeline: {
      ...run.timeline,
      spaces: run.timeline.spaces.map((s) => ({ ...s, label: text })),
      cpus: run.timeline.cpus.map(({ cpu, slices: all }) => ({ cpu, slices: all.map((s) => ({ ...s, task: text })) })),
    },
    replay: text,
  };
}

/** 64 CPUs with 500 slices each, 2,000 samples, 100 processes and 1,000 files. */
export function largeRun(): RunResult {
  const run = sampleRun();
  const { timeline: t } = run;
  const repeat = <T>(list: readonly T[], times: number): T[] => Array.from({ length: times }, () => list).flat();
  const stretch = (values: readonly (number | null)[]): (number | null)[] => values.flatMap((v) => Array(10).fill(v));
  const numbers = (values: readonly number[]): number[] => stretch(values).map((v, i) => (v ?? 0) + (i % 10));
  return {
    ...run,
    processes: repeat(run.processes, 17).map((p, space) => ({ ...p, space })),
    files: repeat(run.files, 34).map((f, id) => ({ ...f, id, path: `${f.path}.${id}` })),
    timeline: {
      time: numbers(t.time),
      operations: numbers(t.operations),
      free: numbers(t.free),
      fileCache: numbers(t.fileCache),
      anonymous: numbers(t.anonymous),
      dirty: numbers(t.dirty),
      writeback: numbers(t.writeback),
      gracePeriods: numbers(t.gracePeriods),
      faults: numbers(t.faults),
      spaces: repeat(t.spaces, 17).map((s) => ({ ...s, simulated: stretch(s.simulated), real: stretch(s.real) })),
      cpus: repeat(t.cpus, 8).map(({ slices: all }, cpu) => ({
        cpu,
        slices: all.flatMap(({ from, to, task }) => {
          const middle = (from + to) >> 1;
          return [
            { from, to: middle, task },
            { from: middle, to, task: `${task}+` },
          ];
        }),
      })),
    },
  };
}
