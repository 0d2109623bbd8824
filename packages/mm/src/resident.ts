// SPDX-License-Identifier: GPL-2.0-only
import { NULL, type Ptr, peek } from '@lockless/cpu';
import {
  AddressSpace,
  File,
  Inode,
  MmStruct,
  PAGE_MAPPING_ANON,
  Page,
  PG_UPTODATE,
  VmAreaStruct,
} from '@lockless/mm-types';
import { headOf, mapcountOf, pfnToPage } from '@lockless/page';
import { cachedPages, swapAreas, swapperSpace } from '@lockless/pagecache';
import {
  isSwapPte,
  nonSwapEntry,
  type Pte,
  pmdTransHuge,
  pteDirty,
  ptePfn,
  ptePresent,
  pteToSwpEntry,
  pteWrite,
  pteYoung,
  showsDevice,
  swpOffset,
  swpType,
  vmNormalPage,
  walkMm,
} from '@lockless/rmap';
import { shmemAops } from './shmem.js';

/* What a tool reads of an address space, from outside the machine and without an access: the oracle's side of /proc. */

/** Resident pages. `file` and `anon` are the counters that Linux keeps. */
export interface Rss {
  readonly file: number;
  readonly anon: number;
}

/** Entries that name a place in a swap area, as the mm counts them. */
export const swapentsOf = (mm: Ptr<MmStruct>): number => peek(MmStruct.swapents(mm));

/** rss_stat without shmem: two words. Of 2.6.27's counters, `file` contains shmem pages; {@link residentPages} tells them apart. */
export const rssOf = (mm: Ptr<MmStruct>): Rss => ({
  file: peek(MmStruct.fileRss(mm)),
  anon: peek(MmStruct.anonRss(mm)),
});

/** One entry that names a place in a swap area, as /proc/PID/pagemap and smaps tell of it. */
export interface SwappedPage {
  readonly vpage: number;
  /** Area and place. */
  readonly type: number;
  readonly offset: number;
  /** Entries that name the place, of all processes: what SwapPss divides by. */
  readonly swapcount: number;
  /** The page is in the swap cache, uptodate: mincore() says that it is in memory. */
  readonly cached: boolean;
}

/** Every entry that names a place in a swap area, in ascending order: VmSwap is their number. */
export function swappedPages(mm: Ptr<MmStruct>): SwappedPage[] {
  const cache = new Map(cachedPages(swapperSpace).map(({ index, page }) => [index, page]));
  const users = new Map(swapAreas().flatMap((area) => [...area.users]));
  const pages: SwappedPage[] = [];
  walkMm(mm, (vpage, pte) => {
    if (!isSwapPte(pte) || nonSwapEntry(pteToSwpEntry(pte))) return;
    const entry = pteToSwpEntry(pte);
    const page = cache.get(entry);
    const cached = page !== undefined && (peek(Page.flags(page)) & (1 << PG_UPTODATE)) !== 0;
    const swapcount = (users.get(entry) ?? 0) - (page === undefined ? 0 : 1);
    pages.push({ vpage, type: swpType(entry), offset: swpOffset(entry), swapcount, cached });
  });
  return pages;
}

/** Page faults of an address space, each in one kind; `major` is a part of them. */
export interface FaultCounts {
  readonly anonymous: number;
  readonly zero: number;
  readonly file: number;
  readonly cow: number;
  readonly reuse: number;
  readonly mkwrite: number;
  readonly swap: number;
  readonly spurious: number;
  readonly major: number;
}

/** The `faults...` words of an mm. */
export const faultsOf = (mm: Ptr<MmStruct>): FaultCounts => ({
  anonymous: peek(MmStruct.faultsAnonymous(mm)),
  zero: peek(MmStruct.faultsZero(mm)),
  file: peek(MmStruct.faultsFile(mm)),
  cow: peek(MmStruct.faultsCow(mm)),
  reuse: peek(MmStruct.faultsReuse(mm)),
  mkwrite: peek(MmStruct.faultsMkwrite(mm)),
  swap: peek(MmStruct.faultsSwap(mm)),
  spurious: peek(MmStruct.faultsSpurious(mm)),
  major: peek(MmStruct.faultsMajor(mm)),
});

