// SPDX-License-Identifier: GPL-2.0-only
import { downRead, NULL, type Op, type Ptr, upRead } from '@lockless/cpu';
import { EFAULT, MmStruct, type Page } from '@lockless/mm-types';
import { putPage } from '@lockless/page';
import { setPageDirtyLock } from '@lockless/pagecache';
import { type Content, readContent, writeContent } from './content.js';
import { FOLL_WRITE, getUserPages } from './gup.js';

/** What an access to another address space ended in. */
export interface ProcessAccess {
  /** 0, -EFAULT, -ENOMEM, -EINTR. */
  readonly error: number;
  /** What was read there; for writes: what is there now. */
  readonly content: Content;
}

/**
 * access_process_vm(): reads or writes a page of an address space that need not be the caller's, as ptrace and /proc/PID/mem do.
 *
 * *Context*: mmap_sem of no mm; sleeps. `flags`: FOLL_FORCE also where the area does not permit it. `datum`: what is written; null: reads.
 * *Returns* as `userWrite` of a shared file what its page has then.
 * *Ordering*: the page is used without a lock, by our reference alone: it may be out of the address space by then, but is no other page.
 * *Source*: `access_process_vm`, mm/memory.c, 2.6.27. *Differs*: one page; an error is returned, not the number of bytes.
 */
export function* accessProcessVm(
  mm: Ptr<MmStruct>,
  address: number,
  flags: number,
  datum: Content | null,
): Op<ProcessAccess> {
  const pages: Ptr<Page>[] = [];
  yield* downRead(MmStruct.mmapSem(mm));
  const got = yield* getUserPages(mm, address, 1, flags | (datum === null ? 0 : FOLL_WRITE), pages);
  yield* upRead(MmStruct.mmapSem(mm));
  const page = pages[0] ?? NULL;
  if (got < 1 || page === NULL) return { error: Math.min(got, 0) || -EFAULT, content: { identity: 0, version: 0 } };
  const content = datum === null ? yield* readContent(page) : yield* writeContent(page, datum);
  if (datum !== null) yield* setPageDirtyLock(page);
  yield* putPage(page);
  return { error: 0, content };
}
