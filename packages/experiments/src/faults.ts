// SPDX-License-Identifier: GPL-2.0-only
import { NULL, type Op, type Ptr } from '@lockless/cpu';
import { adoptMm, buildMm, PROT_READ, userAccess } from '@lockless/mm';
import type { MmStruct } from '@lockless/mm-types';
import type { Generation } from '@lockless/pagecache';
import { CachedFile } from './cached-file.js';
import type { Setting } from './experiment.js';

/** Faults of all processes together. */
const FAULTS = 8192;
/** Where the file is mapped. */
const BASE = 0x1000;

/** A process that opens the file and maps all of it. (The state of read-ahead is in struct file: with a common one they would not scale.) */
function* newProcess(cached: CachedFile, pid: number): Op<Ptr<MmStruct>> {
  const { pages } = cached;
  const file = yield* cached.open();
  const segment = { start: BASE, end: BASE + pages, prot: PROT_READ, shared: true, file, pgoff: 0 };
  const mm = yield* buildMm({ segments: [segment], brk: 0x100, mmapBase: 0x70000, pid });
  if (mm === NULL) throw new Error('no memory for a process');
  return mm;
}

/**
 * Nick Piggin's measurement of June 2005: the same number of read faults of a file in the page cache, by 1 to 64 processes, each in a part of its own.
 * The caches are empty in the beginning, since a file of 32 GB does not fit in them.
 */
export function measureFaults(
  generation: string,
  cpus: number,
  setting: Setting,
  faults: number = FAULTS,
): Record<string, number> {
  const cached = new CachedFile({ ...setting, generation: generation as Generation, cpus, pages: faults });
  const { machine } = cached;
  const mms = Array.from({ length: cpus }, (_, i) => machine.boot(newProcess(cached, i + 1)));
  machine.coherence?.empty();
  const part = faults / cpus;
  const start = machine.time;
  let busy = 0;
  const before = cached.lockStall();
  const ns = cached.run(cpus, function* (cpu) {
    yield* adoptMm(mms[cpu]);
    for (let i = 0; i < part; i++) {
      const { error } = yield* userAccess(BASE + cpu * part + i, 'read');
      if (error !== 0) throw new Error(`page ${i} of the part of CPU ${cpu} cannot be read: ${error}`);
    }
    busy += machine.cpuTime - start;
  });
  return {
    'µs elapsed': ns / 1000,
    'µs system time': busy / 1000,
    'faults/µs': (faults / ns) * 1000,
    'share of time waiting for the line of tree_lock': (cached.lockStall() - before) / busy,
  };
}
