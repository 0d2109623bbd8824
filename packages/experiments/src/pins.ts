// SPDX-License-Identifier: GPL-2.0-only
import { downRead, NULL, type Op, type Ptr, upRead } from '@lockless/cpu';
import {
  adoptMm,
  buildMm,
  FOLL_WRITE,
  getUserPages,
  getUserPagesFast,
  PROT_READ,
  PROT_WRITE,
  userAccess,
} from '@lockless/mm';
import { MmStruct, type Page } from '@lockless/mm-types';
import { putPage } from '@lockless/page';
import { CachedFile } from './cached-file.js';
import type { Setting } from './experiment.js';
import { type Extent, throughput } from './throughput.js';

/** How a thread gets its pages. */
export const PINNING: readonly ['get_user_pages', 'get_user_pages_fast'] = ['get_user_pages', 'get_user_pages_fast'];

/** Pages of a thread's buffers; each thread has a page table of its own for them. */
const OWN_PAGES = 8;
const TABLE_PAGES = 512;
const BASE = 0x1000;
const REQUESTS: Extent = { warmUp: 24, counted: 60 };

/**
 * Threads of one process read into their own buffers past the page cache, a page at a time: pin, let the disk write, unpin. `thinking`: virtual ns that a
 * thread works for each request besides. All of the buffers is there, so that nothing faults.
 */
export function measurePins(design: string, cpus: number, setting: Setting, thinking: number): Record<string, number> {
  const cached = new CachedFile({ ...setting, generation: 'freeze-refs', cpus, pages: 1 });
  const { machine } = cached;
  const mm = machine.boot(newProcess(cpus));
  const lockStall = (): number => machine.coherence?.stalledAt(MmStruct.mmapSem(mm)) ?? 0;
  let inSemaphore = 0;
  let busy = 0;

  function* timed(op: Op<unknown>): Op<void> {
    const start = machine.cpuTime;
    yield* op;
    inSemaphore += machine.cpuTime - start;
  }
  function* pin(address: number, pages: Ptr<Page>[]): Op<number> {
    if (design === 'get_user_pages_fast') return yield* getUserPagesFast(address, 1, true, pages);
    yield* timed(downRead(MmStruct.mmapSem(mm)));
    const got = yield* getUserPages(mm, address, 1, FOLL_WRITE, pages);
    yield* timed(upRead(MmStruct.mmapSem(mm)));
    return got;
  }
  const requests = (cpu: number) => {
    const buffers = BASE + cpu * TABLE_PAGES;
    let at = 0;
    return function* (): Op<number> {
      const start = machine.cpuTime;
      if (at === 0) yield* adoptMm(mm);
      const pages: Ptr<Page>[] = [];
      const got = yield* pin(buffers + (at++ % OWN_PAGES), pages);
      if (got !== 1) throw new Error(`a page of a buffer cannot be had: ${got}`);
      if (thinking > 0) machine.compute(thinking);
      yield* putPage(pages[0]);
      busy += machine.cpuTime - start;
      return 1;
    };
  };
  const measured = throughput({ machine, run: cached.run.bind(cached), lockStall }, cpus, REQUESTS, requests);
  return {
    'requests/µs': measured.perMicrosecond,
    'share of time in down_read and up_read of mmap_sem': inSemaphore / busy,
    'share of time waiting for cache lines': measured.stalled,
  };
}

/** A process with the buffers of all its threads, written to already. */
function* newProcess(threads: number): Op<Ptr<MmStruct>> {
  const buffers = { start: BASE, end: BASE + threads * TABLE_PAGES, prot: PROT_READ | PROT_WRITE };
  const segment = { ...buffers, shared: false, file: NULL, pgoff: BASE } as const;
  const mm = yield* buildMm({ segments: [segment], brk: 0x100, mmapBase: 0x70000, pid: 1 });
  if (mm === NULL) throw new Error('no memory for a process');
  yield* adoptMm(mm);
  for (let thread = 0; thread < threads; thread++) {
    for (let i = 0; i < OWN_PAGES; i++) {
      const { error } = yield* userAccess(BASE + thread * TABLE_PAGES + i, 'write');
      if (error !== 0) throw new Error(`a buffer cannot be written to: ${error}`);
    }
  }
  return mm;
}
