// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr, Ref } from '@lockless/cpu';
import {
  atomicCmpxchg,
  condResched,
  defineStatic,
  downRead,
  downWrite,
  KernelBug,
  load,
  Mutex,
  mutexInit,
  mutexLock,
  mutexUnlock,
  NULL,
  omitGuards,
  peek,
  spinLock,
  spinUnlock,
  store,
  upRead,
  upWrite,
} from '@lockless/cpu';
import {
  type AddressSpace,
  File,
  MmStruct,
  NRPTE,
  Page,
  PG_DIRECT,
  PG_DIRTY,
  VM_MAYSHARE,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
  VmAreaStruct,
} from '@lockless/mm-types';
import {
  chainedEntries,
  freeAreaInit,
  getPage,
  getPageUnlessZero,
  lockPage,
  memMapPages,
  pageMapcount,
  pfnToPage,
  putPage,
  setPageDirty,
  testClearPageDirty,
  unlockPage,
} from '@lockless/page';
import { Machine, type MachineOptions, Random, type RunOutcome } from '@lockless/simulator';
import type { Pte, RmapDesign } from '../src/index.js';
import { mapArea, newFile, protectArea } from './address-space.js';
import { faultAnon, faultFile, fillFile, forkMm, munmap } from './memory.js';
import { type Rmap, rmap, withPackage } from './package-under-test.js';

export interface StressOptions extends MachineOptions {
  /** anon-vma by default. */
  readonly rmap?: RmapDesign;
  /** Guards to leave out. */
  readonly without?: readonly string[];
  readonly rounds?: number;
  /** Pages of the file, and of each of the two stretches of addresses; 16 by default. Few make for close races. */
  readonly pages?: number;
  /** Address spaces; 3 by default. */
  readonly mms?: number;
  /** What each task may do; all of it by default. */
  readonly actions?: readonly Action[];
}
export type Action =
  | 'touch'
  | 'remap'
  | 'protect'
  | 'zap'
  | 'fork'
  | 'reclaim'
  | 'look'
  | 'truncate'
  | 'clean'
  | 'install'
  | 'install-elsewhere';
const ALL: readonly Action[] = [
  'touch',
  'touch',
  'remap',
  'protect',
  'zap',
  'fork',
  'reclaim',
  'look',
  'truncate',
  'clean',
];

/** Two stretches of addresses: the first crosses from one pte table to the next, the second has tables of its own at every level. */
const BASES = [504, 2 ** 27];
const W = VM_READ | VM_WRITE;
const SHARED = W | VM_SHARED | VM_MAYSHARE;
/** inode->i_mutex: one truncation at a time. */
const inodeMutex = defineStatic(Mutex, 'rmap_test_i_mutex');

interface World {
  readonly mms: Ptr<MmStruct>[];
  file: Ptr<File>;
  cache: readonly Ptr<Page>[];
  /** Pages that the hardware wrote through some entry, and nobody has seen dirty since. */
  readonly written: Set<Ptr<Page>>;
}

function broken(what: string): never {
  throw new KernelBug('broken-promise', what);
}

/** Tasks on all CPUs map, fault, fork, unmap, reclaim and truncate the same few address spaces and one file. */
export function stress(api: Rmap, options: StressOptions): RunOutcome {
  return withPackage(api, () => {
    const {
      rounds = 40,
      pages = 16,
      mms = 3,
      actions = ALL,
      rmap: design = 'anon-vma',
      without = [],
      ...config
    } = options;
    const machine = new Machine({ timerTick: 20_000, livelockSteps: 200_000, ...config });
    const world: World = { mms: [], file: 0 as Ptr<File>, cache: [], written: new Set() };
    machine.boot(choose(design, without));
    machine.boot(boot(world, machine, pages, mms));
    for (const { name, check } of rmap.rmapInvariants) machine.addInvariant({ name, check: () => check(world.mms) });
    machine.addInvariant({ name: 'no page is lost', check: () => lostPage(world) });
    machine.addInvariant({ name: 'no dirty mark is lost', check: () => lostDirtyMark(world) });
    machine.addInvariant({ name: 'no object is lost', check: () => lostObject(world, machine) });
    for (let id = 0; id <= machine.config.cpus; id++) {
      const random = new Random(machine.config.seed, 100 + id);
      machine.spawn(`task ${id}`, function* () {
        for (let round = 0; round < rounds; round++) yield* act(world, random, actions[random.below(actions.length)]);
      });
    }
    return machine.run({ maxSteps: 8_000_000 });
  });
}

