// SPDX-License-Identifier: GPL-2.0-only
import { type Op, type Ptr, peek, poke } from '@lockless/cpu';
import {
  dupMm,
  exitMm,
  MADV_DONTNEED,
  MADV_FREE,
  MADV_PAGEOUT,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  PROT_READ,
  residentPages,
  sysMadvise,
  sysMprotect,
  sysMremap,
  sysMunmap,
  userRead,
} from '@lockless/mm';
import { type MmStruct, Page, taskMm } from '@lockless/mm-types';
import { mmuNotifierClearFlushYoung } from '@lockless/mmu-notifier';
import { describe, expect, it } from 'vitest';
import { guestRead, guestWrite, Kvm, kvmSetMemoryRegion, sptesAgree, sptesOf } from '../src/index.js';
import { Host, RW, START } from './host.js';

/** Huge pages of four pages. */
const THP = { mode: 'always', order: 2 } as const;
const PAGES = 16;

class HugeHost extends Host {
  constructor(options: ConstructorParameters<typeof Host>[0] = {}) {
    super({ transparentHugePages: THP, ...options }, PAGES);
  }

  /** Shadow entries: the first guest page of each, and how many it maps. */
  get entries(): [number, number][] {
    expect(this.look(() => sptesAgree(this.kvm, true))).toBe(null);
    return this.look(() => sptesOf(this.kvm)).map(({ hva, pages }) => [hva - START, pages]);
  }

  get installedHuge(): number {
    return this.look(() => peek(Kvm.installedHuge(this.kvm)));
  }

  guestWrites(gfn: number, version: number): number {
    return this.run(guestWrite(this.vcpu, gfn, { identity: -8, version })).faults;
  }

  processReads(page: number): number {
    return this.run(userRead(START + page)).content.version;
  }
}

describe('a guest in the huge pages of a process', () => {
  it.each(['tail-count', 'grace-period', 'tail-mapcount'] as const)(
    'has all of one after one fault, in whichever of its pages, and no reference (%s)',
    (tails) => {
      const host = new HugeHost({ transparentHugePages: { ...THP, tails } });
      for (let page = 0; page < 8; page++) host.write(page, 10 + page);
      const counts = (): number[] => host.look(() => residentPages(host.mm).map(({ page }) => peek(Page._count(page))));
      const before = counts();
      expect(host.run(guestRead(host.vcpu, 2))).toMatchObject({ error: 0, faults: 1, content: { version: 12 } });
      expect([0, 1, 2, 3].map((gfn) => host.run(guestRead(host.vcpu, gfn)))).toMatchObject(
        [10, 11, 12, 13].map((version) => ({ faults: 0, content: { version } })),
      );
      expect(host.seenByGuest(4)).toBe(14);
      expect(host.entries).toEqual([
        [0, 4],
        [4, 4],
      ]);
      expect(counts()).toEqual(before);
      expect(host.installedHuge).toBe(2);
    },
  );

  it('may write them when it has asked to, and the process sees it', () => {
    const host = new HugeHost();
    host.write(0, 1);
    host.seenByGuest(1);
    expect(host.guestWrites(2, 7)).toBe(1);
    expect(host.guestWrites(3, 8)).toBe(0);
    expect([2, 3].map((page) => host.processReads(page))).toEqual([7, 8]);
    expect(host.entries).toEqual([[0, 4]]);
  });

  it.each([
    ['part of it is dropped', (): Op<unknown> => sysMadvise(START + 1, 1, MADV_DONTNEED)],
    ['part of it is protected', () => sysMprotect(START + 3, 1, PROT_READ)],
    ['part of it is unmapped', () => sysMunmap(START + 2, 1)],
    ['part of it may be freed', () => sysMadvise(START + 1, 2, MADV_FREE)],
    [
      'part of it moves',
      () =>
        sysMremap({
          address: START + 1,
          oldPages: 1,
          newPages: 1,
          flags: MREMAP_FIXED | MREMAP_MAYMOVE,
          newAddress: 3000,
        }),
    ],
  ])('loses the entry as a whole when %s, and has the rest page by page', (_what, change) => {
    const host = new HugeHost();
    for (let page = 0; page < 8; page++) host.write(page, 10 + page);
    for (const gfn of [0, 4]) host.seenByGuest(gfn);
    host.run(change());
    expect(host.entries).toEqual([[4, 4]]);
    expect(host.seenByGuest(0)).toBe(10);
    expect(host.entries).toEqual([
      [0, 1],
      [4, 4],
    ]);
  });

  it('has a huge page again where it had small ones', () => {
    const host = new HugeHost();
    for (let page = 0; page < 4; page++) host.write(page, 10 + page);
    host.run(sysMadvise(START + 3, 1, MADV_DONTNEED));
    for (const gfn of [0, 2]) host.seenByGuest(gfn);
    expect(host.entries).toEqual([
      [0, 1],
      [2, 1],
    ]);
    host.run(sysMunmap(START, 4));
    host.run(sysMremap({ address: START + 4, oldPages: 4, newPages: 4, flags: 3, newAddress: START }));
    host.write(1, 5);
    expect(host.seenByGuest(1)).toBe(5);
    expect(host.entries).toEqual([[0, 4]]);
  });

  it('sees its own memory after a fork, whoever writes, whether the process copies the huge page or splits it', () => {
    for (const sharedWrites of ['copy', 'split'] as const) {
      const host = new HugeHost({ transparentHugePages: { ...THP, sharedWrites } });
      for (let page = 0; page < 4; page++) host.write(page, 10 + page);
      host.guestWrites(1, 20);
      const child = host.run(dupMm(host.mm)) as Ptr<MmStruct>;
      expect(host.entries).toEqual([]);
      host.seenByGuest(0);
      expect(host.entries).toEqual([[0, 4]]);
      host.write(2, 30);
      expect([0, 1, 2, 3].map((gfn) => host.seenByGuest(gfn))).toEqual([10, 20, 30, 13]);
      host.guestWrites(3, 40);
      expect(host.entries.length).toBe(sharedWrites === 'copy' ? 1 : 4);
      host.run(
        (function* (): Op<void> {
          poke(taskMm(host.engine.cpu.current as never), child);
          for (let page = 0; page < 4; page++)
            expect((yield* userRead(START + page)).content.version).toBe([10, 20, 12, 13][page]);
          yield* exitMm();
        })(),
      );
    }
  });

  it('is asked whether it used any page of a huge one', () => {
    const host = new HugeHost();
    host.write(0, 1);
    host.seenByGuest(3);
    expect(host.run(mmuNotifierClearFlushYoung(host.mm, START))).toBe(true);
    expect(host.run(mmuNotifierClearFlushYoung(host.mm, START + 3))).toBe(false);
    host.seenByGuest(1);
    expect(host.run(mmuNotifierClearFlushYoung(host.mm, START + 2))).toBe(true);
  });

  it.each([
    ['begins in the middle of one', 1, 8],
    ['ends in the middle of one', 0, 3],
  ])('has none in a slot that %s', (_where, first, pages) => {
    const host = new HugeHost();
    for (let page = 0; page < 8; page++) host.write(page, 10 + page);
    host.run(kvmSetMemoryRegion(host.kvm, 0, START + first, pages));
    expect(host.seenByGuest(2)).toBe(12 + first);
    expect(host.entries).toEqual([[2 + first, 1]]);
  });

  it('has the huge page of zeros', () => {
    const host = new HugeHost({ transparentHugePages: { ...THP, zeroPage: true } });
    expect(host.run(guestRead(host.vcpu, 6))).toMatchObject({ error: 0, content: { identity: 0 } });
    expect(host.entries).toEqual([[4, 4]]);
    host.write(5, 3);
    expect(host.entries).toEqual([]);
    expect([4, 5].map((gfn) => host.seenByGuest(gfn))).toEqual([0, 3]);
    expect(host.entries).toEqual([[4, 4]]);
  });

  it('gives it up with the process', () => {
    const host = new HugeHost();
    host.write(0, 1);
    host.seenByGuest(0);
    host.run(exitMm());
    expect(host.look(() => sptesOf(host.kvm))).toEqual([]);
  });
});

