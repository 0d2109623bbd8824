// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr } from '@lockless/cpu';
import { defineStatic, KernelBug, Mutex, mutexInit, NULL, peek, store } from '@lockless/cpu';
import {
  type File,
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
import { chainedEntries, freeAreaInit, memMapPages, pfnToPage } from '@lockless/page';
import type { Machine } from '@lockless/simulator';
import type { Pte } from '../src/index.js';
import { mapArea, newFile } from './address-space.js';
import { fillFile } from './memory.js';
import { rmap } from './package-under-test.js';

/** Two stretches of addresses: the first crosses from one pte table to the next, the second has tables of its own at every level. */
export const BASES = [504, 2 ** 27];
export const W = VM_READ | VM_WRITE;
export const SHARED = W | VM_SHARED | VM_MAYSHARE;
/** inode->i_mutex: one truncation at a time. */
export const inodeMutex = defineStatic(Mutex, 'rmap_test_i_mutex');

/** What the tasks of a stress work on, and what the invariants are checked against. */
export interface World {
  readonly mms: Ptr<MmStruct>[];
  file: Ptr<File>;
  cache: readonly Ptr<Page>[];
  /** Pages that the hardware wrote through some entry, and nobody has seen dirty since. */
  readonly written: Set<Ptr<Page>>;
}

export const newWorld = (): World => ({ mms: [], file: 0 as Ptr<File>, cache: [], written: new Set() });

export function broken(what: string): never {
  throw new KernelBug('broken-promise', what);
}

export function* boot(world: World, machine: Machine, pages: number, mms: number): Op<void> {
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

export function lostPage(world: World): string | null {
  const known = new Set([pfnToPage(0), ...world.cache, ...entriesOf(world).map(({ page }) => page)]);
  for (let pfn = 0; pfn < memMapPages(); pfn++) {
    const page = pfnToPage(pfn);
    if (peek(Page._count(page)) > 0 && !known.has(page)) return `page ${pfn} is in use and nobody has it`;
  }
  return null;
}

export function lostDirtyMark(world: World): string | null {
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

export function lostObject(world: World, machine: Machine): string | null {
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
