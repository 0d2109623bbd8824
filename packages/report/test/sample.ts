// SPDX-License-Identifier: MIT
import type { Comparison, Difference, FileResult, Measure, ProcessResult, RunResult, Timeline } from '../src/index.js';

/** Numbers that look random and are the same each time (Park and Miller's generator). */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 48271) % 0x7fffffff;
    return state % below;
  };
}

const PROGRAMS: readonly (readonly [string, 'exec' | 'fork', number, number])[] = [
  ['gcc', 'exec', 412, 96],
  ['gcc', 'fork', 38, 41],
  ['cc1', 'exec', 5210, 388],
  ['as', 'exec', 301, 44],
  ['collect2', 'exec', 118, 22],
  ['ld', 'exec', 1260, 75],
];

function processes(): ProcessResult[] {
  return PROGRAMS.map(([comm, born, anonymous, file], space) => {
    const cow = 20 + 7 * space;
    const missing = space === 2 ? 3 : 0;
    const around = space % 2;
    return {
      pid: 27966 + 17 * space,
      space,
      comm,
      born,
      faults: {
        simulated: { anonymous, file, cow, mkwrite: 0, total: anonymous + file + cow },
        real: {
          anonymous: anonymous + missing,
          file: file + around,
          cow,
          mkwrite: 0,
          total: anonymous + missing + file + around + cow,
        },
      },
      majorFaults: space === 2 ? 31 : 0,
      rssAtExit: {
        simulated: { file: file * 9, anon: anonymous - 30 },
        real: space === 1 ? null : { file: file * 9 + 16 * around, anon: anonymous - 30 + missing },
      },
      rssPeak: {
        simulated: { file: file * 9, anon: anonymous },
        real: { file: file * 9 + 16 * around, anon: anonymous + missing },
      },
      exit: space === 4 ? 1 : 0,
    };
  });
}

const PATHS = [
  '/usr/lib/gcc/x86_64-linux-gnu/12/cc1',
  '/usr/bin/x86_64-linux-gnu-gcc-12',
  '/usr/lib/x86_64-linux-gnu/libc.so.6',
  '/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2',
  '/etc/ld.so.cache',
  '/home/builder/work/continuous-integration/checkouts/compiler-explorer/third-party/include/generated/tables-of-characters.h',
  '/tmp/ccsUlvi6.s',
  '/usr/lib/x86_64-linux-gnu/libbfd-2.40-system.so',
  '/usr/share/文字/日本語の資料.txt',
  '',
];

function files(): FileResult[] {
  const next = generator(7);
  return Array.from({ length: 30 }, (_, id) => {
    const added = id % 3 === 0 ? next(900) : 0;
    const extra = id === 0 ? 48 : 0;
    const touched = id < 26;
    return {
      id,
      path: PATHS[id] ?? `/usr/lib/gcc/x86_64-linux-gnu/12/include/header-${id}.h`,
      kind: id === 29 ? 'block' : 'regular',
      inode: 261033 + 101 * id,
      sizeBytes: 4096 * (added + 40) - 100,
      cachedBefore: id % 3 === 0 ? 0 : 40 + next(200),
      added: touched
        ? { simulated: added, real: added + extra, both: added }
        : { simulated: 0, real: id === 29 ? 110 : 0, both: 0 },
      removed: { simulated: 0, real: 0 },
      hits: touched ? next(30_000) : 0,
      misses: touched ? added : 0,
      cachedAtEnd: added + 40,
    };
  });
}

function measure(name: string, title: string, items: readonly (readonly [number, number])[]): Measure {
  const sum = (pick: (pair: readonly [number, number]) => number): number => items.reduce((n, i) => n + pick(i), 0);
  const larger = sum(([a, b]) => Math.max(a, b));
  return {
    name,
    title,
    simulated: sum(([a]) => a),
    real: sum(([, b]) => b),
    agreement: larger === 0 ? 1 : sum(([a, b]) => Math.min(a, b)) / larger,
    items: items.length,
  };
}

