// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { exhaustReserves, poke, readOnce, spinLock, spinUnlock, writeOnce } from '@lockless/cpu';
import { AddressSpace, EINVAL, Page, VM_SHARED, VmAreaStruct } from '@lockless/mm-types';
import { chainedEntries, getPage, lockPage, mapcountOf, unlockPage } from '@lockless/page';
import { installPage, pageConvertAnon, pteLockptr, SWAP_SUCCESS, type SwapResult, tryToUnmap } from '@lockless/rmap';
import { assertThat } from '../assertion.js';
import { always, notNeeded } from '../claims.js';
import { type GuardClaim, type Scenario, scenario } from '../scenario.js';
import { ADDRESS, bootFilePage, entriesOf, type FilePage, mapping, READ_ONLY, zapEntry } from './boot.js';

/* Dave McCracken's objrmap: pages of files are counted and found by their areas, until one is mapped where no area shows it. */

const POSTED = 'Dave McCracken, "anobjrmap 1/6 objrmap", on 2.6.5-rc1';

function* locked<T>(page: Ptr<Page>, op: () => Op<T>): Op<T> {
  yield* lockPage(page);
  const result = yield* op();
  yield* unlockPage(page);
  return result;
}

/** Reclaim: the page's entries go. *Returns* what try_to_unmap() says, and whether it is true: then the page may be freed. */
const reclaim = (shared: FilePage): Op<{ readonly result: SwapResult; readonly left: number }> =>
  locked(shared.page, function* () {
    const result = yield* tryToUnmap(shared.page, false);
    return { result, left: (yield* entriesOf(shared)).length };
  });
const convert = ({ page }: FilePage): Op<number> => locked(page, () => pageConvertAnon(page));

/** I9: what the page knows of its entries is what is in the page tables. */
function* assertComplete(shared: FilePage): Op<void> {
  const entries = yield* entriesOf(shared);
  assertThat(mapcountOf(shared.page) === entries.length, 'the page knows how many entries it has');
  const chained = chainedEntries(shared.page);
  assertThat(chained === null || entries.every((ptep) => chained.includes(ptep)), 'and which, if it has a chain');
}
const believed = (reclaimed: unknown): boolean => {
  const { result, left } = reclaimed as { result: SwapResult; left: number };
  return result !== SWAP_SUCCESS || left === 0;
};

const noMemory: Scenario = scenario<FilePage>({
  name: 'conversion-without-memory',
  facts: ['D10', 'seed 4'],
  summary:
    'the entries of a page are put into a chain, memory ends on the way, and reclaim takes the page for unmapped',
  source: `${POSTED}: page_convert_anon() returns -ENOMEM half way (not seen before; derived from the text)`,
  properties: ['I9', 'I12'],
  *setup() {
    const shared = yield* bootFilePage(2);
    exhaustReserves();
    return shared;
  },
  threads: { convert, reclaim },
  *finally(shared, { results }) {
    assertThat(believed(results.reclaim), 'a page that try_to_unmap calls unmapped is in no page table');
    yield* assertComplete(shared);
  },
  guards: [always('pageConvertAnon.allocateFirst', 'assertion'), notNeeded('pageConvertAnon.pageTableLock')],
});

const window: Scenario = scenario<FilePage>({
  name: 'conversion-vs-zap',
  facts: ['D11', 'seed 4'],
  summary: 'an entry is zapped while the entries of its page are being put into a chain',
  source: `${POSTED}, the comment of page_convert_anon()`,
  properties: ['I9'],
  setup: () => bootFilePage(2),
  threads: { convert, zap: ({ processes }) => zapEntry(processes[1]) },
  *finally(shared) {
    assertThat((yield* entriesOf(shared)).length === 1, 'the other entry is there');
    yield* assertComplete(shared);
  },
  guards: [always('pageConvertAnon.pageTableLock', 'assertion'), notNeeded('pageConvertAnon.allocateFirst')],
});

/** The caller's reference becomes the entry's. */
function* install({ page, processes }: FilePage, address: number): Op<number> {
  const { mm, vma } = processes[processes.length - 1];
  return yield* installPage(mm, vma, address, page, READ_ONLY);
}

