// SPDX-License-Identifier: GPL-2.0-only
import { GFP_KERNEL, NULL, type Op, type Ptr, STATIC_WORDS } from '@lockless/cpu';
import { type BootOptions, boot, ERA_MM, machineHooks } from '@lockless/mm';
import { AddressSpace, type File, FMODE_READ, FMODE_WRITE, Inode, PAGE_SIZE, Page } from '@lockless/mm-types';
import { initZoneStat, lruAddDrain, putPage, setPageUptodate, unlockPage } from '@lockless/page';
import { attachBlockMap, BackingStore, fileOpen, findOrCreatePage, inodeAlloc } from '@lockless/pagecache';
import { Machine } from '@lockless/simulator';
import type { Setting } from './experiment.js';

/** Words for everything but mem_map. */
const HEAP_WORDS = 1 << 20;
/** HZ=1000. */
const TICK_NS = 1e6;

export interface CachedFileOptions extends Setting, Pick<BootOptions, 'generation' | 'rmap'> {
  readonly cpus: number;
  /** Pages of the file. */
  readonly pages: number;
  /** Further page frames. */
  readonly spare?: number;
}

/** A machine with the memory manager of 2.6.27, and one file whose pages are all in the page cache. It needs no disk. */
export class CachedFile {
  readonly machine: Machine;
  readonly pages: number;
  readonly inode: Ptr<Inode>;
  readonly mapping: Ptr<AddressSpace>;

  constructor({ cpus, pages, spare = 1024, seed, caches, ...options }: CachedFileOptions) {
    const memoryPages = pages + spare;
    const memoryWords = STATIC_WORDS + memoryPages * Page.$size + HEAP_WORDS;
    const hooks = machineHooks;
    this.machine = new Machine({ cpus, seed, caches, model: 'sc', memoryWords, timerTick: TICK_NS, hooks });
    this.pages = pages;
    attachBlockMap(new BackingStore());
    // 2.6.5 to 2.6.14 copied the entries of files in fork too.
    const mm = { ...ERA_MM, copyFilePtes: 1 };
    this.machine.boot(boot({ ...options, cpus, memoryPages, minFreeKbytes: 64, mm }));
    this.machine.boot(countersOfLargeMachine(cpus));
    this.inode = this.machine.boot(newInode(pages));
    this.mapping = Inode.data(this.inode);
    this.machine.boot(fillCache(this.mapping, pages));
  }

  /** Virtual ns that CPUs waited for the cache line of tree_lock so far. */
  readonly lockStall = (): number => this.machine.coherence?.stalledAt(AddressSpace.treeLock(this.mapping)) ?? 0;

  /** open(). */
  *open(): Op<Ptr<File>> {
    const file = yield* fileOpen(this.inode, FMODE_READ | FMODE_WRITE);
    if (file === NULL) throw new Error('no memory for a file');
    return file;
  }

  /** Runs a body on each CPU, pinned, from one moment on. *Returns* the virtual ns until the last one is done. */
  run(cpus: number, body: (cpu: number) => Op<void>): number {
    const { machine } = this;
    const start = machine.time;
    for (let cpu = 0; cpu < cpus; cpu++) machine.spawn(`experiment/${cpu}`, () => body(cpu), { cpu });
    const { violation, time } = machine.run();
    if (violation !== null) throw violation;
    return time - start;
  }
}

/**
 * The published machines had 32 GiB and more. How many changes of a counter a CPU keeps to itself depends on that, and on a machine as small as this one
 * the zone's counters would be what 64 CPUs wait for.
 */
function* countersOfLargeMachine(cpus: number): Op<void> {
  initZoneStat(2 ** 23, cpus);
}

function* newInode(pages: number): Op<Ptr<Inode>> {
  const inode = yield* inodeAlloc(1, pages * PAGE_SIZE);
  if (inode === NULL) throw new Error('no memory for an inode');
  return inode;
}

/** As if somebody had read the file. */
function* fillCache(mapping: Ptr<AddressSpace>, pages: number): Op<void> {
  for (let index = 0; index < pages; index++) {
    const page = yield* findOrCreatePage(mapping, index, GFP_KERNEL);
    if (page === NULL) throw new Error(`no memory for page ${index} of the file`);
    yield* setPageUptodate(page);
    yield* unlockPage(page);
    yield* putPage(page);
  }
  yield* lruAddDrain();
}
