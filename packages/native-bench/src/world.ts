// SPDX-License-Identifier: GPL-2.0-only
import { bootReserve, GFP_KERNEL, NULL, type Ptr, poke } from '@lockless/cpu/native';
import { type AddressSpace, Inode, PAGE_SIZE, Page } from '@lockless/mm-types/native';
import { type MachineHandle, NativeMachine } from '@lockless/native';
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
import { contentOf, DEFAULT_KEYS } from './harness/keys.js';

/** Words for everything but mem_map: static data, the engine, nodes of trees. */
const OTHER_WORDS = 1 << 21;
const INODES = (pages: number): number => pages * PAGE_SIZE;

export interface WorldOptions {
  readonly generation: Generation;
  /** Pages of the file, all in the cache. */
  readonly pages: number;
  /** Further page frames, and further indices of the file that have no page. */
  readonly spare?: number;
  /** RCU of the machine. Default: mb. */
  readonly rcu?: 'mb' | 'qsbr';
}

/** A machine with the page cache of the native build, and one file in it, as threads are given it. */
export interface World {
  readonly handle: MachineHandle;
  readonly mapping: Ptr<AddressSpace>;
  readonly pages: number;
  /** Word addresses of room for keys, one for each of two threads. */
  readonly lists: readonly [number, number];
}

/** Boots a machine in this thread, which takes no part in it afterwards, and reads a file into its cache. */
export function makeWorld({ generation, pages, spare = 4096, rcu = 'mb' }: WorldOptions): World {
  const frames = pages + spare;
  const machine = NativeMachine.create({ words: OTHER_WORDS + frames * Page.$size + frames, mayBlock: true, rcu });
  attachBlockMap(new BackingStore());
  bootUrcu(machine.threads);
  freeAreaInit({ pages: frames, nrCpus: machine.threads });
  pagecacheInit({ generation });
  const mapping = fileInCache(pages, spare);
  const lists = bootReserve(2 * DEFAULT_KEYS);
  const handle = machine.share();
  machine.detach();
  return { handle, mapping, pages, lists: [lists, lists + DEFAULT_KEYS] };
}

/** A file of which the first pages are cached, as if somebody had read them. */
function fileInCache(pages: number, spare: number): Ptr<AddressSpace> {
  const inode = inodeAlloc(1, INODES(pages + spare));
  if (inode === NULL) throw new Error('no memory for an inode');
  const mapping = Inode.data(inode);
  for (let index = 0; index < pages; index++) {
    const page = findOrCreatePage(mapping, index, GFP_KERNEL);
    if (page === NULL) throw new Error(`no memory for page ${index} of the file`);
    poke(Page.contentIdentity(page), contentOf(index));
    setPageUptodate(page);
    unlockPage(page);
    putPage(page);
  }
  lruAddDrain();
  return mapping;
}
