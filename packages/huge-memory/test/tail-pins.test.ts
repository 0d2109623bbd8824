// SPDX-License-Identifier: GPL-2.0-only
import {
  atomicSet,
  GFP_COMP,
  GFP_KERNEL,
  KernelBug,
  NULL,
  type Op,
  type Ptr,
  peek,
  poke,
  runSequentially,
  store,
} from '@lockless/cpu';
import { PAGE_MAPPING_ANON, Page } from '@lockless/mm-types';
import {
  allocPages,
  drainLocalPages,
  frameInvariant,
  freeAreaInit,
  getPage,
  getPageFoll,
  modZonePageState,
  NR_ANON_PAGES,
  NR_ANON_TRANSPARENT_HUGEPAGES,
  putPage,
  zonePageState,
} from '@lockless/page';
import { bootRcuEvents } from '@lockless/rcu';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  configureHugePages,
  hugeCountsAgree,
  nthPage,
  splitHugePageRefcount,
  TAIL_DESIGNS,
  type TailDesign,
} from '../src/index.js';

const ORDER = 2;
const PAGES = 1 << ORDER;

type Step = { readonly do: 'pin' | 'get' | 'put'; readonly page: number } | { readonly do: 'split' };
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constantFrom('pin', 'get', 'put'), page: fc.nat(PAGES - 1) }) },
  { weight: 1, arbitrary: fc.constant({ do: 'split' } as const) },
);

/** A huge page that is mapped once, the references to each of its pages, and whether it is one still. */
class Block {
  readonly pins: number[] = new Array(PAGES).fill(0);
  huge = true;
  readonly head: Ptr<Page>;
  constructor(head: Ptr<Page>) {
    this.head = head;
  }

  *apply(step: Step): Op<void> {
    if (step.do === 'split') {
      if (this.huge) yield* splitHugePageRefcount(this.head);
      this.huge = false;
      return;
    }
    const page = nthPage(this.head, step.page);
    if (step.do === 'pin') yield* getPageFoll(page);
    // Who has no reference may not take another one, nor give one back.
    else if (this.pins[step.page] === 0) return;
    else if (step.do === 'get') yield* getPage(page);
    else yield* putPage(page);
    this.pins[step.page] += step.do === 'put' ? -1 : 1;
  }

  /** What the counts of head and tails must be. */
  expected(design: TailDesign): number[] {
    if (!this.huge) return this.pins.map((pins) => pins + 1);
    const all = this.pins.reduce((sum, pins) => sum + pins, 1);
    return this.pins.map((pins, i) => (i === 0 ? all : design === 'tail-mapcount' ? 0 : pins));
  }

  counts(): number[] {
    return this.pins.map((_, i) => peek(Page._count(nthPage(this.head, i))));
  }
}

function* newBlock(design: TailDesign): Op<Block> {
  bootRcuEvents(true);
  yield* freeAreaInit({ pages: 64, nrCpus: 1, minFreeKbytes: 0 });
  configureHugePages({ mode: 'always', order: ORDER, tails: design });
  const head = yield* allocPages(GFP_KERNEL | GFP_COMP, ORDER);
  if (head === NULL) throw new Error('no memory');
  yield* atomicSet(Page._mapcount(head), 0);
  yield* store(Page.mapping(head), 0x100 + PAGE_MAPPING_ANON);
  yield* modZonePageState(NR_ANON_TRANSPARENT_HUGEPAGES, 1);
  return new Block(head);
}

/** The last mapping goes, and with it the memory, unless it is pinned. */
function* unmap(block: Block): Op<void> {
  const pages = block.huge ? [block.head] : block.pins.map((_, i) => nthPage(block.head, i));
  yield* modZonePageState(block.huge ? NR_ANON_TRANSPARENT_HUGEPAGES : NR_ANON_PAGES, -pages.length);
  for (const page of pages) {
    yield* atomicSet(Page._mapcount(page), -1);
    yield* putPage(page);
  }
}

describe.each(TAIL_DESIGNS)('pins of a compound page, %s', (design) => {
  it('each is counted where it belongs, before and after a split, and the last one frees', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        runSequentially(function* () {
          const block = yield* newBlock(design);
          const free = zonePageState().nr_free_pages;
          for (const step of steps) {
            yield* block.apply(step);
            expect(block.counts()).toEqual(block.expected(design));
            expect(hugeCountsAgree()).toBeNull();
          }
          yield* unmap(block);
          for (const [page, pins] of block.pins.entries()) {
            for (let i = 0; i < pins; i++) yield* putPage(nthPage(block.head, page));
          }
          yield* drainLocalPages();
          expect(frameInvariant()).toBeNull();
          expect(zonePageState().nr_free_pages).toBe(free + PAGES);
        });
      }),
      { numRuns: 60 },
    );
  });

  it('giving back what was not taken is a bug', () => {
    expect(() =>
      runSequentially(function* () {
        const block = yield* newBlock(design);
        yield* putPage(nthPage(block.head, 1));
      }),
    ).toThrow(KernelBug);
  });
});

describe('what is wrong with a huge page is told', () => {
  it.each([
    [
      'a pin that the head does not count',
      /2 mappings and 1 pins/,
      'tail-mapcount',
      (tail: Ptr<Page>) => poke(Page._mapcount(tail), 0),
    ],
    ['a reference to a tail', /nobody can have: 1/, 'tail-mapcount', (tail: Ptr<Page>) => poke(Page._count(tail), 1)],
    ['a tail of nobody', /does not know its head/, 'grace-period', (tail: Ptr<Page>) => poke(Page.flags(tail), 0)],
  ] as const)('%s', (_name, told, design, harm) => {
    runSequentially(function* () {
      const { head } = yield* newBlock(design);
      yield* getPage(head);
      yield* atomicSet(Page._mapcount(head), 1);
      expect(hugeCountsAgree()).toBeNull();
      harm(nthPage(head, 2));
      expect(hugeCountsAgree()).toMatch(told);
    });
  });
});

it('sizes that no table has are refused', () => {
  expect(() =>
    runSequentially(function* () {
      yield* freeAreaInit({ pages: 64, nrCpus: 1 });
      configureHugePages({ mode: 'always', order: 0 });
    }),
  ).toThrow(RangeError);
});
