// SPDX-License-Identifier: GPL-2.0-only
import { type Ptr, peek } from '@lockless/cpu';
import {
  type Area,
  type ResidentPage,
  residentPages,
  type SwappedPage,
  shmemSwapped,
  swappedPages,
} from '@lockless/mm';
import {
  type MmStruct,
  Page,
  PG_DIRTY,
  PG_HEAD,
  PG_SWAPBACKED,
  PG_TAIL,
  PG_UPTODATE,
  VM_ACCOUNT,
  VM_DONTCOPY,
  VM_EXEC,
  VM_GROWSDOWN,
  VM_HUGEPAGE,
  VM_LOCKED,
  VM_MAYEXEC,
  VM_MAYREAD,
  VM_MAYSHARE,
  VM_MAYWRITE,
  VM_NOHUGEPAGE,
  VM_RAND_READ,
  VM_READ,
  VM_SEQ_READ,
  VM_SHARED,
  VM_WRITE,
} from '@lockless/mm-types';
import { headOf, pageToPfn } from '@lockless/page';
import {
  type AreaSeen,
  nothing,
  PAGE_FLAGS,
  type PageFlag,
  type PageSeen,
  PM_EXCLUSIVE,
  PM_FILE,
  PM_PRESENT,
  type ProcessSeen,
  swapped,
  VM_FLAGS,
  type VmFlag,
} from './observation.js';
import type { OpenFile } from './simulated-file.js';
import { ARENA_BASE, arenaAreas } from './simulated-memory.js';
import { type Resident, sumsOf, swapSumsOf } from './smaps.js';

const VM_FLAG_BITS: Readonly<Record<VmFlag, number>> = {
  rd: VM_READ,
  wr: VM_WRITE,
  ex: VM_EXEC,
  sh: VM_SHARED,
  mr: VM_MAYREAD,
  mw: VM_MAYWRITE,
  me: VM_MAYEXEC,
  ms: VM_MAYSHARE,
  gd: VM_GROWSDOWN,
  lo: VM_LOCKED,
  sr: VM_SEQ_READ,
  rr: VM_RAND_READ,
  dc: VM_DONTCOPY,
  ac: VM_ACCOUNT,
  hg: VM_HUGEPAGE,
  nh: VM_NOHUGEPAGE,
};

/** Reads an address space out of the simulated machine's memory, by peeks. `core`: what mincore said. */
export function readProcess(
  process: number,
  mm: Ptr<MmStruct>,
  files: readonly OpenFile[],
  core: ReadonlyMap<number, boolean>,
): ProcessSeen {
  const resident = new Map(residentPages(mm).map((page) => [page.vpage, page]));
  const away = new Map(swappedPages(mm).map((page) => [page.vpage, page]));
  const found = arenaAreas(mm);
  const pages = found.flatMap(({ start, end }) =>
    Array.from({ length: end - start }, (_, i) =>
      pageSeen(start + i, resident.get(start + i), away.get(start + i), core.get(start + i) === true),
    ),
  );
  return { process, areas: found.map((area) => areaSeen(area, resident, away, files)), pages };
}

function areaSeen(
  area: Area,
  resident: ReadonlyMap<number, ResidentPage>,
  away: ReadonlyMap<number, SwappedPage>,
  files: readonly OpenFile[],
): AreaSeen {
  const inArea = ({ vpage }: { vpage: number }): boolean => vpage >= area.start && vpage < area.end;
  const inside = [...resident.values()].filter(inArea);
  const outside = [...away.values()].filter(inArea);
  const number = files.findIndex(({ ino }) => ino === area.ino);
  const of = area.ino === 0 ? 'anonymous' : number < 0 ? 'shared anonymous' : `file ${number}`;
  return {
    start: area.start - ARENA_BASE,
    end: area.end - ARENA_BASE,
    rights: rightsOf(area.flags),
    of,
    index: area.ino === 0 ? 0 : area.pgoff,
    vmFlags: VM_FLAGS.filter((flag) => (area.flags & VM_FLAG_BITS[flag]) !== 0),
    smaps: {
      ...sumsOf(inside.flatMap(asResident), (area.flags & VM_LOCKED) !== 0),
      ...swapSumsOf(
        outside.map(({ swapcount }) => swapcount),
        fileSwapped(area, resident),
      ),
    },
  };
}

