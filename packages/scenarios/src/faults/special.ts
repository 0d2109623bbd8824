// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr } from '@lockless/cpu';
import { configureKernel, downRead, downWrite, load, NULL, upRead, upWrite } from '@lockless/cpu';
import {
  adoptMm,
  archSetupAdditionalPages,
  buildMm,
  deviceMemory,
  dupMm,
  ERA_MM,
  mmapDevice,
  mmOptionsInit,
  PROT_READ,
  PROT_WRITE,
  type SpecialPages,
  specialPagesInit,
  sysMunmap,
  userRead,
} from '@lockless/mm';
import {
  MmStruct,
  type Page,
  VM_MAYREAD,
  VM_MAYWRITE,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
  type VmAreaStruct,
} from '@lockless/mm-types';
import { mmAllLocksInit, mmDropAllLocks, mmTakeAllLocks } from '@lockless/mmu-notifier';
import { disableVmEventCounters, freeAreaInit, pageCount, pageMapcount, pageToPfn } from '@lockless/page';
import { pagecacheInit } from '@lockless/pagecache';
import { bootRcuEvents } from '@lockless/rcu';
import { anonVmaPrepare, findVma, pteOffsetMap, ptePfn, ptePresent, readPte } from '@lockless/rmap';
import { assertThat } from '../assertion.js';
import { always } from '../claims.js';
import { given } from '../given.js';
import { type Scenario, scenario } from '../scenario.js';
import { AT } from './boot.js';

/* What an address space shows besides files and memory of its own: the memory of devices, and pages of the kernel. */

const SHARED = VM_READ | VM_WRITE | VM_SHARED | VM_MAYREAD | VM_MAYWRITE;

function* boot(): Op<void> {
  configureKernel({ proveRcu: true });
  bootRcuEvents();
  disableVmEventCounters();
  yield* freeAreaInit({ pages: 16, nrCpus: 4, minFreeKbytes: 0 });
  yield* pagecacheInit({ generation: 'freeze-refs', readahead: { model: '2.6.27' } });
  yield* mmAllLocksInit();
  yield* mmOptionsInit(ERA_MM);
}

function* newMm(anonymous = false): Op<Ptr<MmStruct>> {
  const heap = { start: AT, end: AT + 1, prot: PROT_READ | PROT_WRITE, shared: false, file: NULL, pgoff: AT };
  return given(yield* buildMm({ segments: anonymous ? [heap] : [], brk: 0x1000, mmapBase: 0x2000, pid: 1 }));
}

function* unmapFirst(mm: Ptr<MmStruct>): Op<void> {
  yield* adoptMm(mm);
  yield* sysMunmap(AT, 1);
}

interface Device {
  readonly memory: Ptr<Page>;
  readonly mms: readonly Ptr<MmStruct>[];
}

/** A device with one page of memory, and processes that map it. */
function* bootDevice(processes: number): Op<Device> {
  yield* boot();
  const memory = given(yield* deviceMemory(0));
  const mms: Ptr<MmStruct>[] = [];
  for (let i = 0; i < processes; i++) {
    const mm = yield* newMm();
    assertThat((yield* mmapDevice(mm, AT, 1, SHARED, memory)) === AT, 'the device is mapped');
    mms.push(mm);
  }
  return { memory, mms };
}

function* assertUncounted({ memory }: Device): Op<void> {
  assertThat((yield* pageCount(memory)) === 1, 'the references are as they were');
  assertThat((yield* pageMapcount(memory)) === 0, 'nobody counted a mapping');
}

/** The frame that an address space shows; -1: none. */
function* shown(mm: Ptr<MmStruct>): Op<number> {
  const ptep = yield* pteOffsetMap(mm, AT);
  const pte = ptep === NULL ? null : yield* readPte(ptep);
  return pte !== null && ptePresent(pte) ? ptePfn(pte) : -1;
}

interface Vdso {
  readonly mm: Ptr<MmStruct>;
  readonly special: Ptr<SpecialPages>;
}

function* newPages(count: number): Op<Ptr<SpecialPages>> {
  const contents = Array.from({ length: count }, (_, i) => ({ identity: FIRST + i, version: 1 }));
  return given(yield* specialPagesInit(contents));
}
const FIRST = 70;

function* areasOf(mm: Ptr<MmStruct>): Op<number> {
  return yield* load(MmStruct.mapCount(mm));
}

