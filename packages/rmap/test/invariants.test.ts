// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { NULL, store } from '@lockless/cpu';
import { MmStruct, Page, VmAreaStruct } from '@lockless/mm-types';
import { expect, test } from 'vitest';
import * as rmap from '../src/index.js';
import { mapArea } from './address-space.js';
import { anonymous, broken, mmOf, run } from './mappings.js';
import { faultAnon } from './memory.js';

test('each invariant names what is wrong', () => {
  const broke = (spoil: (mm: Ptr<MmStruct>, vma: Ptr<VmAreaStruct>, page: Ptr<Page>) => Op<void>): string[] => {
    let found: string[] = [];
    run('anon-vma', function* () {
      const mm = yield* mmOf(7);
      const vma = yield* mapArea(mm, anonymous(10, 2));
      yield* faultAnon(vma, 10);
      const ptep = yield* rmap.pteOffsetMap(mm, 10);
      const page = rmap.vmNormalPage(vma, 10, ptep === NULL ? rmap.PTE_NONE : yield* rmap.readPte(ptep)) as Ptr<Page>;
      expect(broken([mm])).toEqual([]);
      yield* spoil(mm, vma, page);
      found = broken([mm]);
    });
    return found.map((line) => line.slice(0, line.indexOf(':')));
  };
  expect(broke((_mm, _vma, page) => set(Page._mapcount(page), 1))).toEqual(['mapcount-equals-entries']);
  expect(broke((mm) => set(MmStruct.anonRss(mm), 5))).toEqual(['rss-equals-entries']);
  expect(broke((mm) => set(MmStruct.mapCount(mm), 5))).toEqual(['areas-consistent']);
  expect(broke((_mm, _vma, page) => set(Page.index(page), 11))).toEqual(['rmap-finds-every-entry']);
  expect(broke((_mm, vma) => set(VmAreaStruct.vmEnd(vma), 10))).toEqual(['areas-consistent', 'rss-equals-entries']);
  expect(broke((_mm, vma) => rmap.anonVmaUnlink(vma))).toEqual(['rmap-finds-every-entry', 'anon-vma-lists-its-areas']);
});
function* set(ref: Parameters<typeof store<number>>[0], value: number): Op<void> {
  yield* store(ref, value);
}
