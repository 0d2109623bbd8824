// SPDX-License-Identifier: GPL-2.0-only
import {
  containerOf,
  ListHead,
  type Ptr,
  peek,
  poke,
  type SeqLock,
  seqLockDied,
  WaitQueueHead,
  words,
} from '@lockless/cpu/native';
import { AddressSpace, Page, PG_ACTIVE, PG_BUDDY, PG_LRU } from '@lockless/mm-types/native';
import { type NativeMachine, repairList } from '@lockless/native';
import {
  FreeArea,
  freeArea,
  LRU_ACTIVE_FILE,
  LRU_INACTIVE_FILE,
  lruList,
  MAX_ORDER,
  memMapPages,
  PerCpuPages,
  pageWaitqueues,
  perCpuPages,
  pfnToPage,
} from '@lockless/page/native';
import { cachedPages } from '@lockless/pagecache/native';
import { radixTreeReclaimerDied, radixTreeRepair } from '@lockless/radix-tree/native';
import { FileRecord, maxFiles, recordAt } from './shared-words.js';

/*
 * What a spin lock protects, put in order when its holder died anywhere in its critical section: before anybody else gets the lock. Lists are whole in the forward
 * direction wherever that was (leftovers.ts of native), and a page's flags say on which list it belongs, if they are not about it; then it is on none, and
 * swept up later (sweep.ts), as are counts.
 */

const flag = (page: Ptr<Page>, bit: number): boolean => (peek(Page.flags(page)) & (1 << bit)) !== 0;

/** Pages of a list as far as it can be followed, in order. */
function listed(head: Ptr<ListHead>): Ptr<Page>[] {
  const found: Ptr<Page>[] = [];
  for (let at = peek(ListHead.next(head)); at !== head && found.length < memMapPages(); at = peek(ListHead.next(at)))
    found.push(containerOf(at, Page, 'lru'));
  return found;
}

/** Makes a list of exactly these entries. */
export function relink(head: Ptr<ListHead>, entries: Iterable<Ptr<ListHead>>): void {
  let last = head;
  for (const entry of entries) {
    poke(ListHead.next(last), entry);
    poke(ListHead.prev(entry), last);
    last = entry;
  }
  poke(ListHead.next(last), head);
  poke(ListHead.prev(head), last);
}

const relinkPages = (head: Ptr<ListHead>, pages: Iterable<Ptr<Page>>): void =>
  relink(
    head,
    Array.from(pages, (page) => Page.lru(page)),
  );

/** Each page that has PG_lru on the list that its flags name, in the order in which they were; those that were on none come last. */
export function rebuildLruLists(): void {
  for (const lru of [LRU_INACTIVE_FILE, LRU_ACTIVE_FILE]) {
    const active = lru === LRU_ACTIVE_FILE;
    const belongs = (page: Ptr<Page>): boolean => flag(page, PG_LRU) && flag(page, PG_ACTIVE) === active;
    const pages = new Set(listed(lruList(lru)).filter(belongs));
    for (let pfn = 1; pfn < memMapPages(); pfn++) if (belongs(pfnToPage(pfn))) pages.add(pfnToPage(pfn));
    relinkPages(lruList(lru), pages);
  }
}

/** Each block that has PG_buddy on the list of its order. */
function rebuildFreeLists(): void {
  const blocks: Ptr<Page>[][] = Array.from({ length: MAX_ORDER }, () => []);
  for (let pfn = 1; pfn < memMapPages(); pfn++) {
    const page = pfnToPage(pfn);
    if (flag(page, PG_BUDDY)) blocks[peek(Page.private(page))].push(page);
  }
  for (const [order, pages] of blocks.entries()) {
    relinkPages(FreeArea.freeList(freeArea(order)), pages);
    poke(FreeArea.nrFree(freeArea(order)), pages.length);
  }
}

/** A CPU's own free pages, when it is gone: its list, and how many they are. */
export function repairCpuPages(cpu: number): void {
  const pcp = perCpuPages(cpu);
  const pages = listed(PerCpuPages.list(pcp));
  relinkPages(PerCpuPages.list(pcp), pages);
  poke(PerCpuPages.count(pcp), pages.length);
}

/** A tree: its nodes; pages that were frozen are so no more, or lookups would wait for them for ever. Their counts are made right by the sweep. */
function repairTree(mapping: Ptr<AddressSpace>): void {
  radixTreeRepair(AddressSpace.pageTree(mapping));
  const pages = cachedPages(mapping);
  for (const { page } of pages) if (peek(Page._count(page)) === 0) poke(Page._count(page), 2);
  poke(AddressSpace.nrpages(mapping), pages.length);
}

/** A sequence lock, and the sizes that it protects if it is a file's. */
function repairSizes(lock: Ptr<SeqLock>): void {
  const records = Array.from({ length: peek(maxFiles) }, (_, number) => recordAt(number));
  const record = records.find((each) => FileRecord.sizes(each) === lock);
  seqLockDied(lock, record === undefined ? [] : [FileRecord.size(record), FileRecord.stored(record)]);
}

/** Tells the machine how to repair every lock of the page cache. */
export function repairLocks(machine: NativeMachine): void {
  const done = (work: () => void): boolean => {
    work();
    return true;
  };
  machine.repairLock('zone.lruLock', () => done(rebuildLruLists));
  machine.repairLock('zone.lock', () => done(rebuildFreeLists));
  machine.repairLock('address_space.treeLock', (_, base) => done(() => repairTree(base as Ptr<AddressSpace>)));
  machine.repairLock('seqlock_t.lock', (_, base) => done(() => repairSizes(base as Ptr<SeqLock>)));
  // In boot memory, so they have no name but their address.
  for (const queue of pageWaitqueues())
    machine.repairLock(machine.describe(WaitQueueHead.lock(queue)), () =>
      done(() => repairList(words, WaitQueueHead.taskList(queue))),
    );
  // Of these each change is one store, or the sweep makes right what it is about; of the list of dirty inodes nobody reads anything before.
  for (const name of ['inode_lock', 'bio_pool.lock', 'file_cache_files_lock']) machine.repairLock(name, () => true);
  machine.repairLock('urcu_callbacks.reclaim', (_lock, _base, cpu) => done(() => radixTreeReclaimerDied(cpu)));
}
