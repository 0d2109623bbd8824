// SPDX-License-Identifier: GPL-2.0-only
import { type Op, type Ptr, STATIC_WORDS } from '@lockless/cpu';
import { boot, checkMmInvariants, diskInterrupt, type MmOptions, machineHooks, shutdown } from '@lockless/mm';
import { type Bio, DISK_DEVICE } from '@lockless/mm-types';
import { attachBlockMap, BackingStore } from '@lockless/pagecache';
import { Machine } from '@lockless/simulator';
import type { Observation, Side, SideRun } from './observation.js';
import { needsSwap, type Script, SWAP_PAGES, tokenOf } from './script.js';
import { SimulatedMemory } from './simulated-memory.js';
import { readProcess } from './simulated-readout.js';

/** More memory than the scripts can use: 4 processes, 4 files, 64 pages each. */
const ORDINARY = { memoryPages: 768, minFreeKbytes: 128 };
/** 4 processes with 3 huge pages each, and copies. Of areas that ask for them, as most distributions have it. */
const HUGE = {
  memoryPages: 16_384,
  minFreeKbytes: 1024,
  transparentHugePages: { mode: 'madvise', order: 9, zeroPage: true, sharedWrites: 'split' },
} as const;
const HEAP_WORDS = 1 << 16;
const HUGE_HEAP_WORDS = 1 << 19;
const DISK_LATENCY_NS = 1_000;
/** Accesses; the longest scripts take a few thousand a step. */
const MAX_ACCESSES = 50_000_000;

/**
 * The simulated side: `@lockless/mm` on a machine of one CPU.
 *
 * *Context*: one run at a time in a process. @param mm what differs from the kernel that is compared with, for tests
 */
export const simulatedSide = (mm: Partial<MmOptions> = {}): Side => ({
  name: 'mm',
  run: (script) => simulate(script, mm),
});

function simulate(script: Script, mm: Partial<MmOptions>): SideRun {
  const machine = new Machine({
    cpus: 1,
    model: 'sc',
    memoryWords: STATIC_WORDS + (script.huge === true ? HUGE_HEAP_WORDS : HEAP_WORDS),
    hooks: machineHooks,
  });
  attachDisk(machine);
  machine.boot(
    boot({
      cpus: 1,
      ...(script.huge === true ? HUGE : ORDINARY),
      readahead: { model: '6.18' },
      swapPages: needsSwap(script) ? SWAP_PAGES : 0,
      mm,
    }),
  );
  const memory = new SimulatedMemory();
  const observations: Observation[] = [];
  machine.spawn('script', () => performScript(script, memory, observations));
  machine.addInvariant({
    name: 'memory at rest',
    atEnd: true,
    check: () => checkMmInvariants({ mms: [], inodes: memory.files.map(({ inode }) => inode) }),
  });
  const { status, violation } = machine.run({ maxSteps: MAX_ACCESSES });
  const broken =
    status === 'finished' ? null : (violation?.report() ?? `it is not done after ${MAX_ACCESSES} accesses`);
  return { observations, broken };
}

function attachDisk(machine: Machine): void {
  const disk = new BackingStore();
  attachBlockMap(disk);
  machine.attachDevice(DISK_DEVICE, {
    name: 'disk',
    queueDepth: 256,
    latency: () => DISK_LATENCY_NS,
    service: (request, words) => disk.transfer(request as Ptr<Bio>, words, 0),
    interrupt: diskInterrupt,
  });
}

function* performScript(script: Script, memory: SimulatedMemory, observations: Observation[]): Op<void> {
  yield* memory.prepare(script.files);
  for (const [i, step] of script.steps.entries()) {
    const performed = yield* memory.perform(step, tokenOf(i));
    const processes = [];
    for (const process of [...memory.mms.keys()].sort((a, b) => a - b)) {
      const core = yield* memory.mincore(process);
      const mm = memory.mms.get(process);
      if (mm !== undefined) processes.push(readProcess(process, mm, memory.files, core));
    }
    observations.push({ ...performed, processes });
  }
  yield* memory.close();
  yield* shutdown(memory.files.map(({ inode }) => inode));
}
