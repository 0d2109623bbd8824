// SPDX-License-Identifier: GPL-2.0-only
import { GFP_KERNEL, NULL, type Ptr, poke } from '@lockless/cpu/native';
import { type AddressSpace, Inode, PAGE_SIZE, Page } from '@lockless/mm-types/native';
import { NativeMachine } from '@lockless/native';
import { freeAreaInit, lruAddDrain, putPage, setPageUptodate, unlockPage } from '@lockless/page/native';
import {
  attachBlockMap,
  BackingStore,
  findOrCreatePage,
  type Generation,
  inodeAlloc,
  pagecacheInit,
} from '@lockless/pagecache/native';
import { bootUrcu } from '@lockless/rcu/native';

/** A machine of this thread with a file in its cache that has pages at those indices. To be detached. */
export interface CachedFile {
  readonly machine: NativeMachine;
  readonly mapping: Ptr<AddressSpace>;
  /** By index. */
  readonly pages: ReadonlyMap<number, Ptr<Page>>;
}

/** What the page at an index holds. */
export const contentAt = (index: number): number => (index ^ 0x5a5a5a) | 1;

export function cachedFile(
  indices: readonly number[],
  generation: Generation = 'freeze-refs',
  rcu: 'mb' | 'qsbr' = 'mb',
): CachedFile {
  const frames = indices.length + 64;
  const machine = NativeMachine.create({ words: 1_300_000 + frames * Page.$size, mayBlock: true, rcu });
  attachBlockMap(new BackingStore());
  bootUrcu(machine.threads);
  freeAreaInit({ pages: frames, nrCpus: machine.threads, minFreeKbytes: 16 });
  pagecacheInit({ generation });
  const inode = inodeAlloc(1, 2 ** 31 - PAGE_SIZE);
  if (inode === NULL) throw new Error('no memory for an inode');
  const mapping = Inode.data(inode);
  const pages = new Map<number, Ptr<Page>>();
  for (const index of indices) {
    const page = findOrCreatePage(mapping, index, GFP_KERNEL);
    if (page === NULL) throw new Error(`no memory for page ${index}`);
    poke(Page.contentIdentity(page), contentAt(index));
    setPageUptodate(page);
    unlockPage(page);
    putPage(page);
    pages.set(index, page);
  }
  lruAddDrain();
  return { machine, mapping, pages };
}

/** Runs something twice on the same memory, and leaves it as the first run did; *returns* both results, and the words in which the two runs ended differently. */
export function twice<T>(
  words: Int32Array,
  runs: readonly [() => T, () => T],
): { results: [T, T]; differences: number[] } {
  const before = words.slice();
  const second = runs[1]();
  const after = words.slice();
  words.set(before);
  const first = runs[0]();
  const differences: number[] = [];
  for (let at = 0; at < words.length; at++) if (words[at] !== after[at]) differences.push(at);
  return { results: [first, second], differences };
}
