// SPDX-License-Identifier: GPL-2.0-only
import {
  atomicCmpxchg,
  atomicDec,
  atomicIncNotZero,
  containerOf,
  defineWord,
  type Embed,
  functionPointer,
  GFP_KERNEL,
  KernelBug,
  kmemCacheAlloc,
  kmemCacheCreate,
  kmemCacheFree,
  load,
  NULL,
  type Op,
  type Ptr,
  type Ref,
  type SpinLock,
  type StructOf,
  spinLockIrq,
  spinUnlockIrq,
  store,
  struct,
} from '@lockless/cpu';
import { RcuHead } from '@lockless/mm-types';
import { callRcu, rcuBarrier, rcuHooks, rcuInit, rcuReadLock, rcuReadUnlock } from '@lockless/rcu';
import { Machine, type MachineOptions, type RunOutcome } from '@lockless/simulator';
import type { Tree } from './kernel-case.js';
import { randomFrom, tree, verifyTree } from './tree.js';

/** Stand-in for struct page, freed after a grace period as the kernel's test does. */
interface Page {
  rcu: Embed<RcuHead>;
  count: number;
  index: number;
}
const Page: StructOf<Page> = struct<Page>('test_page', { rcu: RcuHead, count: 1, index: 1 });
const pages = kmemCacheCreate(Page);
const treeLock: Ref<SpinLock> = defineWord<SpinLock>('radix_test_tree_lock');
const freePage = functionPointer('test_page_free', (head: Ptr<RcuHead>): Op<void> => freed(head));
function* freed(head: Ptr<RcuHead>): Op<void> {
  yield* kmemCacheFree(pages, containerOf(head, Page, 'rcu'));
}

function start(t: Tree, options: MachineOptions): Machine {
  const machine = new Machine({
    timerTick: 3000,
    timeSlice: 6000,
    memoryWords: (1 << 18) + (1 << 17),
    livelockSteps: 20_000,
    hooks: rcuHooks,
    ...options,
  });
  machine.boot(rcuInit(machine.config.cpus));
  machine.boot(t.radixTreeInit(tree, 0));
  return machine;
}

/** Adds a page as add_to_page_cache() does: preload, lock, insert. 0, or the page when the index is taken. */
function* addPage(t: Tree, index: number, tag?: number): Op<void> {
  const page = yield* kmemCacheAlloc(pages, GFP_KERNEL);
  if (page === NULL) return;
  yield* store(Page.index(page), index);
  yield* store(Page.count(page), 1);
  if ((yield* t.radixTreePreload(GFP_KERNEL)) !== 0) {
    yield* kmemCacheFree(pages, page);
    return;
  }
  yield* spinLockIrq(treeLock);
  const error = yield* t.radixTreeInsert(tree, index, page);
  if (error === 0 && tag !== undefined) yield* t.radixTreeTagSet(tree, index, tag);
  yield* spinUnlockIrq(treeLock);
  t.radixTreePreloadEnd();
  if (error !== 0) yield* kmemCacheFree(pages, page);
}

/** Takes a page out and frees it, unless somebody has a reference: then it goes back. */
function* removePage(t: Tree, index: number): Op<void> {
  yield* spinLockIrq(treeLock);
  const page = (yield* t.radixTreeDelete(tree, index)) as Ptr<Page>;
  yield* spinUnlockIrq(treeLock);
  if ((page as number) === NULL) return;
  // Wait for those who got a reference before.
  while ((yield* atomicCmpxchg(Page.count(page), 1, 0)) !== 1);
  yield* callRcu(Page.rcu(page), freePage);
}

/** find_get_pages() from regression1.c: returns the indexes that the pages bear. */
function* findGetPages(t: Tree, slotsOf: () => Op<Ref<number>[]>): Op<number[]> {
  yield* rcuReadLock();
  restart: for (;;) {
    const found: number[] = [];
    for (const slot of yield* slotsOf()) {
      for (;;) {
        const item = yield* t.radixTreeDerefSlot(slot);
        if (item === t.RADIX_TREE_RETRY) continue restart;
        if (item === NULL) break;
        const page = item as Ptr<Page>;
        if (!(yield* atomicIncNotZero(Page.count(page)))) continue;
        const same = page === (yield* t.radixTreeDerefSlot(slot));
        if (same) found.push(yield* load(Page.index(page)));
        yield* atomicDec(Page.count(page));
        if (same) break;
      }
    }
    yield* rcuReadUnlock();
    return found;
  }
}

