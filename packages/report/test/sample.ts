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
  '/srv/checkouts/continuous-integration/checkouts/compiler-explorer/third-party/include/generated/tables-of-characters.h',
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
      swapPages: 0,
      seed: 42,
      model: 'weak',
      scheduler: 'random',
      generation: 'freeze-refs',
      rmap: 'anon-vma',
      build: 'smp',
      inject: {},
      without: [],
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
      swap: { pagesIn: 0, pagesOut: 0 },
      lookups: { total: 402_117, hits: 393_004, misses: 9_113, speculativeRetries: 27 },
      rcu: { gracePeriods: 240, callbacks: 1_884 },
      reverseMapping: { pteChains: 0, anonVmas: 210, bytes: 9_360 },
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
