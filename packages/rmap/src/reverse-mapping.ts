// SPDX-License-Identifier: GPL-2.0-only
import type { FunctionPointer, Null, Op, Ptr, Ref } from '@lockless/cpu';
import { defineWord, functionPointer, load, NULL, peek, pointedFunction, store } from '@lockless/cpu';
import { type MmStruct, type Page, VmAreaStruct } from '@lockless/mm-types';
import { usePteUnion } from '@lockless/page';
import * as byAnonVma from './anon-vma-prepare.js';
import * as families from './anonmm.js';
import * as byArea from './page-rmap.js';
import { usePtePages } from './pgtable.js';
import type { Pte } from './pte.js';
import type { PteChainSpare } from './pte-chain.js';
import type { SwapResult } from './rmap.js';
import * as walks from './rmap.js';
import * as byFamily from './rmap-anonmm.js';
import * as objrmap from './rmap-objrmap.js';
import * as chains from './rmap-pte-chain.js';
import { type EntryVisit, rmapWalk } from './rmap-walk.js';
import { countRmap } from './rmap-work.js';
import { anonVmaInUse, useNoAnonVma } from './vma.js';

/** What recording an entry may need while spin locks are held; from {@link rmapPrepare}. */
export type RmapSpare = PteChainSpare;

/**
 * What the rest of memory management asks of the reverse mapping; `Context`, `Returns` and `Source` of each are at the implementations:
 * through anon_vma and i_mmap (page-rmap.ts, rmap.ts), through chains of entries (rmap-pte-chain.ts), through both (rmap-objrmap.ts). One is
 * selected at boot. `ptep` is the entry in question, for those that record entries.
 */
export interface ReverseMapping {
  readonly name: string;
  /** Areas have an anon_vma, and mappings are counted in page->_mapcount. Else areas are found by address, and page->pte is in use. */
  readonly anonVmas: boolean;
  /** Which pages list their entries in page->pte. */
  readonly chains: 'of-no-page' | 'of-all-pages' | 'of-anonymous-pages';
  /** Before spin locks are taken: what the next page_add_rmap may use up. *Context*: may sleep. *Returns* null when memory is short. */
  readonly rmapPrepare: () => Op<RmapSpare | null>;
  /** The same for one more, under spin locks. *Returns* false when memory is short. */
  readonly rmapRefill: (spare: RmapSpare) => Op<boolean>;
  /** After the spin locks: gives back what is left. */
  readonly rmapRelease: (spare: RmapSpare) => Op<void>;
  /** Before the first anonymous page of an area. *Context*: mmap_sem. *Returns* 0, -ENOMEM. */
  readonly anonVmaPrepare: (vma: Ptr<VmAreaStruct>) => Op<number>;
  readonly pageAddAnonRmap: AddAnonRmap;
  readonly pageAddNewAnonRmap: AddAnonRmap;
  readonly pageAddFileRmap: (page: Ptr<Page>, ptep: Ref<Pte>, spare: RmapSpare) => Op<void>;
  readonly pageDupRmap: (page: Ptr<Page>, ptep: Ref<Pte>, spare: RmapSpare) => Op<void>;
  readonly pageRemoveRmap: (page: Ptr<Page>, ptep: Ref<Pte>) => Op<void>;
  /** mremap moves the page from one entry to another. *Context*: page table lock of both. */
  readonly pageMoveRmap: (page: Ptr<Page>, from: Ref<Pte>, to: Ref<Pte>, address: number) => Op<void>;
  /** An anonymous page is found at one address, the same in all address spaces: mremap copies a page that others map, and moves the copy. */
  readonly oneAddress: boolean;
  /** A new address space: of exec, or of fork. *Context*: nobody else knows `mm`. *Returns* 0, -ENOMEM. */
  readonly execRmap: (mm: Ptr<MmStruct>) => Op<number>;
  readonly dupRmap: (mm: Ptr<MmStruct>, oldMm: Ptr<MmStruct>) => Op<number>;
  /** The end of it. *Context*: nothing is mapped. */
  readonly exitRmap: (mm: Ptr<MmStruct>) => Op<void>;
  readonly pageReferenced: (page: Ptr<Page>, isLocked: boolean) => Op<number>;
  readonly pageMkclean: (page: Ptr<Page>) => Op<number>;
  readonly tryToUnmap: (page: Ptr<Page>, migration: boolean) => Op<SwapResult>;
  /** Finds the migration entries that try_to_unmap() left; null where it leaves none, because nothing would find them. */
  readonly rmapWalk: ((page: Ptr<Page>, visit: EntryVisit) => Op<void>) | null;
}

type AddAnonRmap = (
  page: Ptr<Page>,
  vma: Ptr<VmAreaStruct>,
  address: number,
  ptep: Ref<Pte>,
  spare: RmapSpare,
) => Op<void>;

/** For those that allocate nothing for an entry. */
export const NO_SPARE: RmapSpare = Object.freeze({ chain: NULL });
function* nothingToPrepare(): Op<RmapSpare> {
  return NO_SPARE;
}
function* nothingToRefill(): Op<boolean> {
  return true;
}
function* nothing(): Op<void> {}
function* nothingToJoin(): Op<number> {
  return 0;
}

