// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import {
  current,
  functionPointer,
  GFP_ATOMIC,
  GFP_KERNEL,
  GFP_NOFAIL,
  GFP_NOMEMALLOC,
  GFP_NORETRY,
  load,
  NULL,
  PF_MEMALLOC,
  poke,
  setFaultInjector,
  store,
  TaskStruct,
} from '@lockless/cpu';
import { PAGE_MAPPING_ANON, Page, PG_LOCKED } from '@lockless/mm-types';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import {
  allocPage,
  allocPages,
  allocZeroedPage,
  drainLocalPages,
  frameInvariant,
  frameStates,
  freePages,
  onlineCpus,
  pageToPfn,
  pfnToPage,
  putPage,
  setPageAllocHooks,
  setPageLocked,
  type TryToFreePages,
  vmEvents,
  type WakeupKswapd,
  zeroPage,
  zoneCounterInvariant,
} from '../src/index.js';
import { bootOneCpu, freeLists, freePagesExactly, type OneCpu } from './sequential.js';

const must = (page: Ptr<Page> | 0): Ptr<Page> => {
  if (page === NULL) throw new Error('no page');
  return page;
};

/** Allocates until there is no more. */
function* takeAll(gfp: number): Op<Ptr<Page>[]> {
  const pages: Ptr<Page>[] = [];
  for (;;) {
    const page = yield* allocPage(gfp);
    if (page === NULL) return pages;
    pages.push(page);
  }
}

describe('boot', () => {
  it.each([2, 3, 100, 256, 1023, 1024, 5000])(
    '%i frames: all but the zero page are free, in maximal blocks',
    (pages) => {
      const machine = bootOneCpu({ pages });
      expect(freePagesExactly(machine)).toBe(pages - 1);
      expect(machine.look(frameInvariant)).toBe(null);
      expect(machine.look(zoneCounterInvariant)).toBe(null);
      expect(machine.look(() => frameStates().filter((s) => s === 'reserved').length)).toBe(1);
      const blocks = freeLists(machine);
      expect(blocks.slice(0, -1).every((count) => count <= 2)).toBe(true);
    },
  );

  it('computes watermarks as the kernel does', () => {
    // 64 MiB: min_free_kbytes = sqrt(65536 * 16) = 1024, so 256 pages, 320, 384.
    const machine = bootOneCpu({ pages: 16_384, minFreeKbytes: undefined as never });
    const got = machine.run(() => takeAll(GFP_KERNEL | GFP_NORETRY)).length;
    expect(freePagesExactly(machine)).toBeGreaterThanOrEqual(256 - 2);
    expect(freePagesExactly(machine)).toBeLessThanOrEqual(256 + 2);
    const kept = machine.look(() => frameStates().filter((s) => s === 'pcp').length);
    expect(got).toBe(16_383 - kept - freePagesExactly(machine));
    expect(machine.look(onlineCpus)).toBe(1);
  });

  it('refuses what it cannot manage', () => {
    expect(() => bootOneCpu({ pages: 1 })).toThrow(RangeError);
    expect(() => bootOneCpu({ nrCpus: 65 })).toThrow(RangeError);
    expect(() => bootOneCpu({ pages: 5000 }, { words: (1 << 18) + 20_000 })).toThrow(/no room for 80000 words/);
  });
});

type Command =
  | { readonly kind: 'alloc'; readonly order: number }
  | { readonly kind: 'free' | 'drain'; readonly which: number };
const commands = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ kind: fc.constant('alloc' as const), order: fc.nat(4) }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('free' as const), which: fc.nat(1000) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('drain' as const), which: fc.nat(0) }) },
  ),
  { maxLength: 120 },
);

describe('the buddy allocator', () => {
  it('hands out no frame twice, and puts all blocks together again', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 200 }), commands, (pages, list: Command[]) => {
        const machine = bootOneCpu({ pages });
        const before = freeLists(machine);
        const owned: { page: Ptr<Page>; order: number }[] = [];
        const inUse = new Set<number>();
        for (const command of list) {
          if (command.kind === 'drain') machine.run(drainLocalPages());
          else if (command.kind === 'alloc') {
            const page = machine.run(allocPages(GFP_KERNEL | GFP_NORETRY, command.order));
            if (page === NULL) continue;
            owned.push({ page, order: command.order });
            const pfn = machine.look(() => pageToPfn(page));
            expect(pfn % (1 << command.order)).toBe(0);
            for (let i = pfn; i < pfn + (1 << command.order); i++) {
              expect(inUse.has(i)).toBe(false);
              inUse.add(i);
            }
          } else if (owned.length > 0) {
            const [{ page, order }] = owned.splice(command.which % owned.length, 1) as [(typeof owned)[0]];
            const pfn = machine.look(() => pageToPfn(page));
            for (let i = pfn; i < pfn + (1 << order); i++) inUse.delete(i);
            machine.run(freePages(page, order));
          }
          expect(machine.look(zoneCounterInvariant)).toBe(null);
        }
        for (const { page, order } of owned) machine.run(freePages(page, order));
        machine.run(drainLocalPages());
        expect(machine.look(frameInvariant)).toBe(null);
        expect(freeLists(machine)).toEqual(before);
      }),
      { numRuns: Number(process.env.LOCKLESS_RUNS ?? 150) },
    );
  });

  it('gives a freed hot page out first and a freed cold page last', () => {
    const machine = bootOneCpu({ pages: 4096 });
    const [hot, other] = machine.run(function* () {
      return [must(yield* allocPage(GFP_KERNEL)), must(yield* allocPage(GFP_KERNEL))];
    });
    machine.run(putPage(other));
    machine.run(putPage(hot));
    expect(machine.run(allocPage(GFP_KERNEL))).toBe(hot);
    expect(machine.run(allocPage(GFP_KERNEL))).toBe(other);
  });
});

