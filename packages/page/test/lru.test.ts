// SPDX-License-Identifier: GPL-2.0-only
import type { Ptr } from '@lockless/cpu';
import { clearBit, GFP_KERNEL, NULL, setBit } from '@lockless/cpu';
import { Page, PG_ACTIVE, PG_DIRTY, PG_LRU, PG_RECLAIM, PG_REFERENCED, PG_SWAPBACKED } from '@lockless/mm-types';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  activatePage,
  allocPage,
  deactivatePage,
  drainLocalPages,
  frameInvariant,
  framesInPagevecs,
  getPage,
  lruAddDrain,
  lruCacheAdd,
  lruCacheAddActive,
  lruCacheAddActiveAnon,
  lruCacheAddAnon,
  lruInvariant,
  markPageAccessed,
  pageToPfn,
  putPage,
  releasePages,
  rotateReclaimablePage,
  vmEvents,
  zoneCounterInvariant,
  zonePageState,
} from '../src/index.js';
import { bootOneCpu, freeLists, type OneCpu } from './sequential.js';

function newPage(machine: OneCpu): Ptr<Page> {
  const page = machine.run(allocPage(GFP_KERNEL));
  if (page === NULL) throw new Error('no page');
  return page;
}
const flagsOf = (machine: OneCpu, page: Ptr<Page>): number => machine.engine.words[Page.flags(page)]!;
const countOf = (machine: OneCpu, page: Ptr<Page>): number => machine.engine.words[Page._count(page)]!;
const has = (flags: number, bit: number): boolean => (flags & (1 << bit)) !== 0;

const ADD = [lruCacheAddAnon, lruCacheAddActiveAnon, lruCacheAdd, lruCacheAddActive] as const;
const LISTS = ['nr_inactive_anon', 'nr_active_anon', 'nr_inactive_file', 'nr_active_file'] as const;

describe('pagevecs', () => {
  it('hold a reference, and go to the list 14 at a time', () => {
    const machine = bootOneCpu();
    const pages = Array.from({ length: 14 }, () => newPage(machine));
    for (const page of pages.slice(0, 13)) machine.run(lruCacheAdd(page));
    expect(countOf(machine, pages[0]!)).toBe(2);
    expect(has(flagsOf(machine, pages[0]!), PG_LRU)).toBe(false);
    expect(machine.look(framesInPagevecs)).toEqual(
      pages.slice(0, 13).map((page) => machine.look(() => pageToPfn(page))),
    );
    machine.run(lruCacheAdd(pages[13]!));
    expect(machine.look(framesInPagevecs)).toEqual([]);
    expect(pages.map((page) => countOf(machine, page))).toEqual(pages.map(() => 1));
    expect(machine.look(() => zonePageState().nr_inactive_file)).toBe(14);
    expect(machine.look(lruInvariant)).toBe(null);
  });

  it('free a page whose other owners have gone', () => {
    const machine = bootOneCpu();
    const before = freeLists(machine);
    const page = newPage(machine);
    machine.run(lruCacheAdd(page));
    machine.run(putPage(page));
    expect(countOf(machine, page)).toBe(1);
    machine.run(lruAddDrain());
    machine.run(drainLocalPages());
    expect(freeLists(machine)).toEqual(before);
    expect(machine.look(zoneCounterInvariant)).toBe(null);
  });

  it.each(ADD.map((add, lru) => [LISTS[lru]!, add] as const))('%s', (name, add) => {
    const machine = bootOneCpu();
    const page = newPage(machine);
    machine.run(add(page));
    machine.run(lruAddDrain());
    expect(machine.look(() => zonePageState()[name])).toBe(1);
    expect(machine.look(lruInvariant)).toBe(null);
    expect(machine.look(zoneCounterInvariant)).toBe(null);
    machine.run(putPage(page));
    expect(machine.look(() => zonePageState()[name])).toBe(0);
    expect(machine.look(frameInvariant)).toBe(null);
  });
});

describe('use of a page', () => {
  it('inactive, inactive and referenced, active, active and referenced', () => {
    const machine = bootOneCpu();
    const page = newPage(machine);
    machine.run(lruCacheAdd(page));
    machine.run(lruAddDrain());
    const steps: [boolean, boolean][] = [];
    for (let i = 0; i < 4; i++) {
      machine.run(markPageAccessed(page));
      steps.push([has(flagsOf(machine, page), PG_ACTIVE), has(flagsOf(machine, page), PG_REFERENCED)]);
    }
    expect(steps).toEqual([
      [false, true],
      [true, false],
      [true, true],
      [true, true],
    ]);
    expect(machine.look(() => vmEvents().pgactivate)).toBe(1);
    expect(machine.look(lruInvariant)).toBe(null);
    expect(machine.look(zoneCounterInvariant)).toBe(null);
  });

  it('does not activate a page that is still in a pagevec', () => {
    const machine = bootOneCpu();
    const page = newPage(machine);
    machine.run(lruCacheAdd(page));
    for (let i = 0; i < 3; i++) machine.run(markPageAccessed(page));
    expect(has(flagsOf(machine, page), PG_ACTIVE)).toBe(false);
    expect(has(flagsOf(machine, page), PG_REFERENCED)).toBe(true);
  });
});

