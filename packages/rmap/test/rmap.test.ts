// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { functionPointer, KernelBug, load, NULL, peek, SequentialEngine, store } from '@lockless/cpu';
import type { File } from '@lockless/mm-types';
import {
  AddressSpace,
  File as FileFields,
  MmStruct,
  PAGE_MAPPING_ANON,
  Page,
  PG_DIRTY,
  PG_REFERENCED,
  VM_LOCKED,
  VM_MAYSHARE,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
  VmAreaStruct,
} from '@lockless/mm-types';
import {
  getPage,
  lockPage,
  mapcountOf,
  memMapPages,
  pfnToPage,
  putPage,
  setPageReferenced,
  unlockPage,
  zonePageState,
} from '@lockless/page';
import { rcuReadLock, rcuReadUnlock } from '@lockless/rcu';
import fc from 'fast-check';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import * as rmap from '../src/index.js';
import { mapArea, newFile, protectArea } from './address-space.js';
import { bootMemory, faultAnon, faultFile, fillFile, forkMm, munmap, newPage } from './memory.js';

const W = VM_READ | VM_WRITE;
const SHARED = W | VM_SHARED | VM_MAYSHARE;

let design: rmap.RmapDesign = 'anon-vma';

function run(body: (engine: SequentialEngine) => Op<void>): void {
  const engine = new SequentialEngine();
  engine.run(
    (function* () {
      yield* rmap.selectReverseMapping(design);
      yield* bootMemory();
      yield* body(engine);
    })(),
  );
}
const mmOf = function* (pid: number, parent: Ptr<MmStruct> | 0 = NULL): Op<Ptr<MmStruct>> {
  const mm = (yield* rmap.mmAlloc(parent)) as Ptr<MmStruct>;
  yield* store(MmStruct.ownerPid(mm), pid);
  return mm;
};
const broken = (mms: readonly Ptr<MmStruct>[]): string[] =>
  rmap.rmapInvariants.flatMap(({ name, check }) => {
    const wrong = check(mms);
    return wrong === null ? [] : [`${name}: ${wrong}`];
  });
const mapcount = (page: Ptr<Page>): number => mapcountOf(page);
const count = (page: Ptr<Page>): number => peek(Page._count(page));
const flag = (page: Ptr<Page>, bit: number): boolean => (peek(Page.flags(page)) & (1 << bit)) !== 0;
const anonymous = (start: number, pages: number) => ({ start, pages, vmFlags: W, file: NULL, pgoff: start });
const ofFile = (file: Ptr<File>, start: number, pages: number, vmFlags: number = SHARED, pgoff = 0) => ({
  start,
  pages,
  vmFlags,
  file,
  pgoff,
});
function* locked<T>(page: Ptr<Page>, op: Op<T>): Op<T> {
  yield* lockPage(page);
  const result = yield* op;
  yield* unlockPage(page);
  return result;
}

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

function* apply(mms: Ptr<MmStruct>[], file: Ptr<File>, cache: Ptr<Page>[], step: Step): Op<void> {
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
      if (anon !== null) yield* migrate(anon);
      else cache[index] = yield* migrate(cache[index]);
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
function* migrate(page: Ptr<Page>): Op<Ptr<Page>> {
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

describe.each(rmap.RMAP_DESIGNS)('%s', (name) => {
  beforeEach(() => {
    design = name;
  });
  afterAll(() => {
    design = 'anon-vma';
  });

  test('after any mapping, faulting, forking, splitting, merging and reclaiming the rmap finds every entry, and at the end nothing is left', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        run(function* (engine) {
          const file = yield* newFile();
          const cache = yield* fillFile(file, FILE_PAGES);
          const mms = [yield* mmOf(1)];
          for (const s of steps) {
            yield* apply(mms, file, cache, s);
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

  test('try_to_unmap: clears all entries, moves the dirty mark to the page, drops the references', () => {
    run(function* () {
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
    run(function* () {
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
    run(function* () {
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
    run(function* () {
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

  test('zap hands the marks of an entry to its page: dirty to set_page_dirty, young to PG_referenced', () => {
    const dirtied: number[] = [];
    const hook = functionPointer<rmap.SetPageDirty>('test_set_page_dirty', function* (page) {
      dirtied.push(page);
      yield* load(Page.flags(page));
      return true;
    });
    run(function* () {
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
      run(function* () {
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
    run(function* () {
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

test('try_to_unmap: fails on a young or mlocked entry, and then leaves it; migration takes both', () => {
  for (const why of ['young', 'mlocked'] as const) {
    run(function* () {
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
  run(function* () {
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
    run(function* () {
      yield* rmap.tryToUnmap(yield* newPage(), false);
    }),
  ).toThrow(KernelBug);
});

test('page_referenced: anonymous pages through the anon_vma, in parent and child; an mlocked shared area is always in use', () => {
  run(function* () {
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
  run(function* () {
    yield* rmap.selectReverseMapping(counting);
    const file = yield* newFile();
    const cache = yield* fillFile(file, 1);
    yield* faultFile(yield* mapArea(yield* mmOf(1), ofFile(file, 10, 1)), 10, cache);
    expect(calls).toEqual(['add']);
  });
});

test('each invariant names what is wrong', () => {
  const broke = (spoil: (mm: Ptr<MmStruct>, vma: Ptr<VmAreaStruct>, page: Ptr<Page>) => Op<void>): string[] => {
    let found: string[] = [];
    run(function* () {
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
