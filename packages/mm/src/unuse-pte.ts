// SPDX-License-Identifier: GPL-2.0-only
import {
  defineGuard,
  load,
  NULL,
  type Op,
  type Ptr,
  type Ref,
  readOnce,
  spinLock,
  spinUnlock,
  store,
} from '@lockless/cpu';
import { ENOMEM, MmStruct, type Page, VmAreaStruct } from '@lockless/mm-types';
import { activatePage, getPage } from '@lockless/page';
import { swapFree } from '@lockless/pagecache';
import {
  mkPte,
  nextPteRange,
  type Pte,
  pageAddAnonRmap,
  pteMkold,
  type RmapSpare,
  rmapPrepare,
  rmapRelease,
  type SwpEntry,
  setPteAt,
  swpEntryToPte,
} from '@lockless/rmap';
import { mmOption } from './mm-options.js';
import { vmaPageProt } from './page-prot.js';

const pteSameCheck = defineGuard(
  'unusePte.pteSame',
  'swapoff maps a page at an entry that it saw without the page table lock, and does not look again under it',
);

/** What unuse_vma() found: the entry is a mapping now. Otherwise 0, or -ENOMEM. */
const UNUSED = 1;

/**
 * unuse_vma(): looks for the entry in one area, and maps the page in its place.
 *
 * 2.6.27 looks without the page table lock, and looks again under it when it has found the entry; 2.6.6 holds the lock for the whole area
 * (`mm.unuseUnderLock`).
 *
 * *Context*: mmap_sem for reading; page locked, uptodate, in the swap cache under `entry`; a reference. Sleeps. *Returns* 1 when found, 0, -ENOMEM.
 * *Source*: `unuse_vma`, `unuse_pte_range`, mm/swapfile.c, 2.6.27 and 2.6.6. *Differs*: goes through the whole area, where 2.6.27 goes to the address at
 * once if the page says what it is.
 */
export function* unuseVma(vma: Ptr<VmAreaStruct>, entry: SwpEntry, page: Ptr<Page>): Op<number> {
  const mm = yield* load(VmAreaStruct.vmMm(vma));
  const end = yield* load(VmAreaStruct.vmEnd(vma));
  const held = mmOption('unuseUnderLock') !== 0;
  const spare = held ? yield* rmapPrepare() : null;
  if (held && spare === null) return -ENOMEM;
  let found = 0;
  if (held) yield* spinLock(MmStruct.pageTableLock(mm));
  let range = yield* nextPteRange(mm, yield* load(VmAreaStruct.vmStart(vma)), end);
  for (; range !== NULL && found === 0; range = yield* nextPteRange(mm, range.end, end)) {
    for (let address = range.address; address < range.end && found === 0; address++) {
      const ptep = (range.ptes + (address - range.address)) as Ref<Pte>;
      if ((yield* readOnce(ptep)) !== swpEntryToPte(entry)) continue;
      const at = { vma, address, ptep };
      found = spare === null ? yield* unusePte(at, entry, page) : yield* mapUnused(at, entry, page, spare);
    }
  }
  if (held) yield* spinUnlock(MmStruct.pageTableLock(mm));
  if (spare !== null) yield* rmapRelease(spare);
  return found;
}

/** Where an entry was seen. */
interface Seen {
  readonly vma: Ptr<VmAreaStruct>;
  readonly address: number;
  readonly ptep: Ref<Pte>;
}

/** unuse_pte(), 2.6.27: takes the lock, and finds the entry changed or not. The tables stay: mmap_sem is held. */
function* unusePte(at: Seen, entry: SwpEntry, page: Ptr<Page>): Op<number> {
  const mm = yield* load(VmAreaStruct.vmMm(at.vma));
  const spare = yield* rmapPrepare();
  if (spare === null) return -ENOMEM;
  yield* spinLock(MmStruct.pageTableLock(mm));
  const same = !pteSameCheck() || (yield* readOnce(at.ptep)) === swpEntryToPte(entry);
  if (same) yield* mapUnused(at, entry, page, spare);
  yield* spinUnlock(MmStruct.pageTableLock(mm));
  yield* rmapRelease(spare);
  if (same) yield* activatePage(page);
  return same ? UNUSED : 0;
}

/**
 * unuse_pte(), 2.6.6, and what 2.6.27 does under the lock: the entry becomes a mapping, old and with the rights of its area: private memory is copied before
 * it is written. *Context*: page table lock, the entry unchanged.
 */
function* mapUnused({ vma, address, ptep }: Seen, entry: SwpEntry, page: Ptr<Page>, spare: RmapSpare): Op<number> {
  const mm = yield* load(VmAreaStruct.vmMm(vma));
  yield* store(MmStruct.anonRss(mm), (yield* load(MmStruct.anonRss(mm))) + 1);
  yield* store(MmStruct.swapents(mm), (yield* load(MmStruct.swapents(mm))) - 1);
  yield* getPage(page);
  yield* setPteAt(mm, address, ptep, pteMkold(mkPte(page, yield* vmaPageProt(vma))));
  yield* pageAddAnonRmap(page, vma, address, ptep, spare);
  yield* swapFree(entry);
  return UNUSED;
}