/** Through the areas: anon_vma for anonymous pages, i_mmap for file pages, as merged in 2.6.7. */
export const areaReverseMapping: ReverseMapping = {
  name: 'anon-vma',
  anonVmas: true,
  chains: 'of-no-page',
  rmapPrepare: nothingToPrepare,
  rmapRefill: nothingToRefill,
  rmapRelease: nothing,
  anonVmaPrepare: byAnonVma.anonVmaPrepare,
  pageAddAnonRmap: byArea.pageAddAnonRmap,
  pageAddNewAnonRmap: byArea.pageAddNewAnonRmap,
  pageAddFileRmap: byArea.pageAddFileRmap,
  pageDupRmap: byArea.pageDupRmap,
  pageRemoveRmap: byArea.pageRemoveRmap,
  pageMoveRmap: nothing,
  oneAddress: false,
  execRmap: nothingToJoin,
  dupRmap: nothingToJoin,
  exitRmap: nothing,
  pageReferenced: walks.pageReferenced,
  pageMkclean: walks.pageMkclean,
  tryToUnmap: walks.tryToUnmap,
  rmapWalk,
};

/** A chain of entries for each page, as in 2.6.5. */
export const pteChainReverseMapping: ReverseMapping = {
  name: 'pte-chain',
  anonVmas: false,
  chains: 'of-all-pages',
  rmapPrepare: chains.rmapPrepare,
  rmapRefill: chains.rmapRefill,
  rmapRelease: chains.rmapRelease,
  anonVmaPrepare: chains.markHasAnon,
  pageAddAnonRmap: chains.pageAddAnonRmap,
  pageAddNewAnonRmap: chains.pageAddAnonRmap,
  pageAddFileRmap: chains.pageAddRmap,
  pageDupRmap: chains.pageAddRmap,
  pageRemoveRmap: chains.pageRemoveRmap,
  pageMoveRmap: chains.pageMoveRmap,
  oneAddress: false,
  execRmap: nothingToJoin,
  dupRmap: nothingToJoin,
  exitRmap: nothing,
  pageReferenced: chains.pageReferenced,
  pageMkclean: chains.pageMkclean,
  tryToUnmap: chains.tryToUnmap,
  rmapWalk: null,
};

/** Chains for anonymous pages, areas for pages of files: Dave McCracken's objrmap, in the -mm and -mjb trees of 2003 and 2004. */
export const objReverseMapping: ReverseMapping = {
  ...pteChainReverseMapping,
  name: 'objrmap',
  chains: 'of-anonymous-pages',
  pageAddAnonRmap: objrmap.pageAddAnonRmap,
  pageAddNewAnonRmap: objrmap.pageAddAnonRmap,
  pageAddFileRmap: objrmap.pageAddRmap,
  pageDupRmap: objrmap.pageAddRmap,
  pageRemoveRmap: objrmap.pageRemoveRmap,
  pageMoveRmap: objrmap.pageMoveRmap,
  pageReferenced: objrmap.pageReferenced,
  pageMkclean: objrmap.pageMkclean,
  tryToUnmap: objrmap.tryToUnmap,
};

/** Areas for pages of files, families of address spaces for anonymous pages: Hugh Dickins' anonmm, the other candidate for 2.6.7. */
export const anonmmReverseMapping: ReverseMapping = {
  name: 'anonmm',
  anonVmas: false,
  chains: 'of-no-page',
  rmapPrepare: nothingToPrepare,
  rmapRefill: nothingToRefill,
  rmapRelease: nothing,
  anonVmaPrepare: chains.markHasAnon,
  pageAddAnonRmap: byFamily.pageAddAnonRmap,
  pageAddNewAnonRmap: byFamily.pageAddAnonRmap,
  pageAddFileRmap: byFamily.pageAddFileRmap,
  pageDupRmap: byFamily.pageDupRmap,
  pageRemoveRmap: byFamily.pageRemoveRmap,
  pageMoveRmap: byFamily.pageMoveRmap,
  oneAddress: true,
  execRmap: families.execRmap,
  dupRmap: families.dupRmap,
  exitRmap: families.exitRmap,
  pageReferenced: byFamily.pageReferenced,
  pageMkclean: walks.pageMkclean,
  tryToUnmap: byFamily.tryToUnmap,
  rmapWalk: byFamily.rmapWalk,
};

/** The reverse mappings that come with the package. */
export const RMAP_DESIGNS = ['anon-vma', 'pte-chain', 'objrmap', 'anonmm'] as const;
export type RmapDesign = (typeof RMAP_DESIGNS)[number];

const designs: Readonly<Record<RmapDesign, FunctionPointer<ReverseMapping>>> = {
  'anon-vma': functionPointer('anon_vma', areaReverseMapping),
  'pte-chain': functionPointer('pte_chain', pteChainReverseMapping),
  objrmap: functionPointer('objrmap', objReverseMapping),
  anonmm: functionPointer('anonmm', anonmmReverseMapping),
};

