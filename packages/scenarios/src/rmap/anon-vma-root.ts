// SPDX-License-Identifier: GPL-2.0-only
import type { KmemCache, Null, Op, Ptr } from '@lockless/cpu';
import { GFP_KERNEL, kmemCacheAlloc, kmemCacheCreate, load, NULL, poke } from '@lockless/cpu';
import { PAGE_MAPPING_ANON, Page, RootedAnonVma } from '@lockless/mm-types';
import {
  pageLockAnonVmaRoot,
  pageRemoveRmap,
  pageTrylockAnonVma,
  pageUnlockAnonVmaRoot,
  rootedAnonVmaAlloc,
  rootedAnonVmaUnlink,
} from '@lockless/rmap';
import { assertThat } from '../assertion.js';
import { always } from '../claims.js';
import { given } from '../given.js';
import { type Scenario, scenario } from '../scenario.js';
import { bootMachine, newPage } from './boot.js';

const rooted: KmemCache<RootedAnonVma> = kmemCacheCreate(RootedAnonVma, { typesafeByRcu: true });

interface Shared {
  readonly page: Ptr<Page>;
  /** The page's, below `root`. */
  readonly anonVma: Ptr<RootedAnonVma>;
  readonly root: Ptr<RootedAnonVma>;
}

function* boot(): Op<Shared> {
  yield* bootMachine();
  const root = given(yield* kmemCacheAlloc(rooted, GFP_KERNEL));
  const anonVma = given(yield* kmemCacheAlloc(rooted, GFP_KERNEL));
  for (const each of [root, anonVma]) {
    poke(RootedAnonVma.root(each), root);
    poke(RootedAnonVma.refcount(each), 1);
    poke(RootedAnonVma.areas(each), 1);
  }
  const page = yield* newPage();
  poke(Page._mapcount(page), 0);
  poke(Page.mapping(page), anonVma + PAGE_MAPPING_ANON);
  return { page, anonVma, root };
}

const lookup = (
  declared: Pick<Scenario, 'name' | 'facts' | 'summary' | 'source' | 'guards'>,
  pageLock: (page: Ptr<Page>) => Op<Ptr<RootedAnonVma> | Null>,
): Scenario =>
  scenario<Shared>({
    ...declared,
    properties: ['I11'],
    setup: boot,
    threads: {
      *look({ page }) {
        const anonVma = yield* pageLock(page);
        if (anonVma !== NULL) yield* pageUnlockAnonVmaRoot(anonVma);
        return anonVma !== NULL;
      },
      /** The page's only area is unmapped; the next process to need an anon_vma gets the same. */
      *recycle({ page, anonVma }) {
        yield* pageRemoveRmap(page, 0 as never);
        yield* rootedAnonVmaUnlink(anonVma);
        return yield* rootedAnonVmaAlloc();
      },
    },
    *finally({ anonVma, root }, { results, reach }) {
      assertThat(results.recycle === anonVma, 'the anon_vma has a second life');
      for (const each of [anonVma, root]) {
        assertThat((yield* load(RootedAnonVma.lock(each))) === 0, 'no lock is left behind');
      }
      reach(results.look === true ? 'locked' : 'not locked');
    },
    mustReach: ['locked', 'not locked'],
  });

/** The lock of a page's anon_vma is that of its root; the root changes with the next life. */
export const anonVmaRootScenarios: readonly Scenario[] = [
  lookup(
    {
      name: 'root-changes-under-lock',
      facts: ['D3'],
      summary:
        'reclaim locks the root of an anon_vma that is freed and used again, with another root, before it is unlocked',
      source: 'f18194275c "mm: fix hang on anon_vma->root->lock" (2.6.36)',
      guards: [always('pageLockAnonVmaRoot.mappedRecheck', 'assertion')],
    },
    pageLockAnonVmaRoot,
  ),
  lookup(
    {
      name: 'root-changes-after-refcount',
      facts: ['D4'],
      summary: 'reclaim takes an anon_vma for live because it has a reference, which is the first of its next life',
      source: 'Hugh Dickins, 2011, on page_lock_anon_vma() with anon_vma->refcount (3.0)',
      guards: [always('pageTrylockAnonVma.mappedRecheck', 'assertion')],
    },
    pageTrylockAnonVma,
  ),
];