/**
 * Pages of a file in memory that are in swap, of those that an area shows: all of them, or, where the area has copies of its own, those that it has
 * nothing else for. *Source*: `smap_gather_stats`, fs/proc/task_mmu.c, 6.18.
 */
function fileSwapped(area: Area, resident: ReadonlyMap<number, ResidentPage>): number {
  const copies = (area.flags & VM_SHARED) === 0 && (area.flags & VM_WRITE) !== 0;
  return shmemSwapped().filter(({ ino, index }) => {
    const vpage = area.start + (index - area.pgoff);
    return ino === area.ino && vpage >= area.start && vpage < area.end && !(copies && resident.has(vpage));
  }).length;
}

/** VM_MAYSHARE, not VM_SHARED: what the program asked for. */
const rightsOf = (flags: number): string =>
  `${flags & VM_READ ? 'r' : '-'}${flags & VM_WRITE ? 'w' : '-'}${flags & VM_EXEC ? 'x' : '-'}${flags & VM_MAYSHARE ? 's' : 'p'}`;

/** The zero page is no resident page. */
function asResident(page: ResidentPage): Resident[] {
  if (page.kind === 'zero') return [];
  const dirty = page.dirty || frameDirty(page);
  const lazyFree = !dirty && page.kind === 'anon' && !folioBit(page, PG_SWAPBACKED);
  return [{ mapcount: page.mapcount, dirty, anonymous: page.kind === 'anon', lazyFree, huge: page.huge }];
}

/** PageDirty. */
const frameDirty = (at: ResidentPage): boolean => folioBit(at, PG_DIRTY);

const pageBit = ({ page }: ResidentPage, bit: number): boolean => (peek(Page.flags(page)) & (1 << bit)) !== 0;

/** Of a huge page most flags are those of its first page. */
const folioBit = ({ page }: ResidentPage, bit: number): boolean => (peek(Page.flags(headOf(page))) & (1 << bit)) !== 0;

/** A number for a place: areas and places in one. */
const PLACES = 1 << 24;

function pageSeen(
  vpage: number,
  at: ResidentPage | undefined,
  away: SwappedPage | undefined,
  mincore: boolean,
): PageSeen {
  const page = vpage - ARENA_BASE;
  if (away !== undefined) return swapped(page, away.type * PLACES + away.offset, mincore);
  if (at === undefined) return nothing(page, 0, mincore);
  const { kind, mapcount } = at;
  // As pagemap has it: the huge zero page is not anonymous to it; the small one is no page at all.
  // No script maps the memory of a device; pagemap leaves it out.
  if (kind === 'device') return nothing(page, 0, mincore);
  if (kind === 'zero') return { ...nothing(page, PM_PRESENT | (at.huge ? PM_FILE : 0), mincore), kind };
  const pagemap = PM_PRESENT | (kind === 'anon' ? 0 : PM_FILE) | (mapcount === 1 ? PM_EXCLUSIVE : 0);
  const flags = PAGE_FLAGS.filter((flag) => hasFlag(at, flag));
  return {
    page,
    kind,
    pagemap,
    flags,
    frame: pageToPfn(at.page),
    mapcount,
    dirty: kind !== 'anon' && frameDirty(at),
    mincore,
  };
}

/** As kpageflags has it. Files in memory have no other place than swap to go to, nor has anonymous memory unless MADV_FREE gave it up. */
function hasFlag(at: ResidentPage, flag: PageFlag): boolean {
  switch (flag) {
    case 'uptodate':
      return folioBit(at, PG_UPTODATE);
    case 'mmap':
      return at.mapcount > 0;
    case 'anon':
      return at.kind === 'anon';
    case 'swapbacked':
      return at.kind === 'anon' ? folioBit(at, PG_SWAPBACKED) : at.kind === 'shmem';
    case 'head':
      return pageBit(at, PG_HEAD);
    case 'tail':
      return pageBit(at, PG_TAIL);
    case 'thp':
      return pageBit(at, PG_HEAD) || pageBit(at, PG_TAIL);
  }
}
