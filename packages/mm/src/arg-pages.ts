// SPDX-License-Identifier: GPL-2.0-only
import {
  bugOn,
  GFP_HIGHUSER_MOVABLE,
  load,
  NULL,
  type Op,
  type Ptr,
  readOnce,
  spinLock,
  spinUnlock,
  store,
} from '@lockless/cpu';
import { EFAULT, ENOMEM, MmStruct, Page, VM_WRITE, VmAreaStruct } from '@lockless/mm-types';
import { allocPage, lruCacheAddActiveAnon, pageCount, putPage, setPageUptodate } from '@lockless/page';
import {
  anonVmaPrepare,
  findVma,
  mkPte,
  pageAddNewAnonRmap,
  pteAllocMap,
  pteMkdirty,
  pteNone,
  rmapPrepare,
  rmapRelease,
  setPteAt,
} from '@lockless/rmap';
import type { Content } from './content.js';
import { maybeMkwrite, vmaPageProt } from './page-prot.js';

/** A page of arguments, which exec has filled before the new program has an address space to fault it in. */
export interface ArgPage {
  readonly address: number;
  readonly content: Content;
}

/**
 * put_dirty_page(): puts a filled page into the stack of a new program, dirty.
 *
 * *Context*: mmap_sem for writing; nobody runs in `mm` yet. The page is the caller's alone, and the entry's afterwards. Sleeps.
 * *Returns* 0; -ENOMEM, and then the page is the caller's still.
 * *Source*: put_dirty_page(), fs/exec.c, 2.6.5 and the patch of objrmap; as install_arg_page() up to 2.6.22.
 */
function* putDirtyPage(mm: Ptr<MmStruct>, vma: Ptr<VmAreaStruct>, page: Ptr<Page>, address: number): Op<number> {
  bugOn((yield* pageCount(page)) !== 1, 'put_dirty_page: page_count(page) is not 1');
  if ((yield* anonVmaPrepare(vma)) !== 0) return -ENOMEM;
  const spare = yield* rmapPrepare();
  if (spare === null) return -ENOMEM;
  const pte = yield* pteAllocMap(mm, address);
  if (pte !== NULL) {
    const entry = pteMkdirty(mkPte(page, yield* vmaPageProt(vma)));
    yield* spinLock(MmStruct.pageTableLock(mm));
    bugOn(!pteNone(yield* readOnce(pte)), 'put_dirty_page: there is a page already');
    yield* store(MmStruct.anonRss(mm), (yield* load(MmStruct.anonRss(mm))) + 1);
    yield* lruCacheAddActiveAnon(page);
    yield* pageAddNewAnonRmap(page, vma, address, pte, spare);
    yield* setPteAt(mm, address, pte, maybeMkwrite(entry, VM_WRITE));
    yield* spinUnlock(MmStruct.pageTableLock(mm));
  }
  yield* rmapRelease(spare);
  return pte === NULL ? -ENOMEM : 0;
}

/** setup_arg_pages(), the part that fills. *Context*: as {@link putDirtyPage}. *Returns* 0, -ENOMEM, -EFAULT: no area there. */
export function* setupArgPages(mm: Ptr<MmStruct>, argPages: readonly ArgPage[]): Op<number> {
  for (const { address, content } of argPages) {
    const vma = yield* findVma(mm, address);
    if (vma === NULL || (yield* load(VmAreaStruct.vmStart(vma))) > address) return -EFAULT;
    const page = yield* allocPage(GFP_HIGHUSER_MOVABLE);
    if (page === NULL) return -ENOMEM;
    yield* store(Page.contentIdentity(page), content.identity);
    yield* store(Page.contentVersion(page), content.version);
    yield* setPageUptodate(page);
    const error = yield* putDirtyPage(mm, vma, page, address);
    if (error !== 0) {
      yield* putPage(page);
      return error;
    }
  }
  return 0;
}