function ascending(found: readonly number[], what: string): void {
  if (found.some((index, i) => i > 0 && index <= found[i - 1])) {
    throw new KernelBug('order', `${what} finds ${found.join(', ')}`);
  }
}

/** regression1.c: one writer makes the tree come and go, the readers gather what they can get. 1,000,000 rounds in the kernel. */
export function regression1(t: Tree, options: MachineOptions, rounds = 15): RunOutcome {
  const machine = start(t, options);
  for (let reader = 1; reader < machine.config.cpus; reader++) {
    machine.spawn(`reader${reader}`, function* () {
      for (let i = 0; i < rounds * 2; i++) {
        ascending(yield* findGetPages(t, () => t.radixTreeGangLookupSlot(tree, 0, 10)), 'a gang lookup');
      }
    });
  }
  machine.spawn('writer', function* () {
    for (let i = 0; i < rounds; i++) {
      for (const index of [0, 1]) yield* addPage(t, index);
      for (const index of [1, 0]) yield* removePage(t, index);
    }
    yield* rcuBarrier();
  });
  return finish(t, machine);
}

/** regression4.c: index 0 is there for good, index 1 comes and goes. */
export function regression4(t: Tree, options: MachineOptions, rounds = 25): RunOutcome {
  const machine = start(t, options);
  machine.boot(addPage(t, 0));
  for (let reader = 1; reader < machine.config.cpus; reader++) {
    machine.spawn(`reader${reader}`, function* () {
      for (let i = 0; i < rounds * 2; i++) {
        yield* rcuReadLock();
        const page = (yield* t.radixTreeLookup(tree, 0)) as Ptr<Page>;
        if ((page as number) === NULL) throw new KernelBug('lost', 'index 0 is not found');
        if ((yield* load(Page.index(page))) !== 0) throw new KernelBug('wrong', 'index 0 holds another item');
        yield* rcuReadUnlock();
      }
    });
  }
  machine.spawn('writer', function* () {
    for (let i = 0; i < rounds; i++) {
      yield* addPage(t, 1);
      yield* removePage(t, 1);
    }
    yield* rcuBarrier();
  });
  return finish(t, machine);
}

/**
 * iteration_check.c: one adds and tags 0 to 99, one removes at random, the others walk, tagged and untagged. Ten seconds of it in the kernel; here
 * some sweeps. Indexes are 23 apart, for three levels of nodes.
 */
export function iterationCheck(t: Tree, options: MachineOptions, sweeps = 2): RunOutcome {
  const machine = start(t, options);
  const random = randomFrom(machine.config.seed);
  const apart = 53;
  machine.spawn('adder', function* () {
    for (let i = 0; i < 100 * sweeps; i++) yield* addPage(t, (i % 100) * apart, 0);
  });
  machine.spawn('remover', function* () {
    for (let i = 0; i < 100 * sweeps; i++) yield* removePage(t, random(100) * apart);
    yield* rcuBarrier();
  });
  for (let walker = 0; walker < Math.max(2, machine.config.cpus - 2); walker++) {
    machine.spawn(`walker${walker}`, function* () {
      for (let i = 0; i < 3 * sweeps; i++) {
        for (let first = 0; ; ) {
          const found = yield* findGetPages(t, () =>
            walker % 2 === 0
              ? t.radixTreeGangLookupSlot(tree, first, 16)
              : t.radixTreeGangLookupTagSlot(tree, first, 16, 0),
          );
          ascending(found, 'a walk');
          if (found.length === 0) break;
          if (found[0] < first) throw new KernelBug('order', `a walk from ${first} finds ${found[0]}`);
          first = found[found.length - 1] + 1;
        }
      }
    });
  }
  return finish(t, machine);
}

/** Runs to the end; then the tree is consistent, and no node is left but those in it and in the pools. */
function finish(t: Tree, machine: Machine): RunOutcome {
  const outcome = machine.run({ maxSteps: 3_000_000 });
  if (outcome.status !== 'finished') return outcome;
  machine.spawn('verify', function* () {
    yield* rcuBarrier();
    const { nodes } = verifyTree(tree);
    const live = machine.heap.live[t.radixTreeNodeCachep.id] ?? 0;
    const pooled = machine.config.cpus * t.RADIX_TREE_PRELOAD_SIZE;
    if (live > nodes + pooled)
      throw new KernelBug('leak', `${live} nodes live, ${nodes} are in the tree, ${pooled} in pools`);
  });
  return machine.run();
}
