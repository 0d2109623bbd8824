// SPDX-License-Identifier: GPL-2.0-only
import type { Ptr, StructOf } from '@lockless/cpu';
import { defineStatic, omitGuards, peek, poke, struct } from '@lockless/cpu';

/**
 * Which lookup protocol the machine runs. 'freeze-refs': 2.6.27, RCU lookup and speculative reference, removers freeze the count.
 * 'nonewrefs': the patch of 2006 that was never merged, the same lookup, but removers set a page flag for which it waits. 'tree-lock': 2.6.26,
 * lookups hold tree_lock, an rwlock, for reading.
 */
export type Generation = 'freeze-refs' | 'nonewrefs' | 'tree-lock';
/** By {@link generation}'s numbers. */
export const GENERATIONS: readonly Generation[] = ['freeze-refs', 'nonewrefs', 'tree-lock'];
const NO_NEW_REFS = 1;
const TREE_LOCK = 2;

export interface ReadaheadOptions {
  /** Whose window computation: 2.6.27's on-demand read-ahead, or 6.18's. */
  readonly model: '2.6.27' | '6.18';
  /** Largest window in pages; 32 = 128 KiB. */
  readonly raPages: number;
  /** Largest request that the disk likes, in pages (bdi->io_pages); a read larger than raPages may use it. 6.18 only. */
  readonly ioPages: number;
  /** The file system has large folios (ext4 since 6.16, xfs): windows are aligned and marked by folio. 6.18 only. */
  readonly largeFolios: boolean;
}

export interface WritebackOptions {
  /** Dirty pages at which pdflush starts to write. */
  readonly backgroundThresholdPages: number;
  /** Dirty pages at which writers must write themselves. */
  readonly dirtyThresholdPages: number;
}

export interface SwapOptions {
  /** page-cluster: a swap-in reads up to 2^n places; 0: one. Default 3. */
  readonly pageCluster: number;
  /** 0 to 100: how much rather anonymous pages are reclaimed than before. Default 60. */
  readonly swappiness: number;
}

export interface PagecacheOptions {
  readonly generation?: Generation;
  /** Guards to leave out (cpu's guards()), so that a tool proves that it finds what they prevent. */
  readonly without?: readonly string[];
  readonly readahead?: Partial<ReadaheadOptions>;
  readonly writeback?: Partial<WritebackOptions>;
  readonly swap?: Partial<SwapOptions>;
  /** Pages that invalidation has to leave in the cache go to the end of the inactive list, as since 2.6.39. Default false. */
  readonly deactivate?: boolean;
}

interface PagecacheConfig {
  generation: number;
  modernReadahead: number;
  raPages: number;
  ioPages: number;
  largeFolios: number;
  backgroundThreshold: number;
  dirtyThreshold: number;
  pageCluster: number;
  swappiness: number;
  deactivate: number;
}
const PagecacheConfig: StructOf<PagecacheConfig> = struct<PagecacheConfig>('pagecache_config', {
  generation: 1,
  modernReadahead: 1,
  raPages: 1,
  ioPages: 1,
  largeFolios: 1,
  backgroundThreshold: 1,
  dirtyThreshold: 1,
  pageCluster: 1,
  swappiness: 1,
  deactivate: 1,
});
/** Written at boot, constant after it, so reading it is no access. */
const config: Ptr<PagecacheConfig> = defineStatic(PagecacheConfig, 'pagecache_config');

/** VM_MAX_READAHEAD of 128 KiB. */
export const DEFAULT_RA_PAGES = 32;

/** Stores what the machine was booted with. */
export function configure(options: PagecacheOptions): void {
  const { readahead = {}, writeback = {}, swap = {} } = options;
  const raPages = readahead.raPages ?? DEFAULT_RA_PAGES;
  omitGuards(options.without ?? []);
  poke(PagecacheConfig.generation(config), GENERATIONS.indexOf(options.generation ?? 'freeze-refs'));
  poke(PagecacheConfig.modernReadahead(config), readahead.model === '6.18' ? 1 : 0);
  poke(PagecacheConfig.raPages(config), raPages);
  poke(PagecacheConfig.ioPages(config), Math.max(readahead.ioPages ?? 0, raPages));
  poke(PagecacheConfig.largeFolios(config), readahead.largeFolios ? 1 : 0);
  poke(PagecacheConfig.backgroundThreshold(config), writeback.backgroundThresholdPages ?? 256);
  poke(PagecacheConfig.dirtyThreshold(config), writeback.dirtyThresholdPages ?? 1024);
  poke(PagecacheConfig.pageCluster(config), swap.pageCluster ?? 3);
  poke(PagecacheConfig.swappiness(config), swap.swappiness ?? 60);
  poke(PagecacheConfig.deactivate(config), options.deactivate === true ? 1 : 0);
}

/** Its number: each lookup asks for it. */
export const generation = (): number => peek(PagecacheConfig.generation(config));
/** Lookups hold tree_lock: the generation before 2.6.27. */
export const treeLockGeneration = (): boolean => generation() === TREE_LOCK;
/** Removers set PG_nonewrefs. */
export const noNewRefsGeneration = (): boolean => generation() === NO_NEW_REFS;
export const modernReadahead = (): boolean => peek(PagecacheConfig.modernReadahead(config)) !== 0;
export const defaultRaPages = (): number => peek(PagecacheConfig.raPages(config));
export const ioPages = (): number => peek(PagecacheConfig.ioPages(config));
export const largeFolios = (): boolean => peek(PagecacheConfig.largeFolios(config)) !== 0;
export const backgroundThreshold = (): number => peek(PagecacheConfig.backgroundThreshold(config));
export const deactivatesInvalidated = (): boolean => peek(PagecacheConfig.deactivate(config)) !== 0;
export const dirtyThreshold = (): number => peek(PagecacheConfig.dirtyThreshold(config));
export const pageCluster = (): number => peek(PagecacheConfig.pageCluster(config));
export const swappiness = (): number => peek(PagecacheConfig.swappiness(config));