export const specialScenarios: readonly Scenario[] = [
  scenario<Device>({
    name: 'device-memory-is-uncounted',
    facts: ['seed 4'],
    summary: 'two processes unmap the memory of a device, in which neither entry counted',
    source: 'remap_page_range(), page_remove_rmap(), 2.6.5; remap_pfn_range(), vm_normal_page(), mm/memory.c, 2.6.27',
    properties: ['I3', 'I9'],
    setup: () => bootDevice(2),
    threads: { one: ({ mms }) => unmapFirst(mms[0]), other: ({ mms }) => unmapFirst(mms[1]) },
    *finally(device) {
      for (const mm of device.mms) assertThat((yield* shown(mm)) === -1, 'it is unmapped');
      yield* assertUncounted(device);
    },
    guards: [always('remapPfnRange.pteMkspecial', 'BUG')],
  }),
  scenario<Device>({
    name: 'device-memory-over-fork',
    facts: ['seed 4'],
    summary: 'a process forks while another thread of it unmaps the memory of a device, which no fault can bring back',
    source: 'copy_page_range(), mm/memory.c, 2.6.27',
    properties: ['I3', 'I9'],
    setup: () => bootDevice(1),
    threads: { fork: ({ mms }) => dupMm(mms[0]), unmap: ({ mms }) => unmapFirst(mms[0]) },
    *finally(device, { results, reach }) {
      const child = results.fork as Ptr<MmStruct>;
      const area: Ptr<VmAreaStruct> | Null = yield* findVma(child, AT);
      if (area !== NULL) {
        const frame = yield* shown(child);
        assertThat(frame === pageToPfn(device.memory), 'the child has what its area shows');
      }
      reach(area === NULL ? 'unmapped before' : 'inherited');
      yield* assertUncounted(device);
    },
    mustReach: ['unmapped before', 'inherited'],
    guards: [always('copyPageRange.pfnmap', 'assertion')],
  }),
  scenario<Vdso>({
    name: 'special-mapping-split',
    facts: ['seed 2'],
    summary: 'a thread unmaps the first page of the vdso while another reads the second',
    source: '8a9cc3b55e19 (4.3): "mmap: fix the usage of ->vm_pgoff in special_mapping paths"',
    properties: ['I12'],
    *setup() {
      yield* boot();
      const special = yield* newPages(2);
      const mm = yield* newMm();
      assertThat((yield* archSetupAdditionalPages(mm, AT, 2, special)) === 0, 'the vdso is mapped');
      return { mm, special };
    },
    threads: {
      unmap: ({ mm }) => unmapFirst(mm),
      *read({ mm }) {
        yield* adoptMm(mm);
        return (yield* userRead(AT + 1)).content.identity;
      },
    },
    *finally(_, { results }) {
      assertThat(results.read === FIRST + 1, 'the second page is the second page');
    },
    guards: [always('specialMappingFault.pgoff', 'assertion')],
  }),
  scenario<Vdso>({
    name: 'special-mapping-under-all-locks',
    facts: ['E1', 'seed 2'],
    summary: 'the vdso is mapped, and written to by a debugger, while all locks of the address space are taken',
    source: 'install_special_mapping(), mm/mmap.c, 2.6.27, which mm_take_all_locks() relies on to need mmap_sem',
    properties: ['I12'],
    *setup() {
      yield* boot();
      const special = yield* newPages(1);
      const mm = yield* newMm(true);
      yield* anonVmaPrepare(given(yield* findVma(mm, AT)));
      return { mm, special };
    },
    threads: {
      *take({ mm }) {
        yield* downWrite(MmStruct.mmapSem(mm));
        const before = yield* areasOf(mm);
        assertThat((yield* mmTakeAllLocks(mm)) === 0, 'all locks are taken');
        assertThat((yield* areasOf(mm)) === before, 'no area comes that was not there when the locks were taken');
        yield* mmDropAllLocks(mm);
        yield* upWrite(MmStruct.mmapSem(mm));
        return before;
      },
      *map({ mm, special }) {
        yield* archSetupAdditionalPages(mm, AT + 1, 1, special);
        yield* downRead(MmStruct.mmapSem(mm));
        const vma = yield* findVma(mm, AT + 1);
        const error = vma === NULL ? 0 : yield* anonVmaPrepare(vma);
        yield* upRead(MmStruct.mmapSem(mm));
        return error;
      },
    },
    *finally({ mm }, { results, reach }) {
      assertThat((yield* areasOf(mm)) === 2 && results.map === 0, 'the vdso is mapped');
      reach(results.take === 1 ? 'mapped after' : 'mapped before');
    },
    mustReach: ['mapped after', 'mapped before'],
    guards: [always('archSetupAdditionalPages.mmapSem', 'assertion')],
  }),
];
