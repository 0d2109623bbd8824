// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { bugOn, configSmp, configureKernel, type KernelConfig, readOnce } from '@lockless/cpu';
import {
  type HugePageOptions,
  hugePagesInit,
  hugeZeroPageInit,
  khugepaged,
  khugepagedInit,
  khugepagedRuns,
  khugepagedTick,
  stopKhugepaged,
} from '@lockless/huge-memory';
import { memCgroupBoot } from '@lockless/memcontrol';
import { type AddressSpace, type Bio, Inode, Page } from '@lockless/mm-types';
import { mmAllLocksInit } from '@lockless/mmu-notifier';
import {
  drainCpuPagevecs,
  freeAreaInit,
  onlineCpus,
  PAGEVEC_SIZE,
  releasePages,
  waitOnPageLocked,
  waitOnPageWriteback,
} from '@lockless/page';
import {
  bioEndIo,
  filemapWriteAndWait,
  findGetPages,
  kswapd,
  type PagecacheOptions,
  pagecacheInit,
  pdflush,
  swapAreaInit,
  swapperSpace,
  waitForKswapd,
} from '@lockless/pagecache';
import {
  rcuBarrier,
  rcuCheckCallbacks,
  rcuIdle,
  rcuInit,
  rcuNoteContextSwitch,
  rcuPending,
  rcuProcessCallbacks,
} from '@lockless/rcu';
import { type RmapDesign, selectReverseMapping } from '@lockless/rmap';
import { swapInForCollapse } from './madvise-collapse.js';
import { type MmOptions, MODERN_MM, mmOptionsInit } from './mm-options.js';

export {
  hugeCountsAgree,
  TAIL_DESIGNS,
  type TailDesign,
  type TransparentHugePages,
} from '@lockless/huge-memory';
export { RMAP_DESIGNS, type RmapDesign, type RmapStatistics, rmapStatistics } from '@lockless/rmap';

export interface BootOptions extends PagecacheOptions {
  readonly cpus: number;
  /** Page frames, 2 to 2^20. */
  readonly memoryPages: number;
  /** The minimum watermark; the kernel's formula by default. */
  readonly minFreeKbytes?: number;
  /** How pages know their entries; default anon-vma. */
  readonly rmap?: RmapDesign;
  /** Places of the swap area, in use from boot; default 0: none. */
  readonly swapPages?: number;
  /** Transparent huge pages; never by default. With anon_vma alone. */
  readonly transparentHugePages?: HugePageOptions;
  /** khugepaged is at work: the task of {@link khugepagedTask} is to be started. With huge pages only. */
  readonly khugepaged?: boolean;
  /** What differs from {@link MODERN_MM}. */
  readonly mm?: Partial<MmOptions>;
  /** The build: SMP with preemption by default, and with the question who calls get_page_unless_zero(). */
  readonly kernel?: Partial<KernelConfig>;
  /** Pages are charged to memory cgroups. Default false. */
  readonly memCgroup?: boolean;
}

/**
 * start_kernel(), the part that is memory management: chooses the build, and initialises every package in order.
 *
 * *Context*: CPU 0, before another CPU runs. Attach the disk's block map, and an observer if one is wanted, before the first inode is made.
 */
export function* boot(options: BootOptions): Op<void> {
  const { cpus, memoryPages, minFreeKbytes, rmap = 'anon-vma', swapPages = 0, mm = {}, kernel = {} } = options;
  const { transparentHugePages = { mode: 'never' }, memCgroup = false } = options;
  configureKernel({ proveRcu: true, ...kernel });
  bugOn(!configSmp() && cpus > 1, 'a build without CONFIG_SMP has one CPU');
  yield* rcuInit(cpus);
  yield* freeAreaInit({ pages: memoryPages, nrCpus: cpus, ...(minFreeKbytes === undefined ? {} : { minFreeKbytes }) });
  yield* pagecacheInit(options);
  if (memCgroup) yield* memCgroupBoot();
  if (swapPages > 0) yield* swapAreaInit(0, swapPages);
  if (rmap !== 'anon-vma') yield* selectReverseMapping(rmap);
  if (transparentHugePages.mode !== 'never') {
    if (rmap !== 'anon-vma') throw new RangeError(`huge pages are found through anon_vma, not by ${rmap}`);
    if (memCgroup) throw new RangeError('huge pages are charged to no memory cgroup');
    hugePagesInit(transparentHugePages);
    if (options.khugepaged === true) yield* khugepagedInit();
    if (transparentHugePages.zeroPage === true) yield* hugeZeroPageInit();
  }
  yield* mmAllLocksInit();
  yield* mmOptionsInit({ ...MODERN_MM, ...mm });
}

