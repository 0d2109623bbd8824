// SPDX-License-Identifier: GPL-2.0-only
import type { KmemCache, Null, Op, Ptr } from '@lockless/cpu';
import { GFP_KERNEL, initListHead, kmemCacheAlloc, kmemCacheCreate, ListHead, load, NULL, poke } from '@lockless/cpu';
import { type AnonVma, type Page, RootedAnonVma, VmAreaStruct } from '@lockless/mm-types';
import { getPage } from '@lockless/page';
import {
  pageLockAnonVmaRoot,
  pageTrylockAnonVma,
  pageUnlockAnonVmaRoot,
  rootedAnonVmaLink,
  rootedAnonVmaPrepare,
  rootedAnonVmaUnlink,
} from '@lockless/rmap';
import { assertThat } from '../assertion.js';
import { always } from '../claims.js';
import { given } from '../given.js';
import { type Scenario, scenario } from '../scenario.js';
import { bootMachine, mapAnon, newPage, newProcess, type Process, zapEntry } from './boot.js';

const rooted: KmemCache<RootedAnonVma> = kmemCacheCreate(RootedAnonVma, { typesafeByRcu: true });

interface Shared extends Process {
  readonly page: Ptr<Page>;
  /** The page's, below `root`; `vma` is its only area. */
  readonly anonVma: Ptr<RootedAnonVma>;
  readonly root: Ptr<RootedAnonVma>;
  /** An area without anonymous pages so far, of another process. */
  readonly other: Ptr<VmAreaStruct>;
}

function* boot(): Op<Shared> {
  yield* bootMachine();
  const root = given(yield* kmemCacheAlloc(rooted, GFP_KERNEL));
  const anonVma = given(yield* kmemCacheAlloc(rooted, GFP_KERNEL));
  for (const each of [root, anonVma]) {
    poke(RootedAnonVma.root(each), root);
    poke(RootedAnonVma.refcount(each), 1);
    yield* initListHead(RootedAnonVma.head(each));
  }
  const process = yield* newProcess({});
  yield* rootedAnonVmaLink(process.vma, anonVma);
  const page = yield* newPage();
  mapAnon(process, page, anonVma as number as Ptr<AnonVma>);
  // Reclaim's, which has the page isolated.
  yield* getPage(page);
  const { vma: other } = yield* newProcess({});
  return { ...process, page, anonVma, root, other };
}

/** Reclaim goes through the areas of the page. *Returns* how many there are; null: the page is not mapped. */
function* countAreas(anonVma: Ptr<RootedAnonVma> | Null): Op<number | null> {
  if (anonVma === NULL) return null;
  const head = RootedAnonVma.head(anonVma);
  let areas = 0;
  for (let at = yield* load(ListHead.next(head)); at !== head; at = yield* load(ListHead.next(at))) areas++;
  yield* pageUnlockAnonVmaRoot(anonVma);
  return areas;
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
        return yield* countAreas(yield* pageLock(page));
      },
      /** The page's only area is unmapped; the next process to need an anon_vma gets the same. */
      *recycle(shared) {
        yield* zapEntry(shared);
        yield* rootedAnonVmaUnlink(shared.vma);
        return yield* rootedAnonVmaPrepare(shared.other);
      },
    },
    *finally({ anonVma, root, other }, { results, reach }) {
      const now = (yield* load(VmAreaStruct.anonVma(other))) as number;
      assertThat(results.recycle === anonVma && now === anonVma, 'the anon_vma has a second life');
      for (const each of [anonVma, root]) {
        assertThat((yield* load(RootedAnonVma.lock(each))) === 0, 'no lock is left behind');
      }
      assertThat(results.look === null || results.look === 1, 'a page that is mapped is in the areas of its anon_vma');
      reach(results.look === null ? 'not locked' : 'locked');
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