/** Faults of a space that has had none. */
export const NO_FAULTS: FaultCounts = {
  anonymous: 0,
  zero: 0,
  file: 0,
  cow: 0,
  reuse: 0,
  mkwrite: 0,
  swap: 0,
  spurious: 0,
  major: 0,
};

/** The faults between two looks. */
export const faultsSince = (before: FaultCounts, now: FaultCounts): FaultCounts =>
  Object.fromEntries(
    Object.entries(now).map(([kind, count]) => [kind, count - before[kind as keyof FaultCounts]]),
  ) as unknown as FaultCounts;

/** One present page, as /proc/PID/pagemap, kpagecount and kpageflags tell of it. */
export interface ResidentPage {
  readonly vpage: number;
  readonly page: Ptr<Page>;
  readonly kind: 'anon' | 'file' | 'shmem' | 'zero' | 'device';
  /** kpagecount: how many entries map it. */
  readonly mapcount: number;
  readonly writable: boolean;
  readonly dirty: boolean;
  readonly young: boolean;
  /** One entry maps it with the rest of a huge page: smaps counts it in AnonHugePages. */
  readonly huge: boolean;
  /** Of file pages. */
  readonly ino: number;
  readonly index: number;
}

function resident(vpage: number, pte: Pte, page: Ptr<Page>, huge: boolean): ResidentPage {
  const mapping = peek(Page.mapping(headOf(page)));
  const entry = { vpage, page, writable: pteWrite(pte), dirty: pteDirty(pte), young: pteYoung(pte), huge };
  const mapcount = mapcountOf(page);
  if (vmNormalPage(NULL, vpage, pte) === NULL)
    return { ...entry, kind: !huge && showsDevice(pte) ? 'device' : 'zero', mapcount: 0, ino: 0, index: 0 };
  const index = peek(Page.index(page));
  if ((mapping & PAGE_MAPPING_ANON) !== 0) return { ...entry, kind: 'anon', mapcount, ino: 0, index };
  const host = mapping === 0 ? NULL : peek(AddressSpace.host(mapping as Ptr<AddressSpace>));
  const shmem = mapping !== 0 && peek(AddressSpace.aOps(mapping as Ptr<AddressSpace>)) === shmemAops;
  return { ...entry, kind: shmem ? 'shmem' : 'file', mapcount, ino: host === NULL ? 0 : peek(Inode.ino(host)), index };
}

/** Every present entry, in ascending order. */
export function residentPages(mm: Ptr<MmStruct>): ResidentPage[] {
  const pages: ResidentPage[] = [];
  walkMm(mm, (vpage, pte, _vma, ptep) => {
    if (ptePresent(pte)) pages.push(resident(vpage, pte, pfnToPage(ptePfn(pte)), pmdTransHuge(peek(ptep))));
  });
  return pages;
}

/** One area, as /proc/PID/maps tells of it. */
export interface Area {
  readonly start: number;
  readonly end: number;
  /** VM_* bits. */
  readonly flags: number;
  readonly pgoff: number;
  /** Inode number of the file, 0 for anonymous memory. */
  readonly ino: number;
}

/** All areas by ascending address. */
export function areas(mm: Ptr<MmStruct>): Area[] {
  const found: Area[] = [];
  for (let vma = peek(MmStruct.mmap(mm)); vma !== NULL; vma = peek(VmAreaStruct.vmNext(vma))) {
    const file = peek(VmAreaStruct.vmFile(vma));
    found.push({
      start: peek(VmAreaStruct.vmStart(vma)),
      end: peek(VmAreaStruct.vmEnd(vma)),
      flags: peek(VmAreaStruct.vmFlags(vma)),
      pgoff: peek(VmAreaStruct.vmPgoff(vma)),
      ino: file === NULL ? 0 : peek(Inode.ino(peek(File.inode(file)))),
    });
  }
  return found;
}