const selected: Ref<FunctionPointer<ReverseMapping> | Null> = defineWord('reverse_mapping');

/** Puts an implementation in: one of the designs, or another. *Context*: boot, before anything is mapped. */
export function* selectReverseMapping(implementation: RmapDesign | FunctionPointer<ReverseMapping>): Op<void> {
  const pointer = typeof implementation === 'string' ? designs[implementation] : implementation;
  yield* store(selected, pointer);
  const { anonVmas, chains } = pointedFunction(pointer);
  if (anonVmas) return;
  usePteUnion(chains);
  useNoAnonVma();
  if (chains !== 'of-no-page') usePtePages();
}

/** The one that is selected. */
export const inUse = (): ReverseMapping => {
  const pointer = peek(selected); // constant after boot
  return pointer === NULL ? areaReverseMapping : pointedFunction(pointer);
};

/** Pages of files are counted, and found at their linear place only, unless they have a chain. */
export const usesObjrmap = (): boolean => inUse().chains === 'of-anonymous-pages';

/** What a fault has to ask of a page that it was given, before it maps it. *Context*: page locked. */
export function* pageFromFault(page: Ptr<Page>): Op<void> {
  if (usesObjrmap()) yield* objrmap.setPageAnonUnlessOfFile(page);
}

/** See {@link ReverseMapping}. */
export const rmapPrepare = (): Op<RmapSpare | null> => inUse().rmapPrepare();
/** See {@link ReverseMapping}. */
export const rmapRefill = (spare: RmapSpare): Op<boolean> => inUse().rmapRefill(spare);
/** See {@link ReverseMapping}. */
export const rmapRelease = (spare: RmapSpare): Op<void> => inUse().rmapRelease(spare);
/** See {@link ReverseMapping}. */
export const anonVmaPrepare = (vma: Ptr<VmAreaStruct>): Op<number> => inUse().anonVmaPrepare(vma);
/** Whether an area may have anonymous pages: what fork must copy, because the child cannot fault it in. *Context*: mmap_sem for write. */
export function* mayHaveAnon(vma: Ptr<VmAreaStruct>): Op<boolean> {
  return (yield* anonVmaInUse() ? load(VmAreaStruct.anonVma(vma)) : load(VmAreaStruct.hasAnon(vma))) !== 0;
}
/** See {@link ReverseMapping}. */
export const pageAddAnonRmap: AddAnonRmap = (page, vma, address, ptep, spare) => {
  countRmap('added');
  return inUse().pageAddAnonRmap(page, vma, address, ptep, spare);
};
/** See {@link ReverseMapping}. */
export const pageAddNewAnonRmap: AddAnonRmap = (page, vma, address, ptep, spare) => {
  countRmap('added');
  return inUse().pageAddNewAnonRmap(page, vma, address, ptep, spare);
};
/** See {@link ReverseMapping}. */
export const pageAddFileRmap = (page: Ptr<Page>, ptep: Ref<Pte>, spare: RmapSpare): Op<void> => {
  countRmap('added');
  return inUse().pageAddFileRmap(page, ptep, spare);
};
/** See {@link ReverseMapping}. */
export const pageDupRmap = (page: Ptr<Page>, ptep: Ref<Pte>, spare: RmapSpare): Op<void> => {
  countRmap('added');
  return inUse().pageDupRmap(page, ptep, spare);
};
/** See {@link ReverseMapping}. */
export const pageRemoveRmap = (page: Ptr<Page>, ptep: Ref<Pte>): Op<void> => {
  countRmap('removed');
  return inUse().pageRemoveRmap(page, ptep);
};
/** See {@link ReverseMapping}. */
export const pageMoveRmap = (page: Ptr<Page>, from: Ref<Pte>, to: Ref<Pte>, address: number): Op<void> =>
  inUse().pageMoveRmap(page, from, to, address);
/** See {@link ReverseMapping}. */
export const anonPagesHaveOneAddress = (): boolean => inUse().oneAddress;
/** See {@link ReverseMapping}. */
export const execRmap = (mm: Ptr<MmStruct>): Op<number> => inUse().execRmap(mm);
/** See {@link ReverseMapping}. */
export const dupRmap = (mm: Ptr<MmStruct>, oldMm: Ptr<MmStruct>): Op<number> => inUse().dupRmap(mm, oldMm);
/** See {@link ReverseMapping}. */
export const exitRmap = (mm: Ptr<MmStruct>): Op<void> => inUse().exitRmap(mm);
/** See {@link ReverseMapping}. */
export const pageReferenced = (page: Ptr<Page>, isLocked: boolean): Op<number> =>
  inUse().pageReferenced(page, isLocked);
/** See {@link ReverseMapping}. */
export const pageMkclean = (page: Ptr<Page>): Op<number> => inUse().pageMkclean(page);
/** See {@link ReverseMapping}. */
export const tryToUnmap = (page: Ptr<Page>, migration: boolean): Op<SwapResult> => inUse().tryToUnmap(page, migration);
