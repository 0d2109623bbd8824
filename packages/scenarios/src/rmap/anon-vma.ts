// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Ptr } from '@lockless/cpu';
import { ListHead, load, NULL } from '@lockless/cpu';
import { AnonVma, type VmAreaStruct, VmAreaStruct as Vma } from '@lockless/mm-types';
import { anonVmaPrepare, pageLockAnonVma, pageUnlockAnonVma } from '@lockless/rmap';
import { assertThat } from '../assertion.js';
import { always } from '../claims.js';
import { type Scenario, scenario } from '../scenario.js';
import { ADDRESS, type AnonPage, bootAnonPage, newProcess, returnSlab, unmapLastArea } from './boot.js';

/* Reclaim looks for the areas of an anonymous page while the last of them is unmapped: the anon_vma has a next life, or none. */

const freed: Scenario = scenario<AnonPage>({
  name: 'anon-vma-freed-under-lookup',
  facts: ['D1', 'seed 2'],
  summary:
    "reclaim locks the anon_vma of a page whose last area is unmapped, and whose anon_vma's memory goes back to the page allocator",
  source: '34bbd70405 "[PATCH] adapt page_lock_anon_vma() to PREEMPT_RCU" (2.6.19)',
  properties: ['I11'],
  setup: () => bootAnonPage(true),
  threads: {
    *look({ page }) {
      const anonVma = yield* pageLockAnonVma(page);
      if (anonVma !== NULL) yield* pageUnlockAnonVma(anonVma);
      return anonVma !== NULL;
    },
    *unmap(shared) {
      yield* unmapLastArea(shared);
      yield* returnSlab();
    },
  },
  *finally(_, { results, reach }) {
    reach(results.look === true ? 'locked' : 'unmapped first');
  },
  mustReach: ['locked', 'unmapped first'],
  guards: [always('pageLockAnonVma.rcuReadLock', 'use-after-free')],
});

interface Reuse extends AnonPage {
  /** An area without anonymous pages so far, of another process. */
  readonly other: Ptr<VmAreaStruct>;
}

const reused: Scenario = scenario<Reuse>({
  name: 'anon-vma-reused-under-lookup',
  facts: ['D2', 'seed 2'],
  summary: 'reclaim has locked an anon_vma that was freed meanwhile, and is being given to an area of another process',
  source: 'd9d332e087 "anon_vma_prepare: properly lock even newly allocated entries" (2.6.28)',
  properties: ['I9', 'I11'],
  *setup() {
    const shared = yield* bootAnonPage();
    const { vma } = yield* newProcess({}, ADDRESS);
    return { ...shared, other: vma };
  },
  threads: {
    *look({ page }) {
      const anonVma = yield* pageLockAnonVma(page);
      if (anonVma === NULL) return null;
      const list = ListHead.next(AnonVma.head(anonVma));
      const first = yield* load(list);
      const again = yield* load(list);
      yield* pageUnlockAnonVma(anonVma);
      return { changed: first !== again };
    },
    *recycle(shared) {
      yield* unmapLastArea(shared);
      return yield* anonVmaPrepare(shared.other);
    },
  },
  *finally({ other, anonVma }, { results, reach }) {
    const look = results.look as { changed: boolean } | null;
    const now: Ptr<AnonVma> | Null = yield* load(Vma.anonVma(other));
    assertThat(results.recycle === 0 && now === anonVma, 'the anon_vma has a second life');
    assertThat(look === null || !look.changed, 'a list of areas does not change under its lock');
    reach(look === null ? 'unmapped first' : 'locked');
  },
  mustReach: ['locked', 'unmapped first'],
  guards: [always('anonVmaPrepare.lockNew', 'assertion')],
});

export const anonVmaScenarios: readonly Scenario[] = [freed, reused];