describe('without', () => {
  const dropsPart = (without: readonly string[]): string | null => {
    const host = new HugeHost({ without });
    for (let page = 0; page < 4; page++) host.write(page, 10 + page);
    host.seenByGuest(0);
    host.run(sysMadvise(START + 1, 1, MADV_DONTNEED));
    return host.look(() => sptesAgree(host.kvm, true));
  };

  it('a split that says so, who takes a page away says it', () => {
    expect(dropsPart(['pmdpSplittingFlush.notify'])).toBe(null);
  });

  it('that the split says so, a page of zeros that is given back is in no entry', () => {
    const host = new HugeHost({ without: ['pmdpSplittingFlush.notify'], swapPages: 4 });
    host.write(0, 1);
    host.seenByGuest(1);
    host.run(sysMadvise(START + 2, 1, MADV_PAGEOUT));
    expect(host.entries).toEqual([]);
  });

  it('that the split says so, the guest may write at last where it might only read', () => {
    const host = new HugeHost({ without: ['pmdpSplittingFlush.notify'] });
    for (let page = 0; page < 4; page++) host.write(page, 10 + page);
    host.seenByGuest(1);
    // Splits it, and changes nothing that the guest has.
    host.run(sysMremap({ address: START + 3, oldPages: 1, newPages: 1, flags: 3, newAddress: 3000 }));
    host.run(sysMprotect(START, 1, RW));
    expect(host.guestWrites(1, 5)).toBe(1);
    expect(host.processReads(1)).toBe(5);
  });

  it('a look at huge entries a page is free that the guest has', () => {
    expect(dropsPart(['kvmHandleHva.hugeEntries'])).toMatch(/which is free/);
  });

  it('a look at the slot an entry reaches beyond it, or shows another page', () => {
    const seenIn = (without: string, first: number, pages: number): number => {
      const host = new HugeHost({ without: [without] });
      for (let page = 0; page < 8; page++) host.write(page, 10 + page);
      host.run(kvmSetMemoryRegion(host.kvm, 0, START + first, pages));
      host.seenByGuest(2);
      expect(host.look(() => sptesAgree(host.kvm, false))).toMatch(/is not in its slot/);
      return host.seenByGuest(2);
    };
    expect(seenIn('hasWrprotectedPage.inside', 0, 3)).toBe(12);
    expect(() => seenIn('hasWrprotectedPage.congruent', 1, 8)).toThrow(/gfn & mask/);
  });
});