function* choose(design: RmapDesign, without: readonly string[]): Op<void> {
  omitGuards(without);
  yield* rmap.selectReverseMapping(design);
}

function* boot(world: World, machine: Machine, pages: number, mms: number): Op<void> {
  const bootReserve = (words: number): number => machine.heap.reserve(words);
  yield* freeAreaInit({ pages: 512, nrCpus: machine.config.cpus, bootReserve });
  yield* mutexInit(inodeMutex);
  world.file = yield* newFile();
  world.cache = yield* fillFile(world.file, pages);
  for (let pid = 1; pid <= mms; pid++) {
    const mm = (yield* rmap.mmAlloc()) as Ptr<MmStruct>;
    yield* store(MmStruct.ownerPid(mm), pid);
    world.mms.push(mm);
    yield* mapArea(mm, { start: BASES[0], pages, vmFlags: SHARED, file: world.file, pgoff: 0 });
    yield* mapArea(mm, { start: BASES[1], pages, vmFlags: W, file: NULL, pgoff: BASES[1] });
  }
}

function act(world: World, random: Random, action: Action): Op<void> {
  const mm = world.mms[random.below(world.mms.length)];
  const base = BASES[random.below(2)];
  const pages = world.cache.length;
  const from = random.below(pages);
  const range = { start: base + from, end: base + from + 1 + random.below(pages - from), pgoff: from };
  const page = world.cache[random.below(pages)];
  switch (action) {
    case 'touch':
      return touch(world, mm, range, random);
    case 'remap':
      return remap(world, mm, range, random);
    case 'protect':
      return protect(mm, range, random);
    case 'zap':
      return zap(mm, range);
    case 'fork':
      return fork(mm);
    case 'reclaim':
      return reclaim(page);
    case 'look':
      return look(random);
    case 'truncate':
      return truncate(world, page);
    case 'clean':
      return clean(world, page);
    case 'install':
      return install(world, mm, range.start, random);
    case 'install-elsewhere':
      return install(world, mm, range.start, random, page);
  }
}

interface Range {
  readonly start: number;
  readonly end: number;
  readonly pgoff: number;
}

/** Faults on some pages, and writes to those that may be written, as the hardware does: without a lock of the entry. */
function* touch(world: World, mm: Ptr<MmStruct>, range: Range, random: Random): Op<void> {
  yield* downRead(MmStruct.mmapSem(mm));
  for (let address = range.start; address < range.end; address++) {
    const vma = yield* rmap.findVma(mm, address);
    if (vma === NULL || (yield* load(VmAreaStruct.vmStart(vma))) > address) continue;
    const shared = ((yield* load(VmAreaStruct.vmFlags(vma))) & VM_SHARED) !== 0;
    const fromFile = (yield* load(VmAreaStruct.vmFile(vma))) !== NULL && (shared || random.below(2) === 0);
    if (fromFile) yield* faultFile(vma, address, world.cache);
    else yield* faultAnon(vma, address);
  }
  for (let address = range.start; address < range.end; address++) yield* hardwareWrite(world, mm, address);
  yield* upRead(MmStruct.mmapSem(mm));
}

function* hardwareWrite(world: World, mm: Ptr<MmStruct>, address: number): Op<void> {
  const ptep = yield* rmap.pteOffsetMap(mm, address);
  if (ptep === NULL) return;
  const pte = yield* rmap.readPte(ptep);
  const page = pfnToPage(rmap.ptePfn(pte));
  if ((pte & rmap.PTE_PRESENT) === 0 || !rmap.pteWrite(pte) || world.written.has(page)) return;
  // Before the write, because it may be seen as soon as it is done.
  world.written.add(page);
  const seen = yield* atomicCmpxchg(ptep, pte, rmap.pteMkdirty(rmap.pteMkyoung(pte)));
  if (seen !== pte) world.written.delete(page);
}

