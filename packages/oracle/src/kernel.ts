// SPDX-License-Identifier: GPL-2.0-only
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { MADV_PAGEOUT } from '@lockless/mm';
import { buildPerformer } from './build.js';
import { adviceBits, mmapBits, mremapBits, msyncBits, protBits } from './flags.js';
import { checkHugePages, checkKernel, collapsedHugePages, diskFolder } from './machine.js';
import {
  type AreaSeen,
  nothing,
  type Observation,
  PAGE_FLAGS,
  type PageFlag,
  type PageSeen,
  PM_EXCLUSIVE,
  PM_FILE,
  PM_PRESENT,
  PM_SWAP,
  type Side,
  type SideRun,
  SMAPS_FIELDS,
  type Smaps,
  swapped,
  VM_FLAGS,
} from './observation.js';
import { type Contents, needsSwap, type OnRange, type Script, type ScriptFile, type Step, tokenOf } from './script.js';

/** A script takes milliseconds. */
const PATIENCE_MS = 60_000;
const REPEATS = 3;
const MAP_FIXED_ANONYMOUS = 0x30;
const MAP_FIXED = 0x10;

/**
 * The kernel that runs. Root, Linux on x86-64, gcc, /proc/kpagecount.
 *
 * @throws OracleError when the machine cannot be the other side
 */
export function kernelSide(): Side {
  checkKernel();
  const program = buildPerformer();
  return { name: 'kernel', run: (script) => perform(program, script) };
}

function perform(program: string, script: Script): SideRun {
  if (script.huge !== true) return performOnce(program, script);
  checkHugePages();
  for (let left = REPEATS; ; left--) {
    const before = collapsedHugePages();
    const seen = performOnce(program, script);
    // khugepaged comes by every ten seconds, and may have made a huge page of what the script had split.
    if (left === 0 || collapsedHugePages() === before) return seen;
  }
}

function performOnce(program: string, script: Script): SideRun {
  const swaps = needsSwap(script);
  const onDisk = swaps || script.files.some(({ kind }) => kind === 'disk');
  const folder = onDisk ? mkdtempSync(join(diskFolder(), 'lockless-oracle-')) : null;
  try {
    const input = [
      script.huge === true ? 'H' : 'A',
      folder !== null && swaps ? `S ${join(folder, 'swap')}` : 'N',
      `F ${script.files.length}`,
      ...script.files.map((file, i) => fileLine(file, i, folder)),
      ...script.steps.map(stepLine),
    ];
    const { stdout, stderr, status, error } = spawnSync(program, {
      input: `${input.join('\n')}\n`,
      encoding: 'utf8',
      timeout: PATIENCE_MS,
      killSignal: 'SIGKILL',
      maxBuffer: 2 ** 28,
    });
    const observations = stdout.split('\n').flatMap((line) => (line === '' ? [] : [observationOf(JSON.parse(line))]));
    const broken =
      status === 0 ? null : error?.message || stderr.trim() || 'the program that performs the steps was killed';
    return { observations, broken };
  } finally {
    if (folder !== null) rmSync(folder, { recursive: true });
  }
}

const fileLine = ({ kind, pages }: ScriptFile, number: number, folder: string | null): string =>
  kind === 'disk' && folder !== null ? `d ${pages} ${join(folder, String(number))}` : `m ${pages}`;

function stepLine(step: Step, index: number): string {
  const [operation, ...given] = encode(step, tokenOf(index));
  const numbers = Array.from({ length: 6 }, (_, i) => given[i] ?? 0);
  return [step.process, operation, ...numbers].join(' ');
}

/** The step with that name; some names share a type. */
type StepOf<Op extends Step['op']> = Step extends infer S
  ? S extends { op: infer Name }
    ? Op extends Name
      ? S
      : never
    : never
  : never;
type Encoding<S extends Step> = (step: S, token: number) => [operation: string, ...numbers: number[]];
const onRange =
  (operation: string): Encoding<OnRange | Contents> =>
  ({ at, pages }) => [operation, at, pages];