/** A kernel thread to be started after boot. It never ends. */
export interface BackgroundTask {
  readonly name: string;
  readonly body: () => Op<void>;
}

/** The kernel threads that memory management needs. */
export const backgroundTasks: readonly BackgroundTask[] = [
  { name: 'kswapd', body: kswapd },
  { name: 'pdflush', body: pdflush },
];

/** Collapses small pages into huge ones, until {@link shutdown}. Where boot was told so. */
export const khugepagedTask: BackgroundTask = { name: 'khugepaged', body: () => khugepaged(swapInForCollapse) };

/** What the machine calls at its own events, on the CPU in question. Fits the simulator's `hooks`. */
export const machineHooks = {
  onContextSwitch: (): Op<void> => rcuNoteContextSwitch(),
  onTick: (cpu: number, user: boolean): Op<void> => tick(cpu, user),
  onSoftirq: (): Op<void> => softirq(),
  onIdle: (): Op<void> => rcuIdle(),
} as const;

function* tick(cpu: number, user: boolean): Op<void> {
  if (cpu === 0 && khugepagedRuns()) yield* khugepagedTick();
  if (yield* rcuPending()) yield* rcuCheckCallbacks(user);
}

function* softirq(): Op<void> {
  if (yield* rcuPending()) yield* rcuProcessCallbacks();
}

/** The disk's completion interrupt. */
export const diskInterrupt = (request: Ptr<unknown>): Op<void> => bioEndIo(request as Ptr<Bio>);

/**
 * Brings memory to rest, so that what must hold at rest can be looked at: files written, reads over, pagevecs emptied.
 *
 * *Context*: the last task; other CPUs are idle. *Returns* the first error of writing a file.
 */
export function* settle(inodes: readonly Ptr<Inode>[]): Op<number> {
  let error = 0;
  yield* waitForKswapd();
  for (const inode of inodes) {
    const result = yield* filemapWriteAndWait(Inode.data(inode));
    error ||= result;
    yield* waitForReads(Inode.data(inode));
  }
  yield* waitForSwap();
  for (let cpu = 0; cpu < onlineCpus(); cpu++) yield* drainCpuPagevecs(cpu);
  return error;
}

/** {@link settle}, without khugepaged, and no RCU callback is left. *Context*: as that; every CPU's tick must run. */
export function* shutdown(inodes: readonly Ptr<Inode>[]): Op<number> {
  yield* stopKhugepaged();
  const error = yield* settle(inodes);
  yield* rcuBarrier();
  return error;
}

/** Pages on their way to or from their places. */
function* waitForSwap(): Op<void> {
  for (let next = 0; ; ) {
    const pages = yield* findGetPages(swapperSpace, next, PAGEVEC_SIZE);
    if (pages.length === 0) return;
    for (const page of pages) {
      next = Math.max(next, (yield* readOnce(Page.private(page))) + 1);
      yield* waitOnPageLocked(page);
      yield* waitOnPageWriteback(page);
    }
    yield* releasePages(pages);
  }
}

/** Read-ahead may be under way still: the disk holds the lock of its pages. */
function* waitForReads(mapping: Ptr<AddressSpace>): Op<void> {
  for (let next = 0; ; ) {
    const pages = yield* findGetPages(mapping, next, PAGEVEC_SIZE);
    if (pages.length === 0) return;
    for (const page of pages) {
      yield* waitOnPageLocked(page);
      next = Math.max(next, yield* readOnce(Page.index(page))) + 1;
    }
    yield* releasePages(pages);
  }
}
