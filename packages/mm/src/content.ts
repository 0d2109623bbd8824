// SPDX-License-Identifier: GPL-2.0-only
import { type Op, type Ptr, readOnce, store, writeOnce } from '@lockless/cpu';
import { Page } from '@lockless/mm-types';
import { compoundTransHead, pageAnon } from '@lockless/page';
import { contentWritten } from '@lockless/pagecache';

/** What the bytes of a frame are: the datum, and how often it had been written. */
export interface Content {
  readonly identity: number;
  readonly version: number;
}

/**
 * copy_user_highpage(): the new page gets the bytes of the old one. The source may be written meanwhile by those who map it shared, as in
 * the kernel: the copy is then of some moment.
 *
 * *Context*: `to` is ours alone.
 * *Source*: `cow_user_page`, mm/memory.c, 2.6.27. *Differs*: two words stand for the bytes.
 */
export function* copyContent(to: Ptr<Page>, from: Ptr<Page>): Op<void> {
  yield* store(Page.contentIdentity(to), yield* readOnce(Page.contentIdentity(from)));
  yield* store(Page.contentVersion(to), yield* readOnce(Page.contentVersion(from)));
}

/** The datum that the frame holds now. */
export function* readContent(page: Ptr<Page>): Op<Content> {
  const identity = yield* readOnce(Page.contentIdentity(page));
  return { identity, version: yield* readOnce(Page.contentVersion(page)) };
}

/**
 * Writes to a frame: an anonymous page holds `datum` then; a page of a file keeps its identity and is one version on, whoever wrote it.
 *
 * *Context*: a reference, or a translation in use. *Returns* what the frame holds now.
 */
export function* writeContent(page: Ptr<Page>, datum: Content, huge = false): Op<Content> {
  if (huge || (yield* pageAnon(yield* compoundTransHead(page)))) {
    yield* writeOnce(Page.contentIdentity(page), datum.identity);
    yield* writeOnce(Page.contentVersion(page), datum.version);
    return datum;
  }
  yield* contentWritten(page);
  return yield* readContent(page);
}
