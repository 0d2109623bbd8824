// SPDX-License-Identifier: GPL-2.0-only
import {
  GFP_KERNEL,
  NULL,
  type Op,
  type Ptr,
  poke,
  SequentialEngine,
  STATIC_WORDS,
  staticSymbols,
} from '@lockless/cpu';
import { type AddressSpace, Inode, PAGE_SIZE, Page } from '@lockless/mm-types';
import {
  FIND_GET_PAGE_LOOKUPS,
  freeAreaInit,
  lruAddDrain,
  putPage,
  SPECULATIVE_GET_FAILED,
  SPECULATIVE_SLOT_MOVED,
  unlockPage,
} from '@lockless/page';
import { attachBlockMap, BackingStore, findOrCreatePage, inodeAlloc, pagecacheInit } from '@lockless/pagecache';
import { bootUrcu } from '@lockless/rcu';
import { type LookupAddresses, lookupAddresses } from '../src/lookup-addresses.js';

/** The kernel code of the ordinary build on one CPU, with user-space RCU, and a file with pages at those indices. */
export interface CachedFile {
  readonly engine: SequentialEngine;
  readonly mapping: Ptr<AddressSpace>;
  readonly at: LookupAddresses;
  /** By index. */
  readonly pages: ReadonlyMap<number, Ptr<Page>>;
}

/** What the page at an index holds. */
export const contentAt = (index: number): number => (index ^ 0x5a5a5a) | 1;

export function cachedFile(indices: readonly number[]): CachedFile {
  const frames = indices.length + 64;
  const engine = new SequentialEngine({ words: STATIC_WORDS + frames * Page.$size + (1 << 17) });
  attachBlockMap(new BackingStore());
  const pages = new Map<number, Ptr<Page>>();
  const mapping = engine.run(
    (function* (): Op<Ptr<AddressSpace>> {
      yield* bootUrcu(1);
      yield* freeAreaInit({ pages: frames, nrCpus: 1, minFreeKbytes: 16 });
      yield* pagecacheInit({});
      const inode = yield* inodeAlloc(1, 2 ** 31 - PAGE_SIZE);
      if (inode === NULL) throw new Error('no memory for an inode');
      for (const index of indices) {
        const page = yield* findOrCreatePage(Inode.data(inode), index, GFP_KERNEL);
        if (page === NULL) throw new Error(`no memory for page ${index}`);
        poke(Page.contentIdentity(page), contentAt(index));
        yield* unlockPage(page);
        yield* putPage(page);
        pages.set(index, page);
      }
      yield* lruAddDrain();
      return Inode.data(inode);
    })(),
  );
  const events = {
    lookups: FIND_GET_PAGE_LOOKUPS,
    refused: SPECULATIVE_GET_FAILED,
    moved: SPECULATIVE_SLOT_MOVED,
  };
  return { engine, mapping, at: lookupAddresses(staticSymbols(), events, 0), pages };
}
