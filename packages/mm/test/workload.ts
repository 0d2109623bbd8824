// SPDX-License-Identifier: GPL-2.0-only
import type { Ptr } from '@lockless/cpu';
import { NULL } from '@lockless/cpu';
import type { File } from '@lockless/mm-types';
import type { Segment } from '../src/index.js';
import { RW } from './sequential-machine.js';
import { System, type SystemOptions } from './simulated-machine.js';
import { type Arena, type Mix, Program } from './workload-program.js';

/** Across the border of two page tables. */
const WIDE: Arena = { first: 1024 - 16, anonymous: 8, privately: 10, shared: 10, free: 4, filePages: 12, longest: 6 };
/** So narrow that tasks meet at every step. */
const NARROW: Arena = { first: 1023, anonymous: 1, privately: 1, shared: 1, free: 0, filePages: 1, longest: 2 };

const segmentsOf = ({ first, anonymous, privately, shared }: Arena, [file]: readonly Ptr<File>[]): Segment[] =>
  [
    { start: first, end: first + anonymous, prot: RW, shared: false, file: NULL, pgoff: 0 },
    { start: first + anonymous, end: first + anonymous + privately, prot: RW, shared: false, file, pgoff: 0 },
    {
      start: first + anonymous + privately,
      end: first + anonymous + privately + shared,
      prot: RW,
      shared: true,
      file,
      pgoff: 0,
    },
  ].filter(({ start, end }) => end > start);

const MIX: Mix = {
  read: 12,
  write: 12,
  mmap: 3,
  munmap: 2,
  mprotect: 2,
  mremap: 1,
  dontneed: 2,
  pin: 2,
  fork: 1,
  truncate: 1,
  file: 4,
  sync: 1,
  pageout: 0,
  swapoff: 0,
  migrate: 0,
  remap: 0,
};

export interface WorkloadOptions extends SystemOptions {
  readonly steps?: number;
  readonly mix?: Partial<Mix>;
  readonly arena?: Arena;
}

/** Runs threads of processes that do everything at once. Null when all is right, else what is wrong. */
export function runWorkload(options: WorkloadOptions): { wrong: string | null; system: System } {
  const { steps = 30, processes = 2, threads = 2, arena = WIDE } = options;
  const mix = { ...MIX, ...options.mix };
  const segments = (files: readonly Ptr<File>[]): Segment[] => segmentsOf(arena, files);
  const files = [arena.filePages, arena.filePages];
  const system = new System({ files, segments, ...options, processes, threads });
  if (options.inMemory === true && mix.truncate === 0 && mix.mmap === 0) system.pagesToRead = arena.filePages;
  for (const process of system.processes) {
    for (let i = 0; i < threads; i++) {
      system.thread(process, (self) => new Program(system, self, mix, arena).steps(steps, 2, mix));
    }
  }
  return { wrong: system.run(), system };
}

const NOTHING: Mix = {
  read: 0,
  write: 0,
  mmap: 0,
  munmap: 0,
  mprotect: 0,
  mremap: 0,
  dontneed: 0,
  pin: 0,
  fork: 0,
  truncate: 0,
  file: 0,
  sync: 0,
  pageout: 0,
  swapoff: 0,
  migrate: 0,
  remap: 0,
};

/** Tasks that meet at every step, each kind at one race. */
export const FOCUSED: Readonly<Record<string, WorkloadOptions>> = {
  /** C1, C2, C3: faults of both kinds of mapping against truncation. */
  truncate: { mix: { ...NOTHING, read: 6, write: 6, truncate: 3, file: 1 }, arena: { ...NARROW, anonymous: 0 } },
  /** First faults of threads on one page, and its going away. */
  threads: {
    mix: { ...NOTHING, read: 2, write: 4, dontneed: 3 },
    arena: { ...NARROW, privately: 0, shared: 0 },
    processes: 1,
    threads: 4,
  },
  /** C8: who may write in place, and what the others see. */
  cow: { mix: { ...NOTHING, read: 8, write: 6, fork: 3 }, arena: { ...NARROW, shared: 0 }, processes: 1, threads: 3 },
  /** D6, D7: pages that several processes map move, while these do all that there is to do to a page. */
  migration: {
    mix: { ...NOTHING, read: 6, write: 6, migrate: 6, fork: 2, munmap: 1, mmap: 1, mremap: 1, dontneed: 1, pin: 1 },
    arena: { ...NARROW, anonymous: 2, shared: 2, free: 2, filePages: 2 },
  },
  /** C10, C11: writeback against writes through mappings. */
  writeback: {
    mix: { ...NOTHING, read: 1, write: 8, sync: 4, file: 2 },
    arena: { ...NARROW, anonymous: 0, privately: 0, shared: 2, filePages: 2 },
  },
  /** Pages that a driver holds, and reads, while they are zapped, copied, moved and truncated. */
  pins: {
    mix: { ...NOTHING, read: 2, write: 3, pin: 6, dontneed: 3, munmap: 1, mmap: 1, fork: 1, truncate: 1 },
    arena: { ...NARROW, free: 1 },
  },
  /** A18, and who may write in place: pages of a family go to the disk and come back. */
  swap: {
    mix: { ...NOTHING, read: 6, write: 6, fork: 2, pageout: 6, migrate: 3, dontneed: 1 },
    arena: { ...NARROW, anonymous: 2, privately: 0, shared: 0 },
    processes: 1,
    threads: 3,
    swapPages: 3,
  },
  /** swapoff against faults, forks and unmapping. */
  swapoff: {
    mix: { ...NOTHING, read: 4, write: 6, fork: 2, pageout: 6, migrate: 3, swapoff: 2, dontneed: 1, mremap: 1 },
    arena: { ...NARROW, anonymous: 2, privately: 0, shared: 0, free: 1 },
    processes: 1,
    threads: 3,
    swapPages: 8,
  },
  /** Pages of files in memory that go to swap and come back, by faults, reads and writes. */
  shmem: {
    mix: { ...NOTHING, read: 5, write: 6, file: 5, pageout: 8, migrate: 2, fork: 1 },
    arena: { ...NARROW, anonymous: 0, privately: 1, shared: 2, filePages: 2 },
    inMemory: true,
    swapPages: 6,
  },
  /** The same, swapoff and truncation. */
  'shmem-swapoff': {
    mix: { ...NOTHING, read: 4, write: 5, file: 4, pageout: 8, swapoff: 2, truncate: 2, migrate: 1 },
    arena: { ...NARROW, anonymous: 1, privately: 0, shared: 3, filePages: 3 },
    inMemory: true,
    swapPages: 8,
  },
  /** Entries that are not linear: populated, faulted, inherited, truncated, migrated. */
  nonlinear: {
    mix: {
      ...NOTHING,
      read: 5,
      write: 5,
      remap: 5,
      mmap: 2,
      fork: 1,
      truncate: 1,
      migrate: 3,
      mremap: 1,
      dontneed: 1,
      sync: 1,
    },
    arena: { ...NARROW, anonymous: 0, privately: 0, shared: 4, free: 1, filePages: 4 },
  },
  /** Areas that come and go under faults. */
  areas: {
    mix: { ...NOTHING, read: 4, write: 6, mmap: 2, munmap: 2, mremap: 2, mprotect: 2, fork: 1 },
    arena: { ...NARROW, free: 2 },
  },
};
