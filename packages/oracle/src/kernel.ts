// SPDX-License-Identifier: GPL-2.0-only
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { buildPerformer } from './build.js';
import { adviceBits, mmapBits, mremapBits, msyncBits, protBits } from './flags.js';
import { checkKernel, diskFolder } from './machine.js';
import {
  type AreaSeen,
  type Observation,
  type PageSeen,
  type Side,
  type SideRun,
  SMAPS_FIELDS,
  type Smaps,
} from './observation.js';
import { type Script, type ScriptFile, type Step, tokenOf } from './script.js';

/** A script takes milliseconds. */
const PATIENCE_MS = 60_000;
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
  const folder = script.files.some(({ kind }) => kind === 'disk')
    ? mkdtempSync(join(diskFolder(), 'lockless-oracle-'))
    : null;
  try {
    const input = [
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

/** As `c/worker.c` reads it. */
function encode(step: Step, token: number): [string, ...number[]] {
  switch (step.op) {
    case 'mmap': {
      const flags = mmapBits(step) | (step.file === null ? MAP_FIXED_ANONYMOUS : MAP_FIXED);
      return ['M', step.at, step.pages, protBits(step.prot), flags, step.file ?? -1, step.index];
    }
    case 'read':
      return ['R', step.at];
    case 'write':
      return ['W', step.at, token];
    case 'fork':
      return ['F', step.child];
    case 'exit':
      return ['X'];
    case 'munmap':
      return ['U', step.at, step.pages];
    case 'mlock':
      return ['L', step.at, step.pages];
    case 'munlock':
      return ['K', step.at, step.pages];
    case 'mremap':
      return ['V', step.at, step.pages, step.to, step.newPages, mremapBits(step)];
    case 'mprotect':
      return ['P', step.at, step.pages, protBits(step.prot)];
    case 'madvise':
      return ['A', step.at, step.pages, adviceBits(step.advice)];
    case 'msync':
      return ['S', step.at, step.pages, msyncBits(step.mode)];
    case 'truncate':
      return ['T', step.file, step.pages];
  }
}

/* What c/observe.c prints. */
type PrintedArea = [start: number, end: number, rights: string, offset: number, file: number, ...kilobytes: number[]];
type PrintedPage = [page: number, pagemap: number, pfn: number, count: number, flags: number, core: number];
interface Printed {
  readonly result: number;
  readonly value: number;
  readonly processes: readonly { process: number; areas: readonly PrintedArea[]; pages: readonly PrintedPage[] }[];
}

const observationOf = ({ result, value, processes }: Printed): Observation => ({
  result,
  value,
  processes: processes.map(({ process, areas, pages }) => ({
    process,
    areas: areas.map(areaOf),
    pages: pages.map(pageOf),
  })),
});

function areaOf([start, end, rights, index, file, ...kilobytes]: PrintedArea): AreaSeen {
  const of = file === -1 ? 'anonymous' : file === -2 ? 'shared anonymous' : `file ${file}`;
  const smaps = Object.fromEntries(SMAPS_FIELDS.map((field, i) => [field, kilobytes[i]])) as unknown as Smaps;
  return { start, end, rights, of, index, smaps };
}

/* Bits 63 of pagemap, of the ones that are printed: from 55 up. */
const PRESENT = 1 << 8;
/* Bits of kpageflags. */
const DIRTY = 1 << 4;
const ANON = 1 << 12;
const SWAPBACKED = 1 << 14;
const ZERO_PAGE = 1 << 24;

function pageOf([page, pagemap, pfn, count, flags, core]: PrintedPage): PageSeen {
  const mincore = core === 1;
  if ((pagemap & PRESENT) === 0) return { page, kind: 'none', frame: 0, mapcount: 0, dirty: false, mincore };
  const kind = kindOf(flags);
  const dirty = (kind === 'file' || kind === 'shmem') && (flags & DIRTY) !== 0;
  return { page, kind, frame: pfn, mapcount: count, dirty, mincore };
}

function kindOf(flags: number): 'zero' | 'anon' | 'shmem' | 'file' {
  if ((flags & ZERO_PAGE) !== 0) return 'zero';
  if ((flags & ANON) !== 0) return 'anon';
  return (flags & SWAPBACKED) !== 0 ? 'shmem' : 'file';
}