function comparison(all: readonly ProcessResult[], cached: readonly FileResult[]): Comparison {
  const faults = (['total', 'anonymous', 'file', 'cow', 'mkwrite'] as const).map((kind) =>
    measure(
      `faults.${kind}`,
      {
        total: 'page faults',
        anonymous: 'page faults on anonymous memory',
        file: 'page faults on files',
        cow: 'copy-on-write faults',
        mkwrite: 'first writes to shared file pages',
      }[kind],
      all.map((p) => [p.faults.simulated[kind], p.faults.real[kind]] as const),
    ),
  );
  const rss = (['file', 'anon'] as const).map((kind) =>
    measure(
      `rss.${kind}.exit`,
      `resident ${kind} pages at exit`,
      all.flatMap(({ rssAtExit: { simulated, real } }) =>
        simulated && real ? [[simulated[kind], real[kind]] as const] : [],
      ),
    ),
  );
  const added = measure(
    'pagecache.added',
    'pages added to the page cache, by file and index',
    cached.filter((f) => f.kind === 'regular').map((f) => [f.added.simulated, f.added.real] as const),
  );
  return { measures: [...faults, added, ...rss], differences: differences(all, cached) };
}

function differences(all: readonly ProcessResult[], cached: readonly FileResult[]): Difference[] {
  const ofFaults = (['anonymous', 'file'] as const).flatMap((kind) =>
    all
      .filter((p) => p.faults.simulated[kind] !== p.faults.real[kind])
      .map((p) => ({
        measure: `faults.${kind}`,
        item: `${p.comm} (pid ${p.pid}, space ${p.space})`,
        simulated: p.faults.simulated[kind],
        real: p.faults.real[kind],
        cause: kind === 'file' ? 'fault-around' : 'unexplained',
      })),
  );
  const ofFiles = cached
    .filter((f) => f.kind === 'regular' && f.added.simulated !== f.added.real)
    .map((f) => ({
      measure: 'pagecache.added',
      item: f.path,
      simulated: f.added.simulated,
      real: f.added.real,
      cause: 'read-ahead-window',
    }));
  return [...ofFaults, ...ofFiles];
}

const SAMPLES = 200;
const OPERATIONS = 84_210;
const DURATION = 812_345_678;

function timeline(all: readonly ProcessResult[]): Timeline {
  const next = generator(3);
  const at = Array.from({ length: SAMPLES }, (_, i) => i / (SAMPLES - 1));
  const along = (value: (share: number, i: number) => number): number[] =>
    at.map((share, i) => Math.round(value(share, i)));
  const fileCache = along((t) => 3000 + 9000 * Math.sqrt(t) + next(120));
  const anonymous = along((t) => 400 + 6000 * Math.sin(Math.PI * t) ** 2 + next(60));
  return {
    time: along((t) => DURATION * t),
    operations: along((t) => OPERATIONS * t),
    free: along((_, i) => 65_536 - fileCache[i] - anonymous[i]),
    fileCache,
    anonymous,
    dirty: along((t) => 120 * t + next(30)),
    writeback: along((t) => (t > 0.6 ? next(24) : 0)),
    gracePeriods: along((t) => 240 * t),
    faults: along((t) => 8100 * t),
    spaces: all.map((p, i) => {
      const resident = at.map((t) => {
        const age = t * PROGRAMS.length - i;
        if (age < 0 || age > 1.6) return null;
        return Math.round(Math.min(1, age * 1.4) * (p.rssPeak.simulated.file + p.rssPeak.simulated.anon));
      });
      const real = resident.map((pages) => (pages === null ? null : pages + (i % 2) * 16));
      return { space: p.space, label: `${p.comm} (pid ${p.pid})`, simulated: resident, real };
    }),
    cpus: Array.from({ length: 8 }, (_, cpu) => ({ cpu, slices: slices(cpu, next) })),
  };
}

