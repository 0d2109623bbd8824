// SPDX-License-Identifier: GPL-2.0-only
import type { Outcome } from '@lockless/checker';
import type { Op, Ptr } from '@lockless/cpu';
import { configureKernel, defineGuard } from '@lockless/cpu';
import type { Page } from '@lockless/mm-types';
import { putPage, trylockPage, unlockPage } from '@lockless/page';
import type { Generation } from '@lockless/pagecache';
import { findGetPage, removeMapping } from '@lockless/pagecache';
import { always, notNeeded } from '../claims.js';
import { onOneCpu } from '../one-cpu.js';
import { lookUp, oneWasFirst } from '../pagecache/lookup-vs-removal.js';
import { bootIsolatedPage, mapping, reclaim } from '../pagecache/tiny-cache.js';
import { type GuardClaim, type Scenario, scenario } from '../scenario.js';

/* find_get_page() against remove_mapping() on the one CPU that there is, where the speculative reference is a plain increment. */

const FIRST = 'the lookup is first, and the page stays';
const SECOND = 'the removal is first, and the lookup finds nothing';
const SOURCE = 'e286781d5f "mm: speculative page references" (2.6.27): page_cache_get_speculative() without CONFIG_SMP';

const removesInTask = defineGuard('reclaim.notInInterrupt', 'an interrupt handler removes pages from the page cache');

function* bootUp(preempt: boolean, generation: Generation = 'freeze-refs'): Op<Ptr<Page>> {
  configureKernel({ smp: false, preempt });
  return yield* bootIsolatedPage(generation);
}

function* outcomeOf(page: Ptr<Page>, { results, reach }: Outcome): Op<void> {
  yield* oneWasFirst(page, { results: results.cpu as Outcome['results'], reach });
}

function lookupVersusReclaim(
  preempt: boolean,
  declared: Pick<Scenario, 'name' | 'facts' | 'summary'>,
  guards: readonly GuardClaim[],
): Scenario {
  return scenario({
    ...declared,
    source: SOURCE,
    properties: ['I1', 'I2', 'I3', 'I4', 'I5', 'I7', 'I8'],
    setup: () => bootUp(preempt),
    threads: { cpu: (page: Ptr<Page>) => onOneCpu({ lookup: lookUp, reclaim: () => reclaim(page) }) },
    finally: outcomeOf,
    mustReach: [FIRST, SECOND],
    guards,
  });
}

/** What the protocol does for other CPUs: the reader cannot be preempted between 1 and 3, nor the remover between A and B. */
const FOR_OTHER_CPUS: readonly GuardClaim[] = [
  notNeeded('findGetPage.slotRecheck'),
  notNeeded('removeMapping.freezeRefs'),
];

/** Who has set PG_nonewrefs, and a lookup that waits for it to be cleared. */
function setterAndLookup(preempt: boolean, name: string, claim: GuardClaim): Scenario {
  return scenario({
    name,
    facts: ['A4'],
    summary: `who has set PG_nonewrefs shares the only CPU with a lookup; ${preempt ? 'with' : 'without'} CONFIG_PREEMPT`,
    source: "Peter Zijlstra's patches for -rt (2006-11): set_page_no_new_refs() disables preemption",
    properties: ['I2', 'I7'],
    setup: () => bootUp(preempt, 'nonewrefs'),
    threads: { cpu: (page: Ptr<Page>) => onOneCpu({ lookup: lookUp, reclaim: () => reclaim(page) }) },
    finally: outcomeOf,
    mustReach: [FIRST, SECOND],
    guards: [claim],
  });
}

/** Reclaim where it must not be: it locks, removes and frees the page before the interrupted code goes on. */
function* reclaimInInterrupt(page: Ptr<Page>): Op<void> {
  if (!(yield* trylockPage(page))) return;
  yield* removeMapping(mapping, page);
  yield* unlockPage(page);
  yield* putPage(page);
}

export const lookupScenarios: readonly Scenario[] = [
  lookupVersusReclaim(
    true,
    {
      name: 'up-preempt-lookup-vs-reclaim',
      facts: ['seed 1', 'seed 2'],
      summary: 'a lookup and reclaim of one page preempt each other; the reference of the lookup is a plain increment',
    },
    // VM_BUG_ON(!in_atomic()), before anything goes wrong.
    [always('rcuReadLock.preemptDisable', 'VM_BUG'), ...FOR_OTHER_CPUS],
  ),
  lookupVersusReclaim(
    false,
    {
      name: 'up-lookup-vs-reclaim',
      facts: ['seed 1', 'seed 2'],
      summary: 'a lookup and reclaim of one page, neither of which gives up the CPU; nothing is left of the protocol',
    },
    [notNeeded('rcuReadLock.preemptDisable'), ...FOR_OTHER_CPUS],
  ),
  scenario({
    name: 'up-removal-in-interrupt',
    facts: ['seed 1'],
    summary:
      'pages are removed by tasks only: an interrupt handler would do it between the load of a slot and the increment',
    source: `${SOURCE}, "removal never happens from interrupts"`,
    properties: ['I1', 'I4'],
    setup: () => bootUp(false),
    threads: {
      *cpu(page: Ptr<Page>) {
        yield* unlockPage(page);
        const remove = (): Op<void> => reclaimInInterrupt(page);
        const tasks = { lookup: () => findGetPage(mapping, 0) };
        return removesInTask()
          ? yield* onOneCpu({ ...tasks, reclaim: remove })
          : yield* onOneCpu(tasks, { interrupt: remove });
      },
    },
    *finally(page, { results, reach }) {
      const { lookup } = results.cpu as { readonly lookup: unknown };
      reach(lookup === page ? 'found' : 'removed');
    },
    mustReach: ['found', 'removed'],
    guards: [always('reclaim.notInInterrupt', 'VM_BUG')],
  }),
  setterAndLookup(true, 'up-preempt-nonewrefs', always('setPageNoNewRefs.preemptOff', 'livelock')),
  setterAndLookup(false, 'up-nonewrefs', notNeeded('setPageNoNewRefs.preemptOff')),
];
