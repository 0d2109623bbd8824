// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr, Ref } from '@lockless/cpu';
import { configureKernel, GFP_KERNEL } from '@lockless/cpu';
import { buildMm, ERA_MM, type MmOptions, mmOptionsInit, PROT_READ, PROT_WRITE, truncatePagecache } from '@lockless/mm';
import {
  type AddressSpace,
  type File,
  FMODE_READ,
  FMODE_WRITE,
  Inode,
  type MmStruct,
  PAGE_SIZE,
  type Page,
  type VmAreaStruct,
} from '@lockless/mm-types';
import { mmAllLocksInit } from '@lockless/mmu-notifier';
import { allocPage, disableVmEventCounters, freeAreaInit, lockPage, setPageUptodate, unlockPage } from '@lockless/page';
import {
  addToPageCache,
  fileOpen,
  type Generation,
  inodeAlloc,
  iSizeWrite,
  pagecacheInit,
  truncateCompletePage,
  zeroPageContent,
} from '@lockless/pagecache';
import { bootRcuEvents } from '@lockless/rcu';
import { anonVmaPrepare, findVma, type Pte, pteAllocMap } from '@lockless/rmap';
import { given } from '../given.js';

/* A machine with a few frames, and a process that maps the one page of a file, which is in the cache. All of it real code. */

/** Where the process maps it. */
export const AT = 0;

/** What is shared by the threads. */
export interface MappedFile {
  readonly inode: Ptr<Inode>;
  readonly file: Ptr<File>;
  readonly mapping: Ptr<AddressSpace>;
  /** Page 0 of the file: the cache refers to it, and one thread that need not look for it. */
  readonly page: Ptr<Page>;
  readonly mm: Ptr<MmStruct>;
  readonly vma: Ptr<VmAreaStruct>;
  /** Empty, its tables are there. */
  readonly ptep: Ref<Pte>;
}

export interface MappedFileOptions {
  readonly shared: boolean;
  readonly writable?: boolean;
  /** Of the file; one by default. */
  readonly pages?: number;
  readonly generation?: Generation;
  readonly mm?: Partial<MmOptions>;
}

export function* bootMappedFile(options: MappedFileOptions): Op<MappedFile> {
  const { shared, writable = true, pages = 1, generation = 'freeze-refs', mm: changed = {} } = options;
  configureKernel({ proveRcu: true });
  bootRcuEvents();
  disableVmEventCounters();
  yield* freeAreaInit({ pages: 32, nrCpus: 4, minFreeKbytes: 0 });
  yield* pagecacheInit({ generation, readahead: { model: '2.6.27' } });
  yield* mmAllLocksInit();
  yield* mmOptionsInit({ ...ERA_MM, ...changed });
  const inode = given(yield* inodeAlloc(1, pages * PAGE_SIZE));
  const file = given(yield* fileOpen(inode, FMODE_READ | FMODE_WRITE));
  const mapping = Inode.data(inode);
  const page = yield* cachePage(mapping, 0);
  for (let index = 1; index < pages; index++) yield* cachePage(mapping, index);
  const prot = PROT_READ | (writable ? PROT_WRITE : 0);
  const segment = { start: AT, end: AT + pages, prot, shared, file, pgoff: 0, flags: 0 };
  const mm = given(yield* buildMm({ segments: [segment], brk: 0x1000, mmapBase: 0x2000, pid: 1 }));
  const vma = given(yield* findVma(mm, AT));
  if (!shared) yield* anonVmaPrepare(vma);
  const ptep = (yield* pteAllocMap(mm, AT)) as Ref<Pte>;
  return { inode, file, mapping, page, mm, vma, ptep };
}

function* cachePage(mapping: Ptr<AddressSpace>, index: number): Op<Ptr<Page>> {
  const page = given(yield* allocPage(GFP_KERNEL));
  if ((yield* addToPageCache(page, mapping, index, GFP_KERNEL)) !== 0)
    throw new RangeError('the page is there already');
  yield* zeroPageContent(page);
  yield* setPageUptodate(page);
  yield* unlockPage(page);
  return page;
}

/** vmtruncate() of all of the file by one who knows its page, and so need not look for it. Keeps the reference. */
export function* truncate({ inode, mapping, page }: MappedFile): Op<void> {
  yield* iSizeWrite(inode, 0);
  yield* truncatePagecache(mapping, 0, function* () {
    yield* lockPage(page);
    yield* truncateCompletePage(mapping, page);
    yield* unlockPage(page);
  });
}