const truncated: Scenario = scenario<FilePage>({
  name: 'install-page-vs-truncate',
  facts: ['D12', 'seed 4'],
  summary: 'remap_file_pages maps a page that truncation takes out of the file',
  source: `${POSTED}: install_page() locks the page for the conversion only (not seen before; derived from the text)`,
  properties: ['I12'],
  *setup() {
    const shared = yield* bootFilePage(0, 1);
    yield* getPage(shared.page);
    return shared;
  },
  threads: {
    install: (shared) => install(shared, ADDRESS),
    truncate: ({ page }) =>
      locked(page, function* () {
        yield* writeOnce(Page.mapping(page), 0);
      }),
  },
  *finally(_, { results, reach }) {
    assertThat(results.install === 0 || results.install === -EINVAL, 'the page is mapped, or left its file before');
    reach(results.install === 0 ? 'mapped' : 'truncated first');
  },
  mustReach: ['mapped', 'truncated first'],
  guards: [always('installPage.pageLock', 'BUG')],
});

const busy = (
  name: string,
  summary: string,
  take: (shared: FilePage) => Op<void>,
  guards: readonly GuardClaim[],
): Scenario =>
  scenario<FilePage>({
    name,
    facts: ['D13', 'seed 4'],
    summary,
    source: `${POSTED}, and Hugh Dickins' remarks on it`,
    properties: ['I12'],
    setup: () => bootFilePage(1),
    threads: { reclaim, take },
    *finally(shared, { results, reach }) {
      assertThat(believed(results.reclaim), 'a page that try_to_unmap calls unmapped is in no page table');
      yield* assertComplete(shared);
      reach((results.reclaim as { result: SwapResult }).result === SWAP_SUCCESS ? 'unmapped' : 'tried again later');
    },
    mustReach: ['unmapped', 'tried again later'],
    guards,
  });

const busyScenarios: readonly Scenario[] = [
  busy(
    'reclaim-meets-busy-file',
    'try_to_unmap cannot have i_mmap_lock, which somebody holds who changes the areas of the file',
    function* () {
      yield* spinLock(AddressSpace.iMmapLock(mapping));
      yield* spinUnlock(AddressSpace.iMmapLock(mapping));
    },
    // SWAP_SUCCESS is what the caller believes.
    [always('tryToUnmap.trylockAgain', 'assertion')],
  ),
  busy(
    'reclaim-meets-busy-page-table',
    'try_to_unmap cannot have page_table_lock, which a fault holds',
    function* ({ processes: [{ mm, ptep }] }) {
      yield* spinLock(pteLockptr(mm, ptep));
      yield* spinUnlock(pteLockptr(mm, ptep));
    },
    [always('tryToUnmap.trylockAgain', 'assertion')],
  ),
];

const nonlinear: Scenario = scenario<FilePage>({
  name: 'reclaim-of-nonlinear-page',
  facts: ['D14', 'seed 4'],
  summary: 'remap_file_pages maps a page where its index does not say, and reclaim wants it',
  source: `${POSTED}: install_page()`,
  properties: ['I9'],
  *setup() {
    const shared = yield* bootFilePage(0, 1);
    poke(Page.index(shared.page), 1);
    const [{ vma }] = shared.processes;
    poke(VmAreaStruct.vmEnd(vma), 2);
    poke(VmAreaStruct.vmFlags(vma), VM_SHARED);
    yield* getPage(shared.page);
    return shared;
  },
  threads: { install: (shared) => install(shared, ADDRESS), reclaim },
  *finally(shared) {
    const again = yield* reclaim(shared);
    assertThat(
      again.result === SWAP_SUCCESS && again.left === 0,
      'reclaim gets every page that is not in use, in the end',
    );
    assertThat((yield* readOnce(Page.pte(shared.page))) === 0, 'and no entry is counted that is not there');
  },
  guards: [always('installPage.convert', 'assertion'), notNeeded('installPage.pageLock')],
});

export const objrmapScenarios: readonly Scenario[] = [noMemory, window, truncated, ...busyScenarios, nonlinear];
