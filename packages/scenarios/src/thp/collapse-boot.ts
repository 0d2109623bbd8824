// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr, Ref } from '@lockless/cpu';
import { downRead, GFP_KERNEL, load, NULL, poke } from '@lockless/cpu';
import { type CollapseControl, collapseHugePage, nthPage } from '@lockless/huge-memory';
import { ERA_MM, mmOptionsInit } from '@lockless/mm';
import { MmStruct, Page } from '@lockless/mm-types';
import {
  allocPage,
  disableVmEventCounters,
  lruAddDrain,
  lruCacheAddActiveAnon,
  pfnToPage,
  setPageUptodate,
} from '@lockless/page';
import { isolationInit } from '@lockless/pagecache';
import {
  anonVmaPrepare,
  mkPte,
  type Pgprot,
  PTE_ACCESSED,
  PTE_DIRTY,
  PTE_PRESENT,
  PTE_RW,
  PTE_USER,
  type Pte,
  pageAddNewAnonRmap,
  pmdTransHuge,
  pteAllocMap,
  ptePfn,
  type RmapSpare,
  readPte,
  rmapPrepare,
  setPteAt,
} from '@lockless/rmap';
import { given } from '../given.js';
import { bootAreaForHugePage, type HugeArea } from './boot.js';

/* A process with one small page where a huge page of two has room, and somebody who makes one of it. */

export interface SmallPage extends Omit<HugeArea, 'head'> {
  readonly ptep: Ref<Pte>;
  readonly page: Ptr<Page>;
}

/** Written, so that the hardware has no mark to set. */
const WRITTEN = (PTE_PRESENT | PTE_USER | PTE_RW | PTE_ACCESSED | PTE_DIRTY) as Pgprot;
export const BEFORE = 1;
export const AFTER = 2;
export const SECRET = 3;
export const AT = 0;

export function* bootSmallPage(gupSpeculative: number): Op<SmallPage> {
  const area = yield* bootAreaForHugePage();
  yield* isolationInit();
  disableVmEventCounters();
  yield* mmOptionsInit({ ...ERA_MM, gupSpeculative });
  yield* anonVmaPrepare(area.vma);
  const ptep = given(yield* pteAllocMap(area.mm, AT));
  const page = given(yield* allocPage(GFP_KERNEL));
  yield* setPageUptodate(page);
  yield* pageAddNewAnonRmap(page, area.vma, AT, ptep, (yield* rmapPrepare()) as RmapSpare);
  yield* lruCacheAddActiveAnon(page);
  yield* lruAddDrain();
  yield* setPteAt(area.mm, AT, ptep, mkPte(page, WRITTEN));
  poke(MmStruct.anonRss(area.mm), 1);
  poke(Page.contentIdentity(page), BEFORE);
  return { ...area, ptep, page };
}

export const FORCED: CollapseControl = {
  isKhugepaged: false,
  maxPtesNone: 2,
  maxPtesSwap: 0,
  maxPtesShared: 0,
  *swapIn() {
    return false;
  },
};

export function* collapse({ mm }: SmallPage): Op<string> {
  yield* downRead(MmStruct.mmapSem(mm));
  return yield* collapseHugePage(mm, AT, 0, FORCED);
}

/** What the process has at the address: a part of the huge page, or a small one. */
export function* pageOf({ pmd, ptep }: SmallPage): Op<Ptr<Page> | Null> {
  const entry = yield* load(pmd);
  if (entry === 0) return NULL;
  return pmdTransHuge(entry) ? nthPage(pfnToPage(ptePfn(entry)), AT) : pfnToPage(ptePfn(yield* readPte(ptep)));
}