describe('a new page', () => {
  it('has one reference, no mapping, no flags; its content is old unless zero was asked for', () => {
    const machine = bootOneCpu();
    const { words } = machine.engine;
    const page = must(machine.run(allocPage(GFP_KERNEL)));
    words[Page.contentIdentity(page)] = 77;
    words[Page.contentVersion(page)] = 3;
    words[Page.mapping(page)] = 0x1000 + PAGE_MAPPING_ANON;
    words[Page.private(page)] = 9;
    machine.run(putPage(page));
    expect(machine.run(allocPage(GFP_KERNEL))).toBe(page);
    const fields = [
      Page.flags,
      Page._count,
      Page._mapcount,
      Page.mapping,
      Page.private,
      Page.contentIdentity,
      Page.contentVersion,
    ];
    expect(fields.map((field) => words[field(page)])).toEqual([0, 1, -1, 0, 0, 77, 3]);
    machine.run(putPage(page));
    expect(machine.run(allocZeroedPage(GFP_KERNEL))).toBe(page);
    expect(fields.map((field) => words[field(page)])).toEqual([0, 1, -1, 0, 0, 0, 0]);
  });

  it('is never the zero page', () => {
    const machine = bootOneCpu({ pages: 32 });
    expect(machine.run(() => takeAll(GFP_KERNEL | GFP_NORETRY))).not.toContain(machine.look(zeroPage));
    expect(machine.look(() => pageToPfn(zeroPage()))).toBe(0);
  });
});

describe('bad pages', () => {
  const badly = (spoil: (page: Ptr<Page>) => void): (() => void) => {
    const machine = bootOneCpu();
    const page = must(machine.run(allocPage(GFP_KERNEL)));
    machine.look(() => spoil(page));
    return () => machine.run(putPage(page));
  };
  it.each<[string, (page: Ptr<Page>) => void, RegExp]>([
    ['mapped', (page) => poke(Page._mapcount(page), 0), /bad page: pfn \d+ at free: page_mapcount 1/],
    ['in a mapping', (page) => poke(Page.mapping(page), 0x1000), /mapping 4096/],
    ['locked', (page) => poke(Page.flags(page), 1 << PG_LOCKED), /PG_locked/],
  ])('freed while %s', (_what, spoil, message) => {
    expect(badly(spoil)).toThrow(
      expect.objectContaining({ kind: 'bad-page', message: expect.stringMatching(message) }),
    );
  });

  it('freed twice', () => {
    const machine = bootOneCpu();
    const page = must(machine.run(allocPage(GFP_KERNEL)));
    machine.run(putPage(page));
    expect(() => machine.run(putPage(page))).toThrow(expect.objectContaining({ kind: 'VM_BUG' }));
  });

  it('used after free: found when it is given out again', () => {
    const machine = bootOneCpu();
    const page = must(machine.run(allocPage(GFP_KERNEL)));
    machine.run(putPage(page));
    machine.run(function* () {
      yield* setPageLocked(page);
    });
    expect(() => machine.run(allocPage(GFP_KERNEL))).toThrow(expect.objectContaining({ kind: 'bad-page' }));
  });
});

/** Reclaim that the test controls; `freed` is called with the number of the call. */
let reclaimCalls: { order: number; gfp: number; taskFlags: number }[] = [];
let kswapdCalls = 0;
let onReclaim: (call: number) => Ptr<Page>[] = () => [];
const tryToFreePages = functionPointer<TryToFreePages>('test_try_to_free_pages', function* (order, gfp) {
  reclaimCalls.push({ order, gfp, taskFlags: yield* load(TaskStruct.flags(current())) });
  const pages = onReclaim(reclaimCalls.length);
  for (const page of pages) yield* putPage(page);
  return pages.length;
});
const wakeupKswapd = functionPointer<WakeupKswapd>('test_wakeup_kswapd', function* () {
  kswapdCalls++;
});

