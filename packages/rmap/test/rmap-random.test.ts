// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { load, NULL, peek, store } from '@lockless/cpu';
import type { File } from '@lockless/mm-types';
import {
  type AddressSpace,
  File as FileFields,
  MmStruct,
  PAGE_MAPPING_ANON,
  Page,
  VM_READ,
  VmAreaStruct,
} from '@lockless/mm-types';
import { getPage, lockPage, memMapPages, pfnToPage, putPage, unlockPage, zonePageState } from '@lockless/page';
import { rcuReadLock, rcuReadUnlock } from '@lockless/rcu';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as rmap from '../src/index.js';
import { mapArea, newFile, protectArea } from './address-space.js';
import { anonymous, broken, count, locked, mapcount, mmOf, ofFile, run, SHARED, W } from './mappings.js';
import { faultAnon, faultFile, fillFile, forkMm, munmap, newPage } from './memory.js';

interface Step {
  readonly op:
    | 'map'
    | 'mapFile'
    | 'unmap'
    | 'protect'
    | 'touch'
    | 'fork'
    | 'tryToUnmap'
    | 'migrate'
    | 'zapFile'
    | 'exit';
  readonly mm: number;
  readonly from: number;
  readonly pages: number;
}
const FILE_PAGES = 30;
const BASE = 500;

function* apply(
  design: rmap.RmapDesign,
  mms: Ptr<MmStruct>[],
  file: Ptr<File>,
  cache: Ptr<Page>[],
  step: Step,
): Op<void> {
  const mm = mms[step.mm % mms.length];
  const start = BASE + step.from;
  const end = start + step.pages;
  switch (step.op) {
    case 'map':
    case 'mapFile': {
      yield* munmap(mm, start, end);
      const request =
        step.op === 'map'
          ? anonymous(start, step.pages)
          : ofFile(file, start, step.pages, step.mm % 2 ? SHARED : W, step.from);
      yield* mapArea(mm, request);
      return;
    }
    case 'unmap':
      return yield* munmap(mm, start, end);
    case 'protect':
      return yield* protectArea(mm, start, end, step.mm % 2 ? VM_READ : W);
    case 'touch':
      for (let address = start; address < end; address++) {
        const vma = yield* rmap.findVma(mm, address);
        if (vma === NULL || (yield* load(VmAreaStruct.vmStart(vma))) > address) continue;
        const isFile = (yield* load(VmAreaStruct.vmFile(vma))) !== NULL;
        // Every other page of a file area gets a private copy, which is anonymous.
        if (isFile && (address % 2 === 0 || step.mm % 2)) yield* faultFile(vma, address, cache);
        else yield* faultAnon(vma, address);
      }
      return;
    case 'fork': {
      if (mms.length >= 5) return;
      const child = yield* mmOf(mms.length + 1, mm);
      yield* forkMm(child, mm);
      mms.push(child);
      return;
    }
    case 'tryToUnmap': {
      const page = cache[step.from % FILE_PAGES];
      expect(yield* locked(page, rmap.tryToUnmap(page, false))).toBe(rmap.SWAP_SUCCESS);
      expect([mapcount(page), count(page)]).toEqual([0, 1]);
      return;
    }
    case 'migrate': {
      const index = step.from % FILE_PAGES;
      const anon = anonPageOf(mm, step.from);
      if (anon !== null) yield* migrate(design, anon);
      else cache[index] = yield* migrate(design, cache[index]);
      return;
    }
    case 'zapFile': {
      const mapping = (yield* load(FileFields.mapping(file))) as Ptr<AddressSpace>;
      return yield* rmap.unmapMappingRange(mapping, step.from, step.pages, step.mm % 2 === 0);
    }
    case 'exit':
      yield* munmap(mm, 0, rmap.TASK_SIZE);
      return;
  }
}

/** Some anonymous page of an address space. */
function anonPageOf(mm: Ptr<MmStruct>, which: number): Ptr<Page> | null {
  const pages: Ptr<Page>[] = [];
  rmap.walkMm(mm, (vpage, pte) => {
    const page = rmap.ptePresent(pte) ? rmap.vmNormalPage(NULL, vpage, pte) : NULL;
    if (page !== NULL && (peek(Page.mapping(page)) & PAGE_MAPPING_ANON) !== 0) pages.push(page);
  });
  return pages[which] ?? null;
}

