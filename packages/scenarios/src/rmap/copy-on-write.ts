// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { NULL, poke, spinLock, spinUnlock, store } from '@lockless/cpu';
import { exclusivelyOurs, readContent, replacePage } from '@lockless/mm';
import { MmStruct, Page, VM_READ, VM_WRITE, VmAreaStruct } from '@lockless/mm-types';
import {
  anonVmaAlloc,
  beginTranslation,
  endTranslation,
  pteAllocMap,
  pteOffsetMap,
  ptePresent,
  ptepToMm,
  readPte,
  rmapPrepare,
  selectReverseMapping,
  vmNormalPage,
} from '@lockless/rmap';
import { assertThat } from '../assertion.js';
import { always, weakOnly } from '../claims.js';
import { given } from '../given.js';
import { type Scenario, scenario } from '../scenario.js';
import { ADDRESS, bootMachine, mapAnon, newMm, newPage, newProcess, type Process, READ_ONLY } from './boot.js';

interface Family {
  readonly page: Ptr<Page>;
  readonly copy: Ptr<Page>;
  readonly parent: Process;
  readonly child: Process;
}
/** What the page has, and what the parent writes. */
const OLD = 1;
const NEW = 2;

/** A page that a parent and a child map, read-only; and the copy that a thread of the child has made of it. */
function* bootFamily(): Op<Family> {
  yield* bootMachine();
  const anonVma = given(yield* anonVmaAlloc());
  const parent = yield* newProcess({ anonVma });
  const child = yield* newProcess({ anonVma });
  const page = yield* newPage(OLD);
  for (const process of [parent, child]) {
    mapAnon(process, page, anonVma, READ_ONLY);
    poke(VmAreaStruct.vmFlags(process.vma), VM_READ | VM_WRITE);
  }
  poke(Page._mapcount(page), 1);
  poke(Page._count(page), 2);
  poke(MmStruct.cpuVmMask(child.mm, 0), 0xf);
  return { page, copy: yield* newPage(OLD), parent, child };
}

const copyOnWrite: Scenario = scenario<Family>({
  name: 'copy-on-write-vs-reuse',
  facts: ['C8'],
  summary:
    'a thread of the child copies a page, the parent sees that nobody shares it any more and writes in place, another thread of the child reads',
  source: '945754a175 "mm: fix race in COW logic" (2.6.27)',
  properties: ['I12'],
  setup: bootFamily,
  threads: {
    *copy({ page, copy, child: { mm, vma, ptep } }) {
      const spare = yield* rmapPrepare();
      if (spare === null) return;
      yield* spinLock(MmStruct.pageTableLock(mm));
      const origPte = yield* readPte(ptep);
      yield* replacePage({ mm, vma, address: ADDRESS, write: true, pte: ptep, origPte }, page, copy, spare);
      yield* spinUnlock(MmStruct.pageTableLock(mm));
    },
    *reuse({ page, parent: { mm } }) {
      yield* spinLock(MmStruct.pageTableLock(mm));
      const ours = yield* exclusivelyOurs(page);
      yield* spinUnlock(MmStruct.pageTableLock(mm));
      if (ours) yield* store(Page.contentIdentity(page), NEW);
      return ours;
    },
    *read({ child: { mm, ptep } }) {
      yield* beginTranslation(mm);
      const pte = yield* readPte(ptep);
      const page = ptePresent(pte) ? vmNormalPage(NULL, ADDRESS, pte) : NULL;
      const content = page === NULL ? OLD : (yield* readContent(page)).identity;
      yield* endTranslation();
      return content;
    },
  },
  *finally(_, { results, reach }) {
    assertThat(results.read === OLD, 'the child does not see what the parent wrote');
    reach(results.reuse === true ? 'reused' : 'copied');
  },
  mustReach: ['reused', 'copied'],
  guards: [always('doWpPage.removeRmapLast', 'assertion')],
});

const publication: Scenario = scenario<{ readonly mm: Ptr<MmStruct> }>({
  name: 'page-table-publication',
  facts: ['C12'],
  summary: 'a fault hangs a new page table into the tree that another walks without a lock',
  source: '362a61ad61 "fix SMP data race in pagetable setup vs walking" (2.6.26)',
  properties: ['I11'],
  *setup() {
    yield* bootMachine();
    // With chains a table of entries says whose it is: the word in which it shows that a walker found it too early.
    yield* selectReverseMapping('pte-chain');
    return { mm: yield* newMm() };
  },
  threads: {
    *fault({ mm }) {
      return (yield* pteAllocMap(mm, ADDRESS)) !== NULL;
    },
    *walk({ mm }) {
      const ptep = yield* pteOffsetMap(mm, ADDRESS);
      return ptep === NULL ? null : { whose: yield* ptepToMm(ptep), entry: yield* readPte(ptep) };
    },
  },
  *finally({ mm }, { results, reach }) {
    const found = results.walk as { whose: number; entry: number } | null;
    assertThat(found === null || (found.whose === mm && found.entry === 0), 'a table that is found is complete');
    reach(found === null ? 'none yet' : 'found');
  },
  mustReach: ['none yet', 'found'],
  guards: [weakOnly('populate.smp_wmb', 'assertion')],
});

export const copyOnWriteScenarios: readonly Scenario[] = [copyOnWrite, publication];
