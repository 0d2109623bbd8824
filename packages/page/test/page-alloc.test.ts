// SPDX-License-Identifier: GPL-2.0-only
import type { Ptr } from '@lockless/cpu';
import { GFP_KERNEL, GFP_NORETRY, NULL, poke } from '@lockless/cpu';
import { PAGE_MAPPING_ANON, Page, PG_LOCKED } from '@lockless/mm-types';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
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
  putPage,
  setPageLocked,
  zeroPage,
  zoneCounterInvariant,
} from '../src/index.js';
import { bootOneCpu, freeLists, freePagesExactly, must, takeAll } from './sequential.js';

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