/** 100 frames; watermarks 16, 20, 24. */
function bootWithReclaim(): OneCpu {
  reclaimCalls = [];
  kswapdCalls = 0;
  onReclaim = () => [];
  const machine = bootOneCpu({ pages: 100, minFreeKbytes: 64 });
  machine.look(() => setPageAllocHooks({ tryToFreePages, wakeupKswapd }));
  return machine;
}

/** The counter that decides lags by up to 2 pages, and the page that crosses the mark has been taken. */
function within(value: number, mark: number): void {
  expect(value).toBeGreaterThanOrEqual(mark - 3);
  expect(value).toBeLessThanOrEqual(mark + 2);
}

describe('watermarks', () => {
  afterEach(() => void setFaultInjector(null));

  it('kswapd is woken at the low one, the caller reclaims at the minimum', () => {
    const machine = bootWithReclaim();
    while (kswapdCalls === 0) must(machine.run(allocPage(GFP_KERNEL)));
    within(freePagesExactly(machine), 20);
    expect(reclaimCalls).toEqual([]);
    machine.run(() => takeAll(GFP_KERNEL | GFP_NORETRY));
    within(freePagesExactly(machine), 16);
    expect(reclaimCalls).toHaveLength(1);
  });

  it('an allocation that cannot wait goes below it, and never reclaims', () => {
    const machine = bootWithReclaim();
    machine.run(() => takeAll(GFP_ATOMIC));
    within(freePagesExactly(machine), 6); // (16 / 2) * 3 / 4
    expect(reclaimCalls).toEqual([]);
  });

  it('who frees memory gets the last page, unless he asks not to', () => {
    const machine = bootWithReclaim();
    const setFlags = (flags: number): void =>
      machine.run(function* () {
        yield* store(TaskStruct.flags(current()), flags);
      });
    setFlags(PF_MEMALLOC);
    machine.run(() => takeAll(GFP_KERNEL | GFP_NOMEMALLOC));
    within(freePagesExactly(machine), 16);
    machine.run(() => takeAll(GFP_KERNEL));
    expect(freePagesExactly(machine)).toBe(0);
    expect(reclaimCalls).toEqual([]);
    setFlags(0);
  });

  it('reclaim that frees something lets the allocation succeed; PF_MEMALLOC is set meanwhile', () => {
    const machine = bootWithReclaim();
    const pages = machine.run(() => takeAll(GFP_KERNEL | GFP_NORETRY));
    reclaimCalls = [];
    onReclaim = () => pages.splice(0, 8);
    const page = machine.run(allocPage(GFP_KERNEL));
    expect(page).not.toBe(NULL);
    expect(reclaimCalls.length).toBeGreaterThanOrEqual(1);
    expect(reclaimCalls[0]).toEqual({ order: 0, gfp: GFP_KERNEL, taskFlags: PF_MEMALLOC });
    expect(machine.engine.words[TaskStruct.flags(machine.engine.cpu.current as Ptr<TaskStruct>)]).toBe(0);
  });

  it('gives up after 16 rounds without progress; __GFP_NOFAIL never does', () => {
    const machine = bootWithReclaim();
    const pages = machine.run(() => takeAll(GFP_KERNEL | GFP_NORETRY));
    reclaimCalls = [];
    expect(machine.run(allocPage(GFP_KERNEL))).toBe(NULL);
    expect(reclaimCalls).toHaveLength(16);
    reclaimCalls = [];
    onReclaim = (call) => (call < 40 ? [] : pages.splice(0, 10));
    expect(machine.run(allocPage(GFP_KERNEL | GFP_NOFAIL))).not.toBe(NULL);
    expect(reclaimCalls.length).toBeGreaterThanOrEqual(40);
  });

  it('an injected failure is one for everybody but __GFP_NOFAIL', () => {
    const machine = bootWithReclaim();
    setFaultInjector((kind) => kind === 'enomem');
    expect(machine.run(allocPage(GFP_KERNEL))).toBe(NULL);
    expect(machine.run(allocPage(GFP_KERNEL | GFP_NOFAIL))).not.toBe(NULL);
  });

  it('counts what it gives and takes', () => {
    const machine = bootWithReclaim();
    const page = must(machine.run(allocPage(GFP_KERNEL)));
    machine.run(freePages(must(machine.run(allocPages(GFP_KERNEL, 2))), 2));
    machine.run(putPage(page));
    const { pgalloc, pgfree } = machine.look(vmEvents);
    expect({ pgalloc, pgfree }).toEqual({ pgalloc: 5, pgfree: 5 });
    expect(machine.look(() => pageToPfn(pfnToPage(7)))).toBe(7);
  });
});