/** Frames of the inactive file list, the next to be reclaimed first. */
function inactiveOrder(machine: OneCpu, pages: readonly Ptr<Page>[]): number[] {
  const { words } = machine.engine;
  const byEntry = new Map(pages.map((page, i) => [Page.lru(page) as number, i]));
  const order: number[] = [];
  const first = pages.find((page) => !byEntry.has(words[Page.lru(page) + 1]!))!;
  // Follows next from the newest; the head ends it.
  for (let at: number = Page.lru(first); byEntry.has(at); at = words[at]!) order.unshift(byEntry.get(at)!);
  return order;
}

describe('rotate_reclaimable_page', () => {
  it('puts a clean inactive page where reclaim looks next, and no other', () => {
    const machine = bootOneCpu();
    const pages = Array.from({ length: 4 }, () => newPage(machine));
    for (const page of pages) machine.run(lruCacheAdd(page));
    machine.run(lruAddDrain());
    expect(inactiveOrder(machine, pages)).toEqual([0, 1, 2, 3]);
    machine.run(function* () {
      yield* setBit(PG_DIRTY, Page.flags(pages[3]!));
      yield* rotateReclaimablePage(pages[2]!);
      yield* rotateReclaimablePage(pages[3]!);
      yield* clearBit(PG_DIRTY, Page.flags(pages[3]!));
      yield* lruAddDrain();
    });
    expect(inactiveOrder(machine, pages)).toEqual([2, 0, 1, 3]);
    expect(machine.look(() => vmEvents().pgrotated)).toBe(1);
    expect(pages.map((page) => countOf(machine, page))).toEqual([1, 1, 1, 1]);
  });

  it('deactivate_page: to the tail of the inactive list, used or not; a dirty page to its head, marked', () => {
    const machine = bootOneCpu();
    const pages = Array.from({ length: 4 }, () => newPage(machine));
    for (const [i, page] of pages.entries()) machine.run(i === 2 ? lruCacheAddActive(page) : lruCacheAdd(page));
    machine.run(function* () {
      yield* lruAddDrain();
      yield* setBit(PG_REFERENCED, Page.flags(pages[2]!));
      yield* setBit(PG_DIRTY, Page.flags(pages[0]!));
      yield* deactivatePage(pages[2]!);
      yield* deactivatePage(pages[0]!);
      yield* lruAddDrain();
      yield* clearBit(PG_DIRTY, Page.flags(pages[0]!));
    });
    expect(inactiveOrder(machine, pages)).toEqual([2, 1, 3, 0]);
    expect(has(flagsOf(machine, pages[2]!), PG_ACTIVE) || has(flagsOf(machine, pages[2]!), PG_REFERENCED)).toBe(false);
    expect(has(flagsOf(machine, pages[0]!), PG_RECLAIM)).toBe(true);
    expect(machine.look(() => [vmEvents().pgdeactivate, vmEvents().pgrotated])).toEqual([1, 1]);
    expect(pages.map((page) => countOf(machine, page))).toEqual([1, 1, 1, 1]);
  });
});

const steps = fc.array(
  fc.tuple(
    fc.constantFrom('add', 'use', 'activate', 'rotate', 'deactivate', 'get', 'put', 'release', 'drain'),
    fc.nat(9),
    fc.nat(3),
  ),
  {
    maxLength: 150,
  },
);

describe('any sequence of operations', () => {
  it('keeps lists, flags, counters and references together', () => {
    fc.assert(
      fc.property(steps, (list) => {
        const machine = bootOneCpu({ pages: 64 });
        const before = freeLists(machine);
        /** Pages and how many references we have. */
        const held: { page: Ptr<Page>; refs: number }[] = [];
        const drop = (i: number, refs: number): void => {
          held[i]!.refs -= refs;
          if (held[i]!.refs === 0) held.splice(i, 1);
        };
        for (const [kind, which, lru] of list) {
          const i = held.length === 0 ? -1 : which % held.length;
          const page = held[i]?.page;
          if (kind === 'add' && held.length < 20) {
            const fresh = newPage(machine);
            machine.run(ADD[lru]!(fresh));
            held.push({ page: fresh, refs: 1 });
          } else if (kind === 'drain') machine.run(lruAddDrain());
          else if (page === undefined) continue;
          else if (kind === 'use') machine.run(markPageAccessed(page));
          else if (kind === 'activate') machine.run(activatePage(page));
          else if (kind === 'rotate') machine.run(rotateReclaimablePage(page));
          else if (kind === 'deactivate') machine.run(deactivatePage(page));
          else if (kind === 'get') {
            machine.run(getPage(page));
            held[i]!.refs++;
          } else if (kind === 'put') {
            machine.run(putPage(page));
            drop(i, 1);
          } else if (kind === 'release') {
            const { refs } = held[i]!;
            machine.run(releasePages(Array.from({ length: refs }, () => page)));
            drop(i, refs);
          }
          for (const check of [lruInvariant, zoneCounterInvariant, frameInvariant])
            expect(machine.look(check)).toBe(null);
        }
        for (const { page, refs } of held) machine.run(releasePages(Array.from({ length: refs }, () => page)));
        machine.run(lruAddDrain());
        machine.run(drainLocalPages());
        expect(freeLists(machine)).toEqual(before);
        expect(machine.look(() => LISTS.map((name) => zonePageState()[name]))).toEqual([0, 0, 0, 0]);
      }),
      { numRuns: Number(process.env.LOCKLESS_RUNS ?? 100) },
    );
  });

  it('tells anonymous pages from file pages by PG_swapbacked alone', () => {
    const machine = bootOneCpu();
    const page = newPage(machine);
    machine.run(lruCacheAddActiveAnon(page));
    expect(has(flagsOf(machine, page), PG_SWAPBACKED)).toBe(true);
  });
});