/** The page's mappings become another page's. *Returns* the page that is in its place: itself, where no migration entry can stand for it. */
function* migrate(design: rmap.RmapDesign, page: Ptr<Page>): Op<Ptr<Page>> {
  const before = mapcount(page);
  const anon = (yield* load(Page.mapping(page))) & PAGE_MAPPING_ANON;
  const fresh = yield* newPage();
  yield* getPage(page);
  yield* lockPage(page);
  yield* lockPage(fresh);
  yield* rcuReadLock();
  const unmapped = (yield* rmap.tryToUnmap(page, true)) === rmap.SWAP_SUCCESS;
  if (unmapped) {
    yield* store(Page.index(fresh), yield* load(Page.index(page)));
    yield* store(Page.mapping(fresh), yield* load(Page.mapping(page)));
    yield* rmap.removeMigrationPtes(page, fresh);
    const found = design === 'anon-vma' || (design === 'anonmm' && anon !== 0);
    expect([mapcount(page), mapcount(fresh)]).toEqual([0, found ? before : 0]);
  } else {
    expect(anon).not.toBe(0);
    expect(rmap.leavesMigrationEntries()).toBe(false);
    expect(mapcount(page)).toBe(before);
  }
  yield* rcuReadUnlock();
  yield* unlockPage(fresh);
  yield* unlockPage(page);
  const [stays, goes] = unmapped ? [fresh, page] : [page, fresh];
  if (unmapped) yield* store(Page.mapping(goes), 0);
  expect(count(goes)).toBe(unmapped && anon === 0 ? 2 : 1);
  // The cache's reference to the old page, or ours to either.
  if (unmapped && anon === 0) yield* putPage(goes);
  yield* putPage(unmapped ? goes : page);
  if (!unmapped || anon !== 0) yield* putPage(stays === fresh ? fresh : goes);
  return stays;
}

const step = fc.record({
  op: fc.constantFrom<Step['op'][]>(
    'map',
    'mapFile',
    'unmap',
    'protect',
    'touch',
    'touch',
    'touch',
    'fork',
    'tryToUnmap',
    'migrate',
    'migrate',
    'zapFile',
    'exit',
  ),
  mm: fc.nat({ max: 4 }),
  from: fc.nat({ max: 17 }),
  pages: fc.integer({ min: 1, max: 12 }),
});

describe.each(rmap.RMAP_DESIGNS)('%s', (design) => {
  test('after any mapping, faulting, forking, splitting, merging and reclaiming the rmap finds every entry, and at the end nothing is left', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        run(design, function* (engine) {
          const file = yield* newFile();
          const cache = yield* fillFile(file, FILE_PAGES);
          const mms = [yield* mmOf(1)];
          for (const s of steps) {
            yield* apply(design, mms, file, cache, s);
            expect(broken(mms), JSON.stringify(s)).toEqual([]);
          }
          for (const mm of mms) {
            yield* munmap(mm, 0, rmap.TASK_SIZE);
            expect(peek(MmStruct.nrPtes(mm))).toBe(0);
            yield* rmap.mmdrop(mm);
          }
          for (const cachep of [
            rmap.vmAreaCachep,
            rmap.anonVmaCachep,
            rmap.anonhdCachep,
            rmap.anonmmCachep,
            rmap.pageTableCachep,
            rmap.pgdCachep,
            rmap.mmCachep,
          ]) {
            expect(engine.heap.live[cachep.id] ?? 0, cachep.type.$name).toBe(0);
          }
          expect(cache.map(count)).toEqual(cache.map(() => 1));
          const inUse = Array.from({ length: memMapPages() }, (_, pfn) => pfnToPage(pfn)).filter(
            (page) => count(page) > 0,
          );
          expect(inUse).toHaveLength(FILE_PAGES + 1); // and the zero page
          const { nr_anon_pages, nr_mapped } = zonePageState();
          expect([nr_anon_pages, nr_mapped]).toEqual([0, 0]);
        });
      }),
      { numRuns: Number(process.env.LOCKLESS_RUNS ?? 60) },
    );
  });
});
