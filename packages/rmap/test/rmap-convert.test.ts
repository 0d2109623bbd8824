// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { exhaustReserves, GFP_KERNEL, KernelBug, load, omitGuards, peek, store } from '@lockless/cpu';
import {
  EINVAL,
  ENOMEM,
  type File,
  File as FileFields,
  type MmStruct,
  NRPTE,
  Page,
  PG_ANON,
  VM_MAYSHARE,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
  type VmAreaStruct,
} from '@lockless/mm-types';
import { chainedEntries, getPage, lockPage, mapcountOf, putPage, unlockPage } from '@lockless/page';
import { describe, expect, it } from 'vitest';
import * as rmap from '../src/index.js';
import { type PteChainSpare, pteChainAlloc, pteChainFree } from '../src/pte-chain.js';
import { mapArea, newFile } from './address-space.js';
import { run } from './chain-blocks.js';
import { bootMemory, faultFile, fillFile, newPage } from './memory.js';

const SHARED = VM_READ | VM_WRITE | VM_SHARED | VM_MAYSHARE;

interface Mapped {
  readonly page: Ptr<Page>;
  readonly mms: readonly Ptr<MmStruct>[];
}

/** A page of a file, mapped at the linear place in so many address spaces. */
function* mapped(times: number): Op<Mapped> {
  yield* rmap.selectReverseMapping('objrmap');
  yield* bootMemory();
  const file: Ptr<File> = yield* newFile();
  const cache = yield* fillFile(file, 2);
  const mms: Ptr<MmStruct>[] = [];
  for (let i = 0; i < times; i++) {
    const mm = (yield* rmap.mmAlloc()) as Ptr<MmStruct>;
    mms.push(mm);
    const vma = yield* mapArea(mm, { start: 10, pages: 2, vmFlags: SHARED, file, pgoff: 0 });
    yield* faultFile(vma, 10, cache);
    expect(yield* load(FileFields.mapping(file))).toBe(peek(Page.mapping(cache[0])));
  }
  return { page: cache[0], mms };
}

const entriesOf = ({ page, mms }: Mapped): number => {
  let entries = 0;
  for (const mm of mms) rmap.walkMm(mm, (_, pte) => void (rmap.vmNormalPage(0, 0, pte) === page && entries++));
  return entries;
};
const broken = ({ mms }: Mapped): string[] =>
  rmap.rmapInvariants.flatMap(({ name, check }) => (check(mms) === null ? [] : [name]));
const isConverted = (page: Ptr<Page>): boolean => (peek(Page.flags(page)) & (1 << PG_ANON)) !== 0;

function* convert(page: Ptr<Page>): Op<number> {
  yield* lockPage(page);
  const error = yield* rmap.pageConvertAnon(page);
  yield* unlockPage(page);
  return error;
}
function* unmap(page: Ptr<Page>): Op<rmap.SwapResult> {
  yield* lockPage(page);
  const result = yield* rmap.tryToUnmap(page, false);
  yield* unlockPage(page);
  return result;
}

describe('do_no_page under objrmap', () => {
  const mapPage = (look: boolean): (() => void) => {
    return () =>
      run(function* () {
        yield* rmap.selectReverseMapping('objrmap');
        yield* bootMemory();
        const page = yield* newPage();
        const mm = (yield* rmap.mmAlloc()) as Ptr<MmStruct>;
        const ptep = yield* rmap.pteAllocMap(mm, 10);
        const spare = yield* rmap.rmapPrepare();
        if (ptep === 0 || spare === null) throw new Error('no memory');
        yield* lockPage(page);
        if (look) yield* rmap.pageFromFault(page);
        yield* rmap.pageAddFileRmap(page, ptep, spare);
        yield* unlockPage(page);
        expect([isConverted(page), chainedEntries(page)]).toEqual([true, [ptep]]);
      });
  };

  it('a page that belongs to no file gets a chain', mapPage(true));
  it('and would be a BUG otherwise', () => {
    expect(mapPage(false)).toThrow(KernelBug);
  });
});