/** As `c/worker.c` reads them. */
const ENCODINGS: { readonly [Op in Step['op']]: Encoding<StepOf<Op>> } = {
  mmap: (step) => {
    const flags = mmapBits(step) | (step.file === null ? MAP_FIXED_ANONYMOUS : MAP_FIXED);
    return ['M', step.at, step.pages, protBits(step.prot), flags, step.file ?? -1, step.index];
  },
  read: ({ at }) => ['R', at],
  write: ({ at }, token) => ['W', at, token],
  fork: ({ child }) => ['F', child],
  exit: () => ['X'],
  munmap: onRange('U'),
  mlock: onRange('L'),
  munlock: onRange('K'),
  contents: onRange('C'),
  'swap-out': ({ at, pages }) => ['A', at, pages, MADV_PAGEOUT],
  swapoff: () => ['o'],
  swapon: () => ['O'],
  mremap: (step) => ['V', step.at, step.pages, step.to ?? -1, step.newPages, mremapBits(step)],
  'remap-file-pages': ({ at, pages, index }) => ['f', at, pages, index],
  mprotect: ({ at, pages, prot }) => ['P', at, pages, protBits(prot)],
  madvise: ({ at, pages, advice }) => ['A', at, pages, adviceBits(advice)],
  msync: ({ at, pages, mode }) => ['S', at, pages, msyncBits(mode)],
  truncate: ({ file, pages }) => ['T', file, pages],
  pread: ({ file, index }) => ['r', file, index],
  pwrite: ({ file, index }, token) => ['w', file, index, token],
  fsync: ({ file }) => ['s', file],
  drop: ({ file }) => ['d', file],
  punch: ({ file, index, pages }) => ['h', file, index, pages],
  peek: ({ of, at }) => ['p', of, at],
  poke: ({ of, at }, token) => ['q', of, at, token],
  'vm-read': ({ of, at }) => ['u', of, at],
  'vm-write': ({ of, at }, token) => ['v', of, at, token],
};
const encode = (step: Step, token: number): [string, ...number[]] =>
  (ENCODINGS[step.op] as Encoding<Step>)(step, token);

/* What c/observe.c prints. */
type PrintedArea = [
  start: number,
  end: number,
  rights: string,
  offset: number,
  file: number,
  vmFlags: string,
  ...kilobytes: number[],
];
type PrintedPage = [page: number, pagemap: number, pfn: number, count: number, flags: number, core: number];
interface Printed {
  readonly result: number;
  readonly value: number;
  readonly contents: readonly number[];
  readonly processes: readonly { process: number; areas: readonly PrintedArea[]; pages: readonly PrintedPage[] }[];
}

const observationOf = ({ result, value, contents, processes }: Printed): Observation => ({
  result,
  value,
  contents,
  processes: processes.map(({ process, areas, pages }) => ({
    process,
    areas: areas.map(areaOf),
    pages: pages.map(pageOf),
  })),
});

function areaOf([start, end, rights, index, file, printedFlags, ...kilobytes]: PrintedArea): AreaSeen {
  const of = file === -1 ? 'anonymous' : file === -2 ? 'shared anonymous' : `file ${file}`;
  const smaps = Object.fromEntries(SMAPS_FIELDS.map((field, i) => [field, kilobytes[i]])) as unknown as Smaps;
  const vmFlags = VM_FLAGS.filter((flag) => printedFlags.split(' ').includes(flag));
  return { start, end, rights, of, index, vmFlags, smaps };
}

/* Bits of kpageflags. */
const DIRTY = 1 << 4;
const ANON = 1 << 12;
const SWAPBACKED = 1 << 14;
const ZERO_PAGE = 1 << 24;
const FLAG_BITS: Readonly<Record<PageFlag, number>> = {
  uptodate: 1 << 3,
  mmap: 1 << 11,
  anon: ANON,
  swapbacked: SWAPBACKED,
  head: 1 << 15,
  tail: 1 << 16,
  thp: 1 << 22,
};

function pageOf([page, entry, pfn, count, bits, core]: PrintedPage): PageSeen {
  const mincore = core === 1;
  const pagemap = entry & (PM_PRESENT | PM_SWAP | PM_FILE | PM_EXCLUSIVE);
  if ((pagemap & PM_SWAP) !== 0) return swapped(page, pfn, mincore);
  if ((pagemap & PM_PRESENT) === 0) return nothing(page, pagemap, mincore);
  const kind = kindOf(bits);
  if (kind === 'zero') return { ...nothing(page, pagemap, mincore), kind };
  const dirty = kind !== 'anon' && (bits & DIRTY) !== 0;
  const flags = PAGE_FLAGS.filter((flag) => (bits & FLAG_BITS[flag]) !== 0);
  return { page, kind, pagemap, flags, frame: pfn, mapcount: count, dirty, mincore };
}

function kindOf(flags: number): 'zero' | 'anon' | 'shmem' | 'file' {
  if ((flags & ZERO_PAGE) !== 0) return 'zero';
  if ((flags & ANON) !== 0) return 'anon';
  return (flags & SWAPBACKED) !== 0 ? 'shmem' : 'file';
}
