// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import type { Page } from '@lockless/mm-types';
import { compoundTransHead, pageCount, putPage } from '@lockless/page';
import { type Content, getUserPagesFast, readContent } from '../src/index.js';

/**
 * What a driver does that reads or writes a program's memory itself: holds the pages, looks at each, lets go. Tells `judge` what it saw in the
 * pages that it could have, and `complain` of a page that is nobody's.
 */
export function* pin(
  start: number,
  count: number,
  write: boolean,
  judge: (page: number, content: Content) => void,
  complain: (what: string) => void,
): Op<void> {
  const pages: Ptr<Page>[] = [];
  const got = yield* getUserPagesFast(start, count, write, pages);
  if (Math.max(0, got) !== pages.length) complain(`get_user_pages_fast says ${got} and gives ${pages.length} pages`);
  for (const [i, page] of pages.entries()) {
    if ((yield* pageCount(yield* compoundTransHead(page))) < 1)
      complain(`get_user_pages_fast gave a page without a reference at ${start + i}`);
    judge(start + i, yield* readContent(page));
  }
  for (const page of pages) yield* putPage(page);
}
