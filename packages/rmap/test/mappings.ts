// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { NULL, peek, SequentialEngine, store } from '@lockless/cpu';
import type { File } from '@lockless/mm-types';
import { MmStruct, Page, VM_MAYSHARE, VM_READ, VM_SHARED, VM_WRITE } from '@lockless/mm-types';
import { lockPage, mapcountOf, unlockPage } from '@lockless/page';
import * as rmap from '../src/index.js';
import { bootMemory } from './memory.js';

/* Address spaces, areas and pages of one CPU, and what tests of the reverse mapping count. */

export const W = VM_READ | VM_WRITE;
export const SHARED = W | VM_SHARED | VM_MAYSHARE;

/** Runs code on one CPU, with a design of the reverse mapping. */
export function run(design: rmap.RmapDesign, body: (engine: SequentialEngine) => Op<void>): void {
  const engine = new SequentialEngine();
  engine.run(
    (function* () {
      yield* rmap.selectReverseMapping(design);
      yield* bootMemory();
      yield* body(engine);
    })(),
  );
}

export const mmOf = function* (pid: number, parent: Ptr<MmStruct> | 0 = NULL): Op<Ptr<MmStruct>> {
  const mm = (yield* rmap.mmAlloc(parent)) as Ptr<MmStruct>;
  yield* store(MmStruct.ownerPid(mm), pid);
  return mm;
};

/** What the invariants find. */
export const broken = (mms: readonly Ptr<MmStruct>[]): string[] =>
  rmap.rmapInvariants.flatMap(({ name, check }) => {
    const wrong = check(mms);
    return wrong === null ? [] : [`${name}: ${wrong}`];
  });

export const mapcount = (page: Ptr<Page>): number => mapcountOf(page);
export const count = (page: Ptr<Page>): number => peek(Page._count(page));
export const flag = (page: Ptr<Page>, bit: number): boolean => (peek(Page.flags(page)) & (1 << bit)) !== 0;
export const anonymous = (start: number, pages: number) => ({ start, pages, vmFlags: W, file: NULL, pgoff: start });
export const ofFile = (file: Ptr<File>, start: number, pages: number, vmFlags: number = SHARED, pgoff = 0) => ({
  start,
  pages,
  vmFlags,
  file,
  pgoff,
});

export function* locked<T>(page: Ptr<Page>, op: Op<T>): Op<T> {
  yield* lockPage(page);
  const result = yield* op;
  yield* unlockPage(page);
  return result;
}