function* remap(world: World, mm: Ptr<MmStruct>, { start, end, pgoff }: Range, random: Random): Op<void> {
  yield* downWrite(MmStruct.mmapSem(mm));
  yield* munmap(mm, start, end);
  const kind = random.below(4);
  const pages = end - start;
  if (kind === 0) yield* mapArea(mm, { start, pages, vmFlags: W, file: NULL, pgoff: start });
  else if (kind < 3) yield* mapArea(mm, { start, pages, vmFlags: kind === 1 ? SHARED : W, file: world.file, pgoff });
  yield* upWrite(MmStruct.mmapSem(mm));
}

/** mprotect: splits and merges areas, and rewrites the entries, each of which is empty for a moment. */
function* protect(mm: Ptr<MmStruct>, { start, end }: Range, random: Random): Op<void> {
  yield* downWrite(MmStruct.mmapSem(mm));
  yield* protectArea(mm, start, end, random.below(2) === 0 ? VM_READ : W);
  for (let address = start; address < end; ) {
    const run = yield* rmap.nextPteRange(mm, address, end);
    if (run === NULL) break;
    yield* spinLock(rmap.pteLockptr(mm, run.ptes));
    for (address = run.address; address < run.end; address++) {
      const ptep = (run.ptes + (address - run.address)) as Ref<Pte>;
      if (!rmap.ptePresent(yield* rmap.readPte(ptep))) continue;
      yield* rmap.ptepModifyProtCommit(mm, address, ptep, yield* rmap.ptepModifyProtStart(mm, address, ptep));
    }
    yield* spinUnlock(rmap.pteLockptr(mm, run.ptes));
  }
  yield* upWrite(MmStruct.mmapSem(mm));
}

/** madvise(MADV_DONTNEED). */
function* zap(mm: Ptr<MmStruct>, { start, end }: Range): Op<void> {
  yield* downRead(MmStruct.mmapSem(mm));
  const vma = yield* rmap.findVmaIntersection(mm, start, end);
  if (vma !== NULL) {
    const from = Math.max(start, yield* load(VmAreaStruct.vmStart(vma)));
    yield* rmap.zapPageRange(vma, from, Math.min(end, yield* load(VmAreaStruct.vmEnd(vma))));
  }
  yield* upRead(MmStruct.mmapSem(mm));
}

/** A child that lives shortly. */
function* fork(parent: Ptr<MmStruct>): Op<void> {
  const child = yield* rmap.mmAlloc(parent);
  if (child === NULL) return;
  yield* downWrite(MmStruct.mmapSem(parent));
  yield* forkMm(child, parent);
  yield* upWrite(MmStruct.mmapSem(parent));
  yield* munmap(child, 0, rmap.TASK_SIZE);
  yield* rmap.mmdrop(child);
}

/** What reclaim does to a page of the file. "Not mapped" holds until the page is unlocked. */
function* reclaim(page: Ptr<Page>): Op<void> {
  yield* lockPage(page);
  yield* rmap.pageReferenced(page, true);
  if ((yield* rmap.tryToUnmap(page, false)) === rmap.SWAP_SUCCESS) {
    const left = yield* pageMapcount(page);
    if (left !== 0) broken(`try_to_unmap succeeded, and the page has ${left} mappings`);
  }
  yield* unlockPage(page);
}

/** Reclaim's look at any page, which may be unmapped, freed and used for something else at any time before. */
function* look(random: Random): Op<void> {
  const page = pfnToPage(1 + random.below(memMapPages() - 1));
  if (!(yield* getPageUnlessZero(page))) return;
  yield* rmap.pageReferenced(page, false);
  yield* putPage(page);
}