/** 250 slices on each CPU; the programs run one after the other, kernel threads between. */
function slices(cpu: number, next: (below: number) => number): Timeline['cpus'][number]['slices'] {
  const each = Math.floor(DURATION / 250);
  return Array.from({ length: 250 }, (_, i) => {
    const from = i * each + next(each >> 2);
    const program = Math.min(PROGRAMS.length - 1, Math.floor((i / 250) * PROGRAMS.length));
    const kernel = ['kswapd0', 'pdflush', 'ksoftirqd', `migration/${cpu}`][(i + cpu) % 4];
    const task = (i + cpu) % 7 === 0 ? kernel : `${PROGRAMS[program][0]}/${27966 + 17 * program}`;
    return { from, to: from + (each >> 2) + next(each >> 1), task };
  });
}

/** A compilation: six address spaces, 30 files, 200 samples, 8 CPUs with 250 slices each. */
export function sampleRun(): RunResult {
  const all = processes();
  const cached = files();
  return {
    recording: {
      path: 'recordings/gcc-hello.lkr.gz',
      command: ['gcc', '-O1', 'hello world.c', '-o', 'hello'],
      kernel: '6.18.44',
      threads: 9,
      processes: 5,
    },
    configuration: {
      cpus: 8,
      memoryPages: 65_536,
      seed: 42,
      model: 'weak',
      scheduler: 'random',
      generation: 'freeze-refs',
      inject: {},
      plant: null,
    },
    verdict: 'holds',
    violation: null,
    operations: OPERATIONS,
    operationsTotal: OPERATIONS,
    accesses: 12_345_678,
    time: DURATION,
    seconds: 5.13,
    processes: all,
    files: cached,
    memory: {
      zone: { free: 48_211, fileCache: 11_902, anonymous: 4_120, slab: 903, pageTables: 400, writeback: 0 },
      events: { pgfault: 8_130, pgmajfault: 31, pgalloc: 22_004, pgfree: 17_481 },
      reclaim: { scanned: 0, reclaimed: 0, kswapdWakeups: 0, directReclaims: 0 },
      lookups: { total: 402_117, hits: 393_004, misses: 9_113, speculativeRetries: 27 },
      rcu: { gracePeriods: 240, callbacks: 1_884 },
      lowestFree: 44_002,
      contents: { fileReads: 31_004, anonymousReads: 5_120, wrong: 0 },
    },
    machine: {
      contextSwitches: 20_113,
      interrupts: 6_004,
      staleLoads: 51_220,
      bufferedStores: 1_204_991,
      lockContentions: 812,
      injected: {},
      newErrors: {},
      diskReads: 9_113,
      diskWrites: 388,
    },
    comparison: comparison(all, cached),
    invariants: [
      { name: 'page references', checked: 1_204, violations: 0 },
      { name: 'rmap completeness', checked: 1_204, violations: 0 },
      { name: 'no page lost', checked: 8_130, violations: 0 },
    ],
    timeline: timeline(all),
    replay: 'lockless run gcc-hello --cpus 8 --seed 42',
  };
}

/** The same program under memory pressure with a planted bug: a page is freed while a lookup holds it. */
export function violatedRun(): RunResult {
  const run = sampleRun();
  const idle = (cpu: number) => ({ cpu, task: 'idle', frames: [] });
  return {
    ...run,
    verdict: 'violated',
    configuration: {
      ...run.configuration,
      memoryPages: 4_096,
      inject: { enomem: 0.01 },
      plant: 'remove-mapping-without-freeze',
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
      lowestFree: 12,
    },
    machine: {
      ...run.machine,
      injected: { enomem: 311 },
      newErrors: { 'mmap ENOMEM': 2, 'brk ENOMEM': 1, 'openat ENOMEM': 4 },
    },
    invariants: run.invariants.map((i) => (i.name === 'page references' ? { ...i, violations: 1 } : i)),
    replay:
      'lockless run gcc-hello --cpus 8 --memory 16M --seed 42 --inject enomem=0.01 --plant remove-mapping-without-freeze',
  };
}

/** A violated run in which every string that comes from outside is `text`. */
export function hostile(text: string): RunResult {
  const run = violatedRun();
  const stacks = [{ cpu: 1, task: text, status: text, frames: [text, text] }];
  return {
    ...run,
    recording: { ...run.recording, path: text, command: [text, text], kernel: text },
    configuration: { ...run.configuration, plant: text, scheduler: text },
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
