// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr, Ref, StructOf, Vec } from '@lockless/cpu';
import {
  atomicAdd,
  atomicRead,
  definePerCpu,
  defineStatic,
  defineWord,
  load,
  localIrqRestore,
  localIrqSave,
  NR_CPUS,
  peek,
  poke,
  smpProcessorId,
  store,
  struct,
} from '@lockless/cpu';

/* mm/vmstat.c, 2.6.27: events, which only grow, and the zone's state, which decisions are made on. */

const EVENTS = [
  'pgalloc',
  'pgfree',
  'pgactivate',
  'pgdeactivate',
  'pgfault',
  'pgmajfault',
  'pgrefill',
  'pgsteal',
  'pgscan_kswapd',
  'pgscan_direct',
  'kswapd_steal',
  'pageoutrun',
  'allocstall',
  'pgrotated',
  'pgpgin',
  'pgpgout',
  'pswpin',
  'pswpout',
  'pginvalidated',
  'find_get_page_lookups',
  'speculative_get_failed',
  'speculative_slot_moved',
  'readahead_pages',
  'filemap_hit',
  'filemap_miss',
  'remove_mapping_failed',
  'thp_fault_alloc',
  'thp_collapse_alloc',
  'thp_collapse_alloc_failed',
  'pages_collapsed',
  'thp_fault_fallback',
  'thp_split',
  'pgmigrate_success',
  'pgmigrate_fail',
] as const;
export type VmEventName = (typeof EVENTS)[number];
/** An event, as {@link countVmEvent} takes it. */
export type VmEventItem = number & { readonly vmEvent: never };
const event = (name: VmEventName): VmEventItem => EVENTS.indexOf(name) as VmEventItem;

export const PGALLOC: VmEventItem = event('pgalloc');
export const PGFREE: VmEventItem = event('pgfree');
export const PGACTIVATE: VmEventItem = event('pgactivate');
export const PGDEACTIVATE: VmEventItem = event('pgdeactivate');
export const PGFAULT: VmEventItem = event('pgfault');
export const PGMAJFAULT: VmEventItem = event('pgmajfault');
export const PGREFILL: VmEventItem = event('pgrefill');
export const PGSTEAL: VmEventItem = event('pgsteal');
export const PGSCAN_KSWAPD: VmEventItem = event('pgscan_kswapd');
export const PGSCAN_DIRECT: VmEventItem = event('pgscan_direct');
export const KSWAPD_STEAL: VmEventItem = event('kswapd_steal');
/** Rounds of kswapd. */
export const PAGEOUTRUN: VmEventItem = event('pageoutrun');
/** Allocations that had to reclaim by themselves. */
export const ALLOCSTALL: VmEventItem = event('allocstall');
export const PGROTATED: VmEventItem = event('pgrotated');
export const PGPGIN: VmEventItem = event('pgpgin');
export const PGPGOUT: VmEventItem = event('pgpgout');
/** Pages read from and written to swap areas. */
export const PGMIGRATE_SUCCESS: VmEventItem = event('pgmigrate_success');
export const PGMIGRATE_FAIL: VmEventItem = event('pgmigrate_fail');
export const PSWPIN: VmEventItem = event('pswpin');
export const PSWPOUT: VmEventItem = event('pswpout');
/* From here on ours: what the lookup protocol meets. */
export const PGINVALIDATED: VmEventItem = event('pginvalidated');
export const FIND_GET_PAGE_LOOKUPS: VmEventItem = event('find_get_page_lookups');
/** Lookup, step 2: the count was 0. */
export const SPECULATIVE_GET_FAILED: VmEventItem = event('speculative_get_failed');
/** Lookup, step 3: another page was in the slot. */
export const SPECULATIVE_SLOT_MOVED: VmEventItem = event('speculative_slot_moved');
/** Pages that read-ahead asked for. */
export const READAHEAD_PAGES: VmEventItem = event('readahead_pages');
export const FILEMAP_HIT: VmEventItem = event('filemap_hit');
export const FILEMAP_MISS: VmEventItem = event('filemap_miss');
/** Remover: somebody held a reference at step A, or the page had become dirty. */
export const REMOVE_MAPPING_FAILED: VmEventItem = event('remove_mapping_failed');

/* Transparent huge pages, since 2.6.39. */
export const THP_FAULT_ALLOC: VmEventItem = event('thp_fault_alloc');
/** No block was free: small pages instead. */
export const THP_FAULT_FALLBACK: VmEventItem = event('thp_fault_fallback');
/** A block was had for pages that are to be collapsed; was not; and pages were. (The last is khugepaged's own counter in Linux, in sysfs.) */
export const THP_COLLAPSE_ALLOC: VmEventItem = event('thp_collapse_alloc');
export const THP_COLLAPSE_ALLOC_FAILED: VmEventItem = event('thp_collapse_alloc_failed');
export const PAGES_COLLAPSED: VmEventItem = event('pages_collapsed');
export const THP_SPLIT: VmEventItem = event('thp_split');

const STATES = [
  'nr_free_pages',
  'nr_inactive_anon',
  'nr_active_anon',
  'nr_inactive_file',
  'nr_active_file',
  'nr_anon_pages',
  'nr_mapped',
  'nr_file_pages',
  'nr_dirty',
  'nr_writeback',
  'nr_vmscan_write',
  'nr_anon_transparent_hugepages',
] as const;
export type ZoneStatName = (typeof STATES)[number];
/** A state counter of the zone, as {@link modZonePageState} takes it. */
export type ZoneStatItem = number & { readonly zoneStat: never };
const state = (name: ZoneStatName): ZoneStatItem => STATES.indexOf(name) as ZoneStatItem;

