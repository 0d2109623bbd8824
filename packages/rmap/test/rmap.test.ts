// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { functionPointer, KernelBug, NULL, store } from '@lockless/cpu';
import { type MmStruct, Page, PG_DIRTY, VM_LOCKED, VM_WRITE } from '@lockless/mm-types';
import { lockPage, setPageReferenced, unlockPage, zonePageState } from '@lockless/page';
import { describe, expect, test } from 'vitest';
import * as rmap from '../src/index.js';
import { mapArea, newFile } from './address-space.js';
import { anonymous, broken, count, flag, locked, mapcount, mmOf, ofFile, run, SHARED, W } from './mappings.js';
import { faultAnon, faultFile, fillFile, forkMm, munmap, newPage } from './memory.js';

describe.each(rmap.RMAP_DESIGNS)('%s', (design) => {
  test('try_to_unmap: clears all entries, moves the dirty mark to the page, drops the references', () => {
    run(design, function* () {
      const file = yield* newFile();
      const [page] = yield* fillFile(file, 1);
      const mms = [yield* mmOf(1), yield* mmOf(2)];
      for (const [i, mm] of mms.entries()) {
        const vma = yield* mapArea(mm, ofFile(file, 10, 1));
        yield* faultFile(vma, 10, [page], { dirty: i === 1 });
      }
      expect([mapcount(page), count(page), zonePageState().nr_mapped]).toEqual([2, 3, 1]);
      expect(flag(page, PG_DIRTY)).toBe(false);
      expect(yield* locked(page, rmap.tryToUnmap(page, false))).toBe(rmap.SWAP_SUCCESS);
      expect([mapcount(page), count(page), zonePageState().nr_mapped]).toEqual([0, 1, 0]);
      expect(flag(page, PG_DIRTY)).toBe(true);
      expect(broken(mms)).toEqual([]);
    });
  });

  test('try_to_unmap and page_referenced leave a private copy that stands where the page would be mapped', () => {
    run(design, function* () {
      const file = yield* newFile();
      const cache = yield* fillFile(file, 1);
      const [reader, writer] = [yield* mmOf(1), yield* mmOf(2)];
      // The writer's area first: the walk ends when the page is not mapped any more.
      yield* faultAnon(yield* mapArea(writer, ofFile(file, 10, 1, W)), 10);
      yield* faultFile(yield* mapArea(reader, ofFile(file, 10, 1, W)), 10, cache);
      const entry = (): rmap.Pte[] => {
        const found: rmap.Pte[] = [];
        rmap.walkMm(writer, (_vpage, pte) => found.push(pte));
        return found;
      };
      const before = entry();
      expect(before).toHaveLength(1);
      expect(yield* rmap.pageReferenced(cache[0], false)).toBe(0);
      expect(yield* locked(cache[0], rmap.tryToUnmap(cache[0], false))).toBe(rmap.SWAP_SUCCESS);
      expect(entry()).toEqual(before);
      expect(broken([reader, writer])).toEqual([]);
    });
  });

  test('page_referenced: one for PG_referenced and one for each young entry, and then none', () => {
    run(design, function* () {
      const file = yield* newFile();
      const cache = yield* fillFile(file, 2);
      const page = cache[1];
      for (const pid of [1, 2, 3]) {
        const vma = yield* mapArea(yield* mmOf(pid), ofFile(file, 10, 1, SHARED, 1));
        yield* faultFile(vma, 10, cache, { young: pid !== 2 });
      }
      yield* setPageReferenced(page);
      expect(yield* rmap.pageReferenced(page, false)).toBe(3);
      expect(yield* rmap.pageReferenced(page, false)).toBe(0);
      yield* lockPage(page);
      yield* setPageReferenced(page);
      // A file page that somebody else has locked counts as used with anon_vma: its areas cannot be walked.
      expect(yield* rmap.pageReferenced(page, false)).toBe(design === 'anon-vma' ? 2 : 1);
      expect(yield* rmap.pageReferenced(page, true)).toBe(0);
      yield* unlockPage(page);
    });
  });

  test('page_mkclean: shared entries become clean and read-only, private ones are left', () => {
    run(design, function* () {
      const file = yield* newFile();
      const [page] = yield* fillFile(file, 1);
      const [a, b, c] = [yield* mmOf(1), yield* mmOf(2), yield* mmOf(3)];
      yield* faultFile(yield* mapArea(a, ofFile(file, 10, 1)), 10, [page], { dirty: true });
      yield* faultFile(yield* mapArea(b, ofFile(file, 10, 1, SHARED & ~VM_WRITE)), 10, [page]);
      yield* faultFile(yield* mapArea(c, ofFile(file, 10, 1, W)), 10, [page], { dirty: true });
      expect(yield* locked(page, rmap.pageMkclean(page))).toBe(1);
      expect(yield* locked(page, rmap.pageMkclean(page))).toBe(0);
      const entry = function* (mm: Ptr<MmStruct>): Op<rmap.Pte> {
        const ptep = yield* rmap.pteOffsetMap(mm, 10);
        return ptep === NULL ? rmap.PTE_NONE : yield* rmap.readPte(ptep);
      };
      const clean = yield* entry(a);
      expect([rmap.ptePresent(clean), rmap.pteDirty(clean), rmap.pteWrite(clean)]).toEqual([true, false, false]);
      expect(rmap.pteDirty(yield* entry(c))).toBe(true);
      expect(mapcount(page)).toBe(3);
    });
  });
});

