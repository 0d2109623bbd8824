// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr, StructOf, Vec } from '@lockless/cpu';
import { definePerCpu, load, store, struct } from '@lockless/cpu';
import type { Page } from '@lockless/mm-types';
import { NR_LRU_LISTS } from './mmzone.js';

/** Pages that one pagevec holds. *Source*: include/linux/pagevec.h, 2.6.27. */
export const PAGEVEC_SIZE = 14;

/** struct pagevec: pages on their way to a list, so that the list's lock is taken once for all of them. */
export interface Pagevec {
  nr: number;
  pages: Vec<Ptr<Page>>;
}
export const Pagevec: StructOf<Pagevec> = struct<Pagevec>('pagevec', { nr: 1, pages: PAGEVEC_SIZE });

const lruAddPagevecs: readonly ((cpu: number) => Ptr<Pagevec>)[] = Array.from({ length: NR_LRU_LISTS }, (_, lru) =>
  definePerCpu(Pagevec, `lru_add_pvecs[${lru}]`),
);
/** The pagevec of pages that go to an LRU list. Touched by its CPU alone, preemption off. */
export const lruAddPagevec = (cpu: number, lru: number): Ptr<Pagevec> => lruAddPagevecs[lru](cpu);
/** The pagevec of pages that go to the tail of the inactive list. Interrupts use it: touched with interrupts off. */
export const rotatePagevec: (cpu: number) => Ptr<Pagevec> = definePerCpu(Pagevec, 'lru_rotate_pvecs');

/** pagevec_add(). False when it is full now. */
export function* pagevecAdd(pagevec: Ptr<Pagevec>, page: Ptr<Page>): Op<boolean> {
  const nr = yield* load(Pagevec.nr(pagevec));
  yield* store(Pagevec.pages(pagevec, nr), page);
  yield* store(Pagevec.nr(pagevec), nr + 1);
  return nr + 1 < PAGEVEC_SIZE;
}

/** Empties a pagevec and returns what was in it, in the order of arrival. */
export function* pagevecTakeAll(pagevec: Ptr<Pagevec>): Op<Ptr<Page>[]> {
  const nr = yield* load(Pagevec.nr(pagevec));
  const pages: Ptr<Page>[] = [];
  for (let i = 0; i < nr; i++) pages.push(yield* load(Pagevec.pages(pagevec, i)));
  if (nr > 0) yield* store(Pagevec.nr(pagevec), 0);
  return pages;
}