describe('page_convert_anon', () => {
  it.each([0, 1, 2, NRPTE, NRPTE + 1, 40])('%i mappings: all in the chain, and found by try_to_unmap', (times) => {
    run(function* (live) {
      const world = yield* mapped(times);
      expect(chainedEntries(world.page)).toBe(null);
      expect(yield* convert(world.page)).toBe(0);
      expect(chainedEntries(world.page)?.length).toBe(times);
      expect([isConverted(world.page), broken(world)]).toEqual([true, []]);
      expect(yield* convert(world.page)).toBe(0);
      expect(yield* unmap(world.page)).toBe(rmap.SWAP_SUCCESS);
      expect([entriesOf(world), mapcountOf(world.page)]).toEqual([0, 0]);
      expect(live()).toBeLessThanOrEqual(1);
    });
  });

  it('memory is short: -ENOMEM, and nothing has changed', () => {
    let left = Number.POSITIVE_INFINITY;
    run(
      function* (live) {
        const world = yield* mapped(20);
        left = 3;
        expect(yield* convert(world.page)).toBe(-ENOMEM);
        expect([isConverted(world.page), mapcountOf(world.page), broken(world)]).toEqual([false, 20, []]);
        expect(live()).toBeLessThanOrEqual(1);
        left = 100;
        expect(yield* convert(world.page)).toBe(0);
        expect([isConverted(world.page), mapcountOf(world.page), broken(world)]).toEqual([true, 20, []]);
      },
      () => left-- <= 0,
    );
  });

  it('a page that truncation has taken needs no conversion', () => {
    run(function* () {
      const { page } = yield* mapped(0);
      yield* store(Page.mapping(page), 0);
      expect([yield* convert(page), isConverted(page)]).toEqual([0, false]);
    });
  });

  it.each([
    // In hand is what was freed last: enough for entries 1 and 2, which share a block.
    { inHand: 1, lost: 1 },
    { inHand: 0, lost: 3 },
  ])(
    'D10, as first posted: memory ends with $inHand blocks in hand, and $lost of 3 entries are in no chain',
    ({ inHand, lost }) => {
      run(function* () {
        omitGuards(['pageConvertAnon.allocateFirst']);
        const world = yield* mapped(3);
        const spare: PteChainSpare = { chain: yield* pteChainAlloc(GFP_KERNEL) };
        exhaustReserves();
        if (inHand > 0 && spare.chain !== 0) yield* pteChainFree(spare.chain);
        expect(yield* convert(world.page)).toBe(-ENOMEM);
        expect([isConverted(world.page), mapcountOf(world.page), entriesOf(world)]).toEqual([true, 3 - lost, 3]);
        expect(broken(world)).toContain('rmap-finds-every-entry');
        // What follows from it: reclaim takes the page for unmapped, and it is not.
        expect([yield* unmap(world.page), entriesOf(world)]).toEqual([rmap.SWAP_SUCCESS, lost]);
      });
    },
  );
  it('D10 with all blocks allocated first: the same shortage does no harm', () => {
    run(function* () {
      const world = yield* mapped(3);
      exhaustReserves();
      expect(yield* convert(world.page)).toBe(0);
      expect([mapcountOf(world.page), broken(world)]).toEqual([3, []]);
    });
  });
});

describe('install_page', () => {
  function* install(world: Mapped, at: number): Op<number> {
    const [mm] = world.mms;
    const vma = (yield* rmap.findVma(mm, at)) as Ptr<VmAreaStruct>;
    yield* getPage(world.page);
    const error = yield* rmap.installPage(mm, vma, at, world.page, rmap.vmGetPageProt(SHARED));
    if (error !== 0) yield* putPage(world.page);
    return error;
  }

  it('at its linear place the page stays counted; elsewhere it gets a chain', () => {
    run(function* () {
      const world = yield* mapped(2);
      expect([yield* install(world, 10), isConverted(world.page), mapcountOf(world.page)]).toEqual([0, false, 2]);
      expect([yield* install(world, 11), isConverted(world.page), mapcountOf(world.page)]).toEqual([0, true, 3]);
      expect(broken(world)).toEqual([]);
      expect([yield* unmap(world.page), entriesOf(world)]).toEqual([rmap.SWAP_SUCCESS, 0]);
    });
  });

  it('D14: elsewhere without a chain it can never be unmapped', () => {
    run(function* () {
      omitGuards(['installPage.convert']);
      const world = yield* mapped(1);
      expect(yield* install(world, 11)).toBe(0);
      for (let i = 0; i < 3; i++) expect(yield* unmap(world.page)).toBe(rmap.SWAP_AGAIN);
      expect([mapcountOf(world.page), entriesOf(world)]).toEqual([1, 1]);
    });
  });

  it('D12: a page that truncation has taken is refused; as first posted it is a BUG', () => {
    for (const without of [[], ['installPage.pageLock']]) {
      run(function* () {
        omitGuards(without);
        const world = yield* mapped(1);
        expect(yield* unmap(world.page)).toBe(rmap.SWAP_SUCCESS);
        yield* store(Page.mapping(world.page), 0);
        if (without.length === 0) expect(yield* install(world, 11)).toBe(-EINVAL);
        else yield* bugs(install(world, 11), /page->mapping is NULL/);
      });
    }
  });
});

function* bugs(op: Op<unknown>, message: RegExp): Op<void> {
  let caught: unknown = null;
  try {
    yield* op;
  } catch (error) {
    caught = error;
  }
  expect(caught).toBeInstanceOf(KernelBug);
  expect(String(caught)).toMatch(message);
}