export const NR_FREE_PAGES: ZoneStatItem = state('nr_free_pages');
/** The four LRU lists, in the order of their LRU_* numbers. */
export const NR_LRU_BASE: ZoneStatItem = state('nr_inactive_anon');
export const NR_INACTIVE_ANON: ZoneStatItem = state('nr_inactive_anon');
export const NR_ACTIVE_ANON: ZoneStatItem = state('nr_active_anon');
export const NR_INACTIVE_FILE: ZoneStatItem = state('nr_inactive_file');
export const NR_ACTIVE_FILE: ZoneStatItem = state('nr_active_file');
/** Mapped anonymous pages. */
export const NR_ANON_PAGES: ZoneStatItem = state('nr_anon_pages');
/** Mapped file pages. */
export const NR_FILE_MAPPED: ZoneStatItem = state('nr_mapped');
/** Pages in the page cache. */
export const NR_FILE_PAGES: ZoneStatItem = state('nr_file_pages');
export const NR_FILE_DIRTY: ZoneStatItem = state('nr_dirty');
export const NR_WRITEBACK: ZoneStatItem = state('nr_writeback');
/** Pages that reclaim itself gave to the disk. */
export const NR_VMSCAN_WRITE: ZoneStatItem = state('nr_vmscan_write');
/** Mapped huge pages, each counted once; not in NR_ANON_PAGES. */
export const NR_ANON_TRANSPARENT_HUGEPAGES: ZoneStatItem = state('nr_anon_transparent_hugepages');

interface PerCpuCounters {
  events: Vec<number>;
  /** What this CPU has not yet added to the zone's counters. */
  diffs: Vec<number>;
}
const PerCpuCounters: StructOf<PerCpuCounters> = struct<PerCpuCounters>('vm_counters', {
  events: EVENTS.length,
  diffs: STATES.length,
});
const counters: (cpu: number) => Ptr<PerCpuCounters> = definePerCpu(PerCpuCounters, 'vm_counters');

interface ZoneState {
  counts: Vec<number>;
}
const ZoneState: StructOf<ZoneState> = struct<ZoneState>('vm_stat', { counts: STATES.length });
const zoneState: Ptr<ZoneState> = defineStatic(ZoneState, 'vm_stat');
/** A CPU keeps at most so much to itself. Written at boot. */
const statThreshold: Ref<number> = defineWord('stat_threshold');

/** CONFIG_VM_EVENT_COUNTERS is not set. Written at boot. */
const noEventCounters: Ref<number> = defineWord('no_vm_event_counters');

/** Boots without event counters: for the checker, to which a loop that counts its rounds is never the same loop twice. */
export const disableVmEventCounters = (): void => poke(noEventCounters, 1);

/** refresh_zone_stat_thresholds(): 125 at most, less on small machines. Boot. */
export function initZoneStat(pages: number, nrCpus: number): void {
  const bits = (n: number): number => 32 - Math.clz32(n);
  poke(statThreshold, Math.min(125, 2 * bits(nrCpus) * (1 + bits(pages >> 15))));
}

/**
 * count_vm_events(). *Context*: any. *Differs*: on x86 the increment is one instruction on memory of this CPU, so no interrupt splits it;
 * here interrupts are off for it.
 */
export function* countVmEvents(item: VmEventItem, delta: number): Op<void> {
  if (peek(noEventCounters) !== 0) return;
  const flags = localIrqSave();
  const counter = PerCpuCounters.events(counters(smpProcessorId()), item);
  yield* store(counter, (yield* load(counter)) + delta);
  localIrqRestore(flags);
}

/** count_vm_event(). */
export const countVmEvent = (item: VmEventItem): Op<void> => countVmEvents(item, 1);

/**
 * mod_zone_page_state(). *Context*: any. Each CPU collects changes and adds them to the shared counter when they pass a threshold, so the
 * shared value is off by at most threshold * CPUs. *Source*: mm/vmstat.c, 2.6.27.
 */
export function* modZonePageState(item: ZoneStatItem, delta: number): Op<void> {
  const flags = localIrqSave();
  const diff = PerCpuCounters.diffs(counters(smpProcessorId()), item);
  const sum = (yield* load(diff)) + delta;
  if (Math.abs(sum) > peek(statThreshold)) {
    yield* atomicAdd(sum, ZoneState.counts(zoneState, item));
    yield* store(diff, 0);
  } else {
    yield* store(diff, sum);
  }
  localIrqRestore(flags);
}

/** global_page_state(): approximate, never negative. For decisions of kernel code. */
export function* globalPageState(item: ZoneStatItem): Op<number> {
  return Math.max(0, yield* atomicRead(ZoneState.counts(zoneState, item)));
}

/** What was counted so far, all CPUs. For tools, from outside the machine. */
export function vmEvents(): Record<VmEventName, number> {
  const sum = (item: number): number => {
    let total = 0;
    for (let cpu = 0; cpu < NR_CPUS; cpu++) total += peek(PerCpuCounters.events(counters(cpu), item));
    return total;
  };
  return Object.fromEntries(EVENTS.map((name, item) => [name, sum(item)])) as Record<VmEventName, number>;
}

/** The zone's counters, exact: shared value and what CPUs keep to themselves. For tools, from outside the machine. */
export function zonePageState(): Record<ZoneStatName, number> {
  const sum = (item: number): number => {
    let total = peek(ZoneState.counts(zoneState, item));
    for (let cpu = 0; cpu < NR_CPUS; cpu++) total += peek(PerCpuCounters.diffs(counters(cpu), item));
    return total;
  };
  return Object.fromEntries(STATES.map((name, item) => [name, sum(item)])) as Record<ZoneStatName, number>;
}
