// SPDX-License-Identifier: GPL-2.0-only
import { load, NULL, type Op, type Ptr } from '@lockless/cpu';
import {
  AddressSpace,
  EINVAL,
  EIO,
  ENOMEM,
  Inode,
  MmStruct,
  PAGE_SIZE,
  type Page,
  type VmAreaStruct,
} from '@lockless/mm-types';
import { pageUptodate, putPage } from '@lockless/page';
import { filemapNopage, findGetPage, VM_FAULT_MAJOR, VM_FAULT_OOM, VM_FAULT_SIGBUS } from '@lockless/pagecache';
import { installFilePte, installPage, pteToPgoff, vmaMapping } from '@lockless/rmap';
import { vmaPageProt } from './page-prot.js';
import { countFault, type Fault } from './vm-fault.js';

/*
 * Areas that are not linear as 2.6.6 has them: the file system's ->populate puts pages, or their offsets, into the entries.
 */

/**
 * do_file_page(): the entry says which page of the file belongs there: one page is populated.
 *
 * *Context*: mmap_sem for reading; sleeps. *Returns* VM_FAULT_OOM, VM_FAULT_SIGBUS for any other error, or VM_FAULT_MAJOR, whether or not the disk
 * was asked.
 * *Source*: `do_file_page`, mm/memory.c, 2.6.6. *Differs*: only shared areas are not linear here, and all their files can populate, so that the
 * way through do_no_page() is not needed.
 */
export function* doFilePage({ mm, vma, address, origPte }: Fault): Op<number> {
  const error = yield* filemapPopulate(mm, vma, address, 1, pteToPgoff(origPte), false);
  if (error === -ENOMEM) return VM_FAULT_OOM;
  if (error !== 0) return VM_FAULT_SIGBUS;
  countFault(MmStruct.faultsFile(mm));
  countFault(MmStruct.faultsMajor(mm));
  return VM_FAULT_MAJOR;
}

/**
 * filemap_populate(): pages of the file from `pgoff` on come to `address` and behind: the page itself; with `nonblock`, if it is not in the cache, its
 * offset.
 *
 * *Context*: mmap_sem; the area is the file's, and VM_NONLINEAR unless the places are linear. Sleeps.
 * *Returns* 0, -EINVAL beyond the end of the file, -ENOMEM, -EIO.
 * *Source*: `filemap_populate`, mm/filemap.c, 2.6.6. *Differs*: no read-ahead; looks at i_size for each page; with `nonblock` the offset is left
 * at the linear place too, where 2.6.6 leaves what was there.
 */
export function* filemapPopulate(
  mm: Ptr<MmStruct>,
  vma: Ptr<VmAreaStruct>,
  start: number,
  pages: number,
  pgoff: number,
  nonblock: boolean,
): Op<number> {
  const prot = yield* vmaPageProt(vma);
  for (let i = 0; i < pages; ) {
    const { page, error } = yield* filemapGetpage(vma, pgoff + i, nonblock);
    if (error !== 0) return error;
    const result =
      page === NULL
        ? yield* installFilePte(mm, vma, start + i, pgoff + i)
        : yield* installPage(mm, vma, start + i, page, prot);
    if (result !== 0 && page !== NULL) yield* putPage(page);
    // -EINVAL: truncation was faster. Whether it took the file's end below this page is seen when it is looked for again.
    if (result === -EINVAL) continue;
    if (result !== 0) return result;
    i++;
  }
  return 0;
}

/** filemap_getpage(). *Returns* the page held and uptodate; NULL with `nonblock`, when it is not in the cache like that. */
function* filemapGetpage(
  vma: Ptr<VmAreaStruct>,
  pgoff: number,
  nonblock: boolean,
): Op<{ readonly page: Ptr<Page> | 0; readonly error: number }> {
  const mapping = (yield* vmaMapping(vma)) as Ptr<AddressSpace>;
  const inode = (yield* load(AddressSpace.host(mapping))) as Ptr<Inode>;
  if (pgoff * PAGE_SIZE >= (yield* load(Inode.size(inode)))) return { page: NULL, error: -EINVAL };
  if (!nonblock) {
    const { page, fault } = yield* filemapNopage(vma, pgoff);
    if (page !== NULL) return { page, error: 0 };
    return { page: NULL, error: fault === VM_FAULT_OOM ? -ENOMEM : -EIO };
  }
  const page = yield* findGetPage(mapping, pgoff);
  if (page === NULL || (yield* pageUptodate(page))) return { page, error: 0 };
  yield* putPage(page);
  return { page: NULL, error: 0 };
}