/** Truncation of one page: whoever had it mapped loses it, and until it is back nobody maps it. */
function* truncate(world: World, page: Ptr<Page>): Op<void> {
  const mapping = (yield* load(File.mapping(world.file))) as Ptr<AddressSpace>;
  yield* mutexLock(inodeMutex);
  yield* lockPage(page);
  yield* rmap.unmapMappingRange(mapping, yield* load(Page.index(page)), 1, true);
  const left = yield* pageMapcount(page);
  if (left !== 0) broken(`unmap_mapping_range has passed, and the page has ${left} mappings`);
  yield* store(Page.mapping(page), NULL);
  yield* unlockPage(page);
  yield* lockPage(page);
  yield* store(Page.mapping(page), mapping);
  yield* unlockPage(page);
  yield* mutexUnlock(inodeMutex);
}

/** remap_file_pages() of one page: at its linear place, or `page` where it happens to be. */
function* install(
  world: World,
  mm: Ptr<MmStruct>,
  address: number,
  random: Random,
  elsewhere: Ptr<Page> | Null = NULL,
): Op<void> {
  yield* downRead(MmStruct.mmapSem(mm));
  const vma = yield* rmap.findVma(mm, address);
  if (vma !== NULL && (yield* load(VmAreaStruct.vmStart(vma))) <= address) {
    const flags = yield* load(VmAreaStruct.vmFlags(vma));
    const linear = world.cache[yield* rmap.linearPageIndex(vma, address)];
    const page = elsewhere === NULL ? linear : elsewhere;
    if ((flags & VM_SHARED) !== 0 && random.below(4) > 0) {
      yield* getPage(page);
      if ((yield* rmap.installPage(mm, vma, address, page, rmap.vmGetPageProt(flags))) !== 0) yield* putPage(page);
    }
  }
  yield* upRead(MmStruct.mmapSem(mm));
}

/** clear_page_dirty_for_io(): while the page is locked, no shared entry becomes writable again. */
function* clean(world: World, page: Ptr<Page>): Op<void> {
  yield* lockPage(page);
  if ((yield* rmap.pageMkclean(page)) > 0) yield* setPageDirty(page);
  if (yield* testClearPageDirty(page)) world.written.delete(page);
  const again = yield* rmap.pageMkclean(page);
  if (again > 0) broken(`page_mkclean left ${again} entries that could be written`);
  yield* unlockPage(page);
}

/** The hardware writes through one entry, while it is zapped and made again, over and over. */
export function dirtyStress(api: Rmap, options: MachineOptions): RunOutcome {
  return withPackage(api, () => {
    const machine = new Machine(options);
    const world: World = { mms: [], file: 0 as Ptr<File>, cache: [], written: new Set() };
    const address = BASES[0];
    let zapping = true;
    const random = new Random(machine.config.seed, 100);
    machine.boot(boot(world, machine, 1, 1));
    machine.addInvariant({ name: 'no dirty mark is lost', check: () => lostDirtyMark(world) });
    machine.spawn('hardware', function* () {
      while (zapping) {
        for (let loads = random.below(40); loads > 0; loads--) yield* load(MmStruct.pgd(world.mms[0]));
        yield* hardwareWrite(world, world.mms[0], address);
      }
    });
    machine.spawn('zap', function* () {
      const vma = (yield* rmap.findVma(world.mms[0], address)) as Ptr<VmAreaStruct>;
      for (let round = 0; round < 20; round++) {
        yield* faultFile(vma, address, world.cache);
        yield* rmap.zapPageRange(vma, address, address + 1);
        if (yield* testClearPageDirty(world.cache[0])) world.written.delete(world.cache[0]);
      }
      zapping = false;
    });
    return machine.run({ maxSteps: 1_000_000 });
  });
}

