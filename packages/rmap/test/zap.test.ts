// SPDX-License-Identifier: GPL-2.0-only
import type { Ptr } from '@lockless/cpu';
import { functionPointer, load, NULL, peek, SequentialEngine, store } from '@lockless/cpu';
import {
  AddressSpace,
  File as FileFields,
  MmStruct,
  Page,
  PG_REFERENCED,
  VM_READ,
  VmAreaStruct,
} from '@lockless/mm-types';
import { pfnToPage } from '@lockless/page';
import { describe, expect, test } from 'vitest';
import * as rmap from '../src/index.js';
import { mapArea, newFile } from './address-space.js';
import { anonymous, broken, count, flag, mapcount, mmOf, ofFile, run, W } from './mappings.js';
import { bootMemory, faultAnon, faultFile, fillFile } from './memory.js';

describe.each(rmap.RMAP_DESIGNS)('%s', (design) => {
  test('zap hands the marks of an entry to its page: dirty to set_page_dirty, young to PG_referenced', () => {
    const dirtied: number[] = [];
    const hook = functionPointer<rmap.SetPageDirty>('test_set_page_dirty', function* (page) {
      dirtied.push(page);
      yield* load(Page.flags(page));
      return true;
    });
    run(design, function* () {
      yield* rmap.setRmapHooks({ setPageDirty: hook });
      const file = yield* newFile();
      const cache = yield* fillFile(file, 3);
      const mm = yield* mmOf(1);
      const vma = yield* mapArea(mm, ofFile(file, 10, 3));
      yield* faultFile(vma, 10, cache, { dirty: true });
      yield* faultFile(vma, 11, cache, { young: true });
      yield* faultFile(vma, 12, cache);
      expect(yield* rmap.zapPageRange(vma, 10, 13)).toBe(13);
      expect(dirtied).toEqual([cache[0]]);
      expect(cache.map((page) => flag(page, PG_REFERENCED))).toEqual([false, true, false]);
      expect(peek(MmStruct.fileRss(mm))).toBe(0);
      expect(broken([mm])).toEqual([]);
    });
  });

  test('unmap_mapping_range: a part of the file, with or without private copies', () => {
    for (const evenCows of [false, true]) {
      run(design, function* () {
        const file = yield* newFile();
        const cache = yield* fillFile(file, 8);
        const mm = yield* mmOf(1);
        const vma = yield* mapArea(mm, ofFile(file, 10, 8, W));
        for (let i = 0; i < 8; i++) yield* i % 2 ? faultAnon(vma, 10 + i) : faultFile(vma, 10 + i, cache);
        yield* rmap.unmapMappingRange((yield* load(FileFields.mapping(file))) as Ptr<AddressSpace>, 2, 4, evenCows);
        const left: number[] = [];
        rmap.walkMm(mm, (vpage) => left.push(vpage - 10));
        expect(left).toEqual(evenCows ? [0, 1, 6, 7] : [0, 1, 3, 5, 6, 7]);
        expect(broken([mm])).toEqual([]);
      });
    }
  });

  test('unmap_mapping_range: drops i_mmap_lock between blocks and goes on where it stopped, in every area', () => {
    const engine = new SequentialEngine();
    engine.run(
      (function* () {
        yield* bootMemory(64);
        const file = yield* newFile();
        const cache = yield* fillFile(file, 4);
        const mapping = (yield* load(FileFields.mapping(file))) as Ptr<AddressSpace>;
        const mms = [yield* mmOf(1), yield* mmOf(2)];
        const pages = 512 * 8;
        for (const mm of mms) {
          const vma = yield* mapArea(mm, ofFile(file, 512, pages));
          for (const at of [0, 1000, 2000, pages - 1]) {
            const index = Math.floor((at * 3) / pages);
            yield* store(Page.index(cache[index]), at);
            yield* faultFile(vma, 512 + at, Object.assign([], { [at]: cache[index] }));
          }
          for (let at = 0; at < pages; at += 512) yield* rmap.pteAllocMap(mm, 512 + at);
        }
        const before = peek(AddressSpace.truncateCount(mapping));
        yield* rmap.unmapMappingRange(mapping, 0, 0, true);
        for (const mm of mms) {
          expect(rmap.areasOf(mm).map(({ vma }) => peek(VmAreaStruct.vmTruncateCount(vma)))).toEqual([before + 1]);
          expect(peek(MmStruct.fileRss(mm))).toBe(0);
        }
        expect(cache.map(mapcount)).toEqual([0, 0, 0, 0]);
      })(),
    );
  });

  test('special entries map no page: neither counted nor freed', () => {
    run(design, function* () {
      const mm = yield* mmOf(1);
      const vma = yield* mapArea(mm, anonymous(10, 1));
      const ptep = yield* rmap.pteAllocMap(mm, 10);
      if (ptep === NULL) throw new Error('no memory');
      const zero = pfnToPage(0);
      yield* rmap.setPteAt(mm, 10, ptep, rmap.pteMkspecial(rmap.mkPte(zero, rmap.vmGetPageProt(VM_READ))));
      expect(broken([mm])).toEqual([]);
      yield* rmap.zapPageRange(vma, 10, 11);
      expect(yield* rmap.readPte(ptep)).toBe(rmap.PTE_NONE);
      expect([count(zero), mapcount(zero)]).toEqual([1, 0]);
    });
  });
});