test('try_to_unmap: fails on a young or mlocked entry, and then leaves it; migration takes both', () => {
  for (const why of ['young', 'mlocked'] as const) {
    run('anon-vma', function* () {
      const file = yield* newFile();
      const [page] = yield* fillFile(file, 1);
      const mm = yield* mmOf(1);
      const vma = yield* mapArea(mm, ofFile(file, 10, 1, SHARED | (why === 'mlocked' ? VM_LOCKED : 0)));
      yield* faultFile(vma, 10, [page], { young: why === 'young' });
      expect(yield* locked(page, rmap.tryToUnmap(page, false))).toBe(rmap.SWAP_FAIL);
      expect(mapcount(page)).toBe(1);
      // The first try took the accessed mark, so a young page is unmapped by the second.
      const again = why === 'young' ? rmap.SWAP_SUCCESS : rmap.SWAP_FAIL;
      expect(yield* locked(page, rmap.tryToUnmap(page, false))).toBe(again);
      expect(yield* locked(page, rmap.tryToUnmap(page, true))).toBe(rmap.SWAP_SUCCESS);
      expect(broken([mm])).toEqual([]);
    });
  }
});

test('try_to_unmap: an anonymous page has no place to go without swap; an unlocked page is a BUG', () => {
  run('anon-vma', function* () {
    const mm = yield* mmOf(1);
    const vma = yield* mapArea(mm, anonymous(10, 1));
    yield* faultAnon(vma, 10);
    const ptep = yield* rmap.pteOffsetMap(mm, 10);
    const page = rmap.vmNormalPage(vma, 10, ptep === NULL ? rmap.PTE_NONE : yield* rmap.readPte(ptep)) as Ptr<Page>;
    expect(yield* locked(page, rmap.tryToUnmap(page, false))).toBe(rmap.SWAP_FAIL);
    expect(broken([mm])).toEqual([]);
    yield* munmap(mm, 10, 11);
    const orphan = yield* newPage();
    yield* store(Page.mapping(orphan), 0);
    expect(yield* locked(orphan, rmap.tryToUnmap(orphan, false))).toBe(rmap.SWAP_SUCCESS);
  });
  expect(() =>
    run('anon-vma', function* () {
      yield* rmap.tryToUnmap(yield* newPage(), false);
    }),
  ).toThrow(KernelBug);
});

test('page_referenced: anonymous pages through the anon_vma, in parent and child; an mlocked shared area is always in use', () => {
  run('anon-vma', function* () {
    const parent = yield* mmOf(1);
    const child = yield* mmOf(2, parent);
    const vma = yield* mapArea(parent, anonymous(10, 4));
    yield* faultAnon(vma, 12);
    yield* forkMm(child, parent);
    const ptep = yield* rmap.pteOffsetMap(child, 12);
    const page = rmap.vmNormalPage(vma, 12, ptep === NULL ? rmap.PTE_NONE : yield* rmap.readPte(ptep)) as Ptr<Page>;
    expect(mapcount(page)).toBe(2);
    expect(yield* rmap.pageReferenced(page, false)).toBe(2);
    expect(yield* rmap.pageReferenced(page, false)).toBe(0);
    expect(yield* rmap.pageMappedInVma(page, vma)).toBe(true);
    yield* munmap(parent, 10, 14);
    expect(mapcount(page)).toBe(1);
    expect(broken([parent, child])).toEqual([]);

    const file = yield* newFile();
    const [locked] = yield* fillFile(file, 1);
    const area = yield* mapArea(parent, ofFile(file, 50, 1, SHARED | VM_LOCKED));
    yield* faultFile(area, 50, [locked]);
    expect(yield* rmap.pageReferenced(locked, false)).toBe(1);
    expect(yield* rmap.pageReferenced(locked, false)).toBe(1);
  });
});

test('an implementation of the reverse mapping can be put in', () => {
  const calls: string[] = [];
  const counting = functionPointer<rmap.ReverseMapping>('counting', {
    ...rmap.areaReverseMapping,
    name: 'counting',
    *pageAddFileRmap(page, ptep, spare) {
      calls.push('add');
      yield* rmap.areaReverseMapping.pageAddFileRmap(page, ptep, spare);
    },
  });
  run('anon-vma', function* () {
    yield* rmap.selectReverseMapping(counting);
    const file = yield* newFile();
    const cache = yield* fillFile(file, 1);
    yield* faultFile(yield* mapArea(yield* mmOf(1), ofFile(file, 10, 1)), 10, cache);
    expect(calls).toEqual(['add']);
  });
});
