// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr, SequentialOptions } from '@lockless/cpu';
import { NULL, SequentialEngine, STATIC_WORDS } from '@lockless/cpu';
import type { Page } from '@lockless/mm-types';
import { allocPage, type FreeAreaOptions, freeAreaInit, zonePageState } from '../src/index.js';
import { FreeArea, freeArea, MAX_ORDER } from '../src/mmzone.js';

export interface OneCpu {
  readonly engine: SequentialEngine;
  run<T>(op: Op<T> | (() => Op<T>)): T;
  /** Looks at the machine from outside. */
  look<T>(what: () => T): T;
}

/** A machine of one CPU with a page allocator. */
export function bootOneCpu(options: Partial<FreeAreaOptions> = {}, engineOptions: SequentialOptions = {}): OneCpu {
  const { pages = 256 } = options;
  const engine = new SequentialEngine({ words: STATIC_WORDS + 65_536 + pages * 20, ...engineOptions });
  const run = <T>(op: Op<T> | (() => Op<T>)): T => engine.run(typeof op === 'function' ? op() : op);
  run(freeAreaInit({ nrCpus: 1, minFreeKbytes: 0, ...options, pages }));
  const look = <T>(what: () => T): T =>
    run(function* (): Op<T> {
      return what();
    });
  return { engine, run, look };
}

/** Free blocks by order, and free pages. */
export const freeLists = ({ engine }: OneCpu): number[] =>
  Array.from({ length: MAX_ORDER }, (_, order) => engine.words[FreeArea.nrFree(freeArea(order))]!);

export const freePagesExactly = (machine: OneCpu): number => machine.look(() => zonePageState().nr_free_pages);

export const must = (page: Ptr<Page> | 0): Ptr<Page> => {
  if (page === NULL) throw new Error('no page');
  return page;
};

/** Allocates until there is no more. */
export function* takeAll(gfp: number): Op<Ptr<Page>[]> {
  const pages: Ptr<Page>[] = [];
  for (;;) {
    const page = yield* allocPage(gfp);
    if (page === NULL) return pages;
    pages.push(page);
  }
}