/** One entry is rewritten, and so empty for a moment, over and over, while its page is cleaned. */
export function cleaningStress(api: Rmap, options: MachineOptions): RunOutcome {
  return withPackage(api, () => {
    const machine = new Machine(options);
    const world: World = { mms: [], file: 0 as Ptr<File>, cache: [], written: new Set() };
    machine.boot(boot(world, machine, 1, 1));
    const [mm] = world.mms;
    const [page] = world.cache;
    const address = BASES[0];
    machine.spawn('protect', function* () {
      yield* faultFile((yield* rmap.findVma(mm, address)) as Ptr<VmAreaStruct>, address, world.cache);
      const ptep = yield* rmap.pteOffsetMap(mm, address);
      if (ptep === NULL) broken('the table is gone');
      for (let round = 0; round < 40; round++) {
        yield* lockPage(page);
        yield* rmap.ptepSetAccessFlags(mm, address, ptep, rmap.pteMkwrite(yield* rmap.readPte(ptep)));
        yield* unlockPage(page);
        yield* spinLock(rmap.pteLockptr(mm, ptep));
        yield* rmap.ptepModifyProtCommit(mm, address, ptep, yield* rmap.ptepModifyProtStart(mm, address, ptep));
        yield* spinUnlock(rmap.pteLockptr(mm, ptep));
      }
    });
    machine.spawn('clean', function* () {
      for (let round = 0; round < 20; round++) yield* clean(world, page);
    });
    return machine.run({ maxSteps: 1_000_000 });
  });
}

/**
 * An area with one anonymous page is made and unmapped, over and over, so its anon_vma is freed and at once given to the next; meanwhile
 * others look the page up, and may come upon the anon_vma in its next life.
 */
export function anonVmaReuse(api: Rmap, options: MachineOptions): RunOutcome {
  return withPackage(api, () => {
    const machine = new Machine(options);
    const world: World = { mms: [], file: 0 as Ptr<File>, cache: [], written: new Set() };
    machine.boot(boot(world, machine, 1, 1));
    for (const { name, check } of rmap.rmapInvariants) machine.addInvariant({ name, check: () => check(world.mms) });
    machine.addInvariant({ name: 'no object is lost', check: () => lostObject(world, machine) });
    const [mm] = world.mms;
    const start = BASES[1];
    let page: Ptr<Page> | Null = NULL;
    let going = true;
    machine.spawn('owner', function* () {
      yield* downWrite(MmStruct.mmapSem(mm));
      for (let round = 0; round < 30; round++) {
        yield* munmap(mm, start, start + 1);
        const vma = yield* mapArea(mm, { start, pages: 1, vmFlags: W, file: NULL, pgoff: start });
        yield* faultAnon(vma, start);
        const ptep = yield* rmap.pteOffsetMap(mm, start);
        if (ptep === NULL) broken('the table is gone');
        page = pfnToPage(rmap.ptePfn(yield* rmap.readPte(ptep)));
      }
      going = false;
      yield* upWrite(MmStruct.mmapSem(mm));
    });
    for (let id = 1; id < machine.config.cpus; id++) {
      machine.spawn(`reader ${id}`, function* () {
        while (going) {
          const found = page;
          if (found === NULL) {
            yield* condResched();
            continue;
          }
          if (!(yield* getPageUnlessZero(found))) continue;
          yield* rmap.pageReferenced(found, false);
          yield* putPage(found);
        }
      });
    }
    return machine.run({ maxSteps: 1_000_000 });
  });
}

/** Pages that several address spaces map are converted, one after the other, while their entries are zapped and forked. */
export function conversionRace(api: Rmap, options: StressOptions): RunOutcome {
  return withPackage(api, () => {
    const { without = [], pages = 8, mms = 4, ...config } = options;
    const machine = new Machine(config);
    const world: World = { mms: [], file: 0 as Ptr<File>, cache: [], written: new Set() };
    machine.boot(choose('objrmap', without));
    machine.boot(boot(world, machine, pages, mms));
    machine.boot(faultAll(world));
    for (const { name, check } of rmap.rmapInvariants) machine.addInvariant({ name, check: () => check(world.mms) });
    for (const mm of world.mms) {
      machine.spawn('zap', function* () {
        const vma = (yield* rmap.findVma(mm, BASES[0])) as Ptr<VmAreaStruct>;
        for (let i = 0; i < pages; i++) yield* rmap.zapPageRange(vma, BASES[0] + i, BASES[0] + i + 1);
      });
    }
    machine.spawn('convert', function* () {
      for (const page of world.cache) {
        yield* lockPage(page);
        yield* rmap.pageConvertAnon(page);
        yield* unlockPage(page);
      }
    });
    machine.spawn('fork', () => fork(world.mms[0]));
    return machine.run({ maxSteps: 1_000_000 });
  });
}

