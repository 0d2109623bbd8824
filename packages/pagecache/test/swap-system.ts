// SPDX-License-Identifier: GPL-2.0-only
import type { Access, Op, Ptr, Ref } from '@lockless/cpu';
import { GFP_KERNEL, peek, poke } from '@lockless/cpu';
import { Page } from '@lockless/mm-types';
import { allocPage, setPageUptodate } from '@lockless/page';
import type { SwpEntry } from '@lockless/rmap';
import { swapAreaInit, swapStateInit, swapUsers } from '../src/index.js';
import { bootSequential, type SequentialSystem } from './sequential-system.js';

/* A machine of one CPU with a small swap area. */

/** Places of the area. */
export const PLACES = 4;
let system: SequentialSystem;

export function boot(pages: number): void {
  system = bootSequential({ pages });
  run(swapStateInit());
  run(swapAreaInit(0, PLACES));
}

export const run = <T>(op: Op<T> | Access<T>): T => system.run(op as Op<T>);
/** The machine looked at from outside. */
export const at = <T>(look: () => T): T =>
  run(
    (function* () {
      return look();
    })(),
  );
export const word = (ref: Ref<number>): number => at(() => peek(ref));
export const setWord = (ref: Ref<number>, value: number): void => at(() => poke(ref, value));
export const count = (page: Ptr<Page>): number => word(Page._count(page));
export const users = (entry: SwpEntry): number => run(swapUsers(entry));

export const freshPage = (): Ptr<Page> => {
  const page = run(allocPage(GFP_KERNEL)) as Ptr<Page>;
  run(setPageUptodate(page));
  return page;
};
