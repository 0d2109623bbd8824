// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { load, omitGuards, peek, SequentialEngine, store } from '@lockless/cpu';
import { MmStruct, Page, VM_MAYSHARE, VM_READ, VM_SHARED, VM_WRITE } from '@lockless/mm-types';
import { getPage, lockPage, mapcountOf, putPage, unlockPage } from '@lockless/page';
import { rcuReadLock, rcuReadUnlock } from '@lockless/rcu';
import { describe, expect, it } from 'vitest';
import * as rmap from '../src/index.js';
import { mapArea, newFile } from './address-space.js';
import { bootMemory, faultAnon, faultFile, fillFile, forkMm, munmap, newPage } from './memory.js';

const W = VM_READ | VM_WRITE;
const SHARED = W | VM_SHARED | VM_MAYSHARE;
const ADDRESS = 10;

const run = (body: () => Op<void>): void => {
  new SequentialEngine().run(
    (function* () {
      yield* bootMemory();
      yield* body();
    })(),
  );
};
const broken = (mms: readonly Ptr<MmStruct>[]): string[] =>
  rmap.rmapInvariants.flatMap(({ name, check }) => (check(mms) === null ? [] : [name]));

interface Mapped {
  readonly page: Ptr<Page>;
  readonly mms: readonly Ptr<MmStruct>[];
}
const newMm = function* (parent: Ptr<MmStruct> | 0 = 0): Op<Ptr<MmStruct>> {
  return (yield* rmap.mmAlloc(parent)) as Ptr<MmStruct>;
};
function* entryAt(mm: Ptr<MmStruct>): Op<rmap.Pte> {
  const ptep = yield* rmap.pteOffsetMap(mm, ADDRESS);
  return ptep === 0 ? rmap.PTE_NONE : yield* rmap.readPte(ptep);
}

const kinds: Record<string, () => Op<Mapped>> = {
  *'an anonymous page of a parent and two children'() {
    const parent = yield* newMm();
    const mms = [parent, yield* newMm(parent), yield* newMm(parent)];
    yield* faultAnon(yield* mapArea(mms[0], { start: 8, pages: 8, vmFlags: W, file: 0, pgoff: 8 }), ADDRESS);
    yield* forkMm(mms[1], mms[0]);
    yield* forkMm(mms[2], mms[1]);
    const page = rmap.vmNormalPage(0, ADDRESS, yield* entryAt(mms[0])) as Ptr<Page>;
    return { page, mms };
  },
  *'a page of a file that three processes map'() {
    const file = yield* newFile();
    const cache = yield* fillFile(file, 4);
    const mms = [yield* newMm(), yield* newMm(), yield* newMm()];
    for (const mm of mms) {
      yield* faultFile(yield* mapArea(mm, { start: 8, pages: 4, vmFlags: SHARED, file, pgoff: 0 }), ADDRESS, cache);
    }
    return { page: cache[2], mms };
  },
};

/** What who migrates has of a page. */
function* isolate(page: Ptr<Page>): Op<void> {
  yield* getPage(page);
  yield* lockPage(page);
}
function* putBack(page: Ptr<Page>): Op<void> {
  yield* unlockPage(page);
  yield* putPage(page);
}
/** move_to_new_page(), as far as the reverse mapping goes. */
function* takePlaceOf(page: Ptr<Page>, fresh: Ptr<Page>): Op<void> {
  yield* store(Page.index(fresh), yield* load(Page.index(page)));
  yield* store(Page.mapping(fresh), yield* load(Page.mapping(page)));
}

describe.each(Object.entries(kinds))('%s', (_, make) => {
  it('is unmapped for migration, and mapped again as another page, everywhere and with the same rights', () => {
    run(function* () {
      const { page, mms } = yield* make();
      const fresh = yield* newPage();
      yield* lockPage(fresh);
      const rights: boolean[] = [];
      for (const mm of mms) rights.push(rmap.pteWrite(yield* entryAt(mm)));
      yield* isolate(page);
      yield* rcuReadLock();
      expect(yield* rmap.tryToUnmap(page, true)).toBe(rmap.SWAP_SUCCESS);
      expect(mapcountOf(page)).toBe(0);
      for (const mm of mms) {
        const entry = rmap.migrationEntryOf(yield* entryAt(mm));
        expect(entry === 0 ? 0 : rmap.migrationEntryToPage(entry)).toBe(page);
        expect([peek(MmStruct.anonRss(mm)), peek(MmStruct.fileRss(mm))]).toEqual([0, 0]);
      }
      yield* takePlaceOf(page, fresh);
      yield* rmap.removeMigrationPtes(page, fresh);
      yield* rcuReadUnlock();
      expect([mapcountOf(page), mapcountOf(fresh)]).toEqual([0, 3]);
      expect(broken(mms)).toEqual([]);
      for (const [i, mm] of mms.entries()) {
        const pte = yield* entryAt(mm);
        expect([rmap.vmNormalPage(0, ADDRESS, pte), rmap.pteWrite(pte)]).toEqual([fresh, rights[i]]);
      }
      yield* putBack(page);
    });
  });

  it('comes back where it was when it does not move, but not where it was unmapped meanwhile', () => {
    run(function* () {
      const { page, mms } = yield* make();
      yield* isolate(page);
      yield* rcuReadLock();
      yield* rmap.tryToUnmap(page, true);
      yield* munmap(mms[1], 0, 100);
      yield* rmap.removeMigrationPtes(page, page);
      yield* rcuReadUnlock();
      expect(mapcountOf(page)).toBe(2);
      expect(broken(mms)).toEqual([]);
      yield* putBack(page);
    });
  });
});

it('without removeMigrationPtes.whileUnmapped an anonymous page is lost to its processes', () => {
  run(function* () {
    omitGuards(['removeMigrationPtes.whileUnmapped']);
    const { page, mms } = yield* kinds['an anonymous page of a parent and two children']();
    yield* isolate(page);
    yield* rmap.tryToUnmap(page, true);
    yield* rmap.removeMigrationPtes(page, page);
    expect(mapcountOf(page)).toBe(0);
    expect(rmap.migrationEntryOf(yield* entryAt(mms[0]))).not.toBe(0);
    yield* putBack(page);
  });
});