function* faultAll(world: World): Op<void> {
  for (const mm of world.mms) {
    const vma = (yield* rmap.findVma(mm, BASES[0])) as Ptr<VmAreaStruct>;
    for (let i = 0; i < world.cache.length; i++) yield* faultFile(vma, BASES[0] + i, world.cache);
  }
}

/** Entries of all address spaces, with the pages they map. */
function entriesOf(world: World): { readonly page: Ptr<Page>; readonly pte: Pte }[] {
  const entries: { readonly page: Ptr<Page>; readonly pte: Pte }[] = [];
  for (const mm of world.mms) {
    rmap.walkMm(mm, (vpage, pte) => {
      const page: Ptr<Page> | Null = rmap.vmNormalPage(NULL, vpage, pte);
      if (page !== NULL) entries.push({ page, pte });
    });
  }
  return entries;
}

function lostPage(world: World): string | null {
  const known = new Set([pfnToPage(0), ...world.cache, ...entriesOf(world).map(({ page }) => page)]);
  for (let pfn = 0; pfn < memMapPages(); pfn++) {
    const page = pfnToPage(pfn);
    if (peek(Page._count(page)) > 0 && !known.has(page)) return `page ${pfn} is in use and nobody has it`;
  }
  return null;
}

function lostDirtyMark(world: World): string | null {
  const dirty = new Set(entriesOf(world).flatMap(({ page, pte }) => (rmap.pteDirty(pte) ? [page] : [])));
  const lost = world.cache.findIndex(
    (page) => world.written.has(page) && !dirty.has(page) && (peek(Page.flags(page)) & (1 << PG_DIRTY)) === 0,
  );
  return lost < 0 ? null : `page ${lost} of the file was written, and is clean`;
}

/** Blocks of chains that are in use: all of a page's but the first are full. */
function chainBlocks(): number {
  let blocks = 0;
  for (let pfn = 0; pfn < memMapPages(); pfn++) {
    const page = pfnToPage(pfn);
    const direct = (peek(Page.flags(page)) & (1 << PG_DIRECT)) !== 0;
    if (!direct) blocks += Math.ceil((chainedEntries(page)?.length ?? 0) / NRPTE);
  }
  return blocks;
}

function lostObject(world: World, machine: Machine): string | null {
  const vmas = world.mms.flatMap(rmap.areasOf).map(({ vma }) => vma);
  const anonVmas = new Set(vmas.map((vma) => peek(VmAreaStruct.anonVma(vma))).filter((anonVma) => anonVma !== NULL));
  const live = (cachep: { readonly id: number }): number => machine.heap.live[cachep.id] ?? 0;
  if (live(rmap.vmAreaCachep) !== vmas.length)
    return `${live(rmap.vmAreaCachep)} areas are allocated, ${vmas.length} in use`;
  const blocks = chainBlocks();
  const spare = live(rmap.pteChainCachep) - blocks;
  // Each CPU may keep one.
  if (spare < 0 || spare > machine.config.cpus) return `${blocks + spare} pte_chains are allocated, ${blocks} in use`;
  if (live(rmap.anonVmaCachep) !== anonVmas.size)
    return `${live(rmap.anonVmaCachep)} anon_vmas are allocated, ${anonVmas.size} in use`;
  return live(rmap.mmCachep) === world.mms.length ? null : `${live(rmap.mmCachep)} mms are allocated`;
}

/** What went wrong in a run, or null. */
export function wrongIn({ status, violation }: RunOutcome): string | null {
  return violation === null ? (status === 'finished' ? null : status) : `${violation.kind}: ${violation.report()}`;
}
