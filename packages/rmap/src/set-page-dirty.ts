// SPDX-License-Identifier: GPL-2.0-only
import type { FunctionPointer, Null, Op, Ptr, Ref } from '@lockless/cpu';
import { defineWord, NULL, peek, pointedFunction, store } from '@lockless/cpu';
import type { Page } from '@lockless/mm-types';
import { testSetPageDirty } from '@lockless/page';

/** set_page_dirty(): tags the page in its mapping too. True when it was clean. */
export type SetPageDirty = (page: Ptr<Page>) => Op<boolean>;

const hook: Ref<FunctionPointer<SetPageDirty> | Null> = defineWord('rmap_set_page_dirty');

/**
 * Tells the reverse mapping what set_page_dirty() is: it belongs to the page cache, which is built on top of this package.
 *
 * *Context*: boot. Without it a dirty pte sets the page's flag and nothing else, which is right for pages outside a page cache.
 */
export function* setRmapHooks(hooks: { readonly setPageDirty: FunctionPointer<SetPageDirty> }): Op<void> {
  yield* store(hook, hooks.setPageDirty);
}

/** Moves the dirty mark of an entry that is gone to its page. *Context*: page table lock; a reference on the page. */
export function* dirtyPageOfPte(page: Ptr<Page>): Op<void> {
  const target = peek(hook); // constant after boot
  if (target === NULL) yield* testSetPageDirty(page);
  else yield* pointedFunction(target)(page);
}
