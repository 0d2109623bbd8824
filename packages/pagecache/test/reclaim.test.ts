// SPDX-License-Identifier: GPL-2.0-only
import type { Ptr } from '@lockless/cpu';
import { GFP_KERNEL, GFP_NOFS, NULL, poke } from '@lockless/cpu';
import { AddressSpace, AS_EIO, Inode, Page, PG_ACTIVE, PG_DIRTY, PG_LRU, PG_WRITEBACK } from '@lockless/mm-types';
import * as page from '@lockless/page';
import { describe, expect, it } from 'vitest';
import * as api from '../src/index.js';
import { dirtiedBeforeFreeze, ReclaimLab, staleLookupOfOrphan } from './reclaim-sequential.js';

const has = (lab: ReclaimLab, target: Ptr<Page>, bit: number): boolean =>
  (lab.field(Page.flags, target) & (1 << bit)) !== 0;
const events = (lab: ReclaimLab) => lab.look(page.vmEvents);

describe('shrink_inactive_list', () => {
  it('frees clean pages that nobody uses, the oldest first', () => {
    const lab = new ReclaimLab(api);
    lab.read();
    const before = lab.look(() => page.zonePageState().nr_file_pages);
    expect(before).toBe(8);
    expect(lab.shrink(GFP_KERNEL)).toBe(8);
    expect(lab.cached.size).toBe(0);
    expect(events(lab)).toMatchObject({ pgscan_direct: 8, pgsteal: 8 });
    lab.checkFrames();
    lab.read();
    expect(lab.disk.counts.reads).toBe(16);
  });

  it('keeps a page that somebody holds, and frees it when he has put it', () => {
    const lab = new ReclaimLab(api);
    lab.read();
    const held = lab.run(api.findGetPage(Inode.data(lab.inode), 3)) as Ptr<Page>;
    expect(lab.shrink(GFP_KERNEL)).toBe(7);
    expect([...lab.cached]).toEqual([[3, held]]);
    expect(lab.field(Page._count, held)).toBe(2);
    expect(events(lab).remove_mapping_failed).toBe(1);
    lab.run(page.putPage(held));
    expect(lab.shrink(GFP_KERNEL)).toBe(1);
    lab.checkFrames();
  });

  it('writes dirty pages and frees them when the write is over', () => {
    const lab = new ReclaimLab(api);
    for (let i = 0; i < 4; i++) lab.write(i);
    lab.slow = true;
    // They have just been used: the first round only takes note.
    expect(lab.shrink(GFP_KERNEL)).toBe(0);
    expect(lab.disk.counts.writes).toBe(0);
    expect(lab.shrink(GFP_KERNEL)).toBe(0);
    expect([...lab.cached.values()].every((p) => has(lab, p, PG_WRITEBACK) && !has(lab, p, PG_DIRTY))).toBe(true);
    expect(lab.shrink(GFP_KERNEL)).toBe(0);
    lab.complete();
    expect(lab.disk.versionOf(1, 2)).toBe(1);
    expect(events(lab).pgrotated).toBe(0);
    lab.run(page.lruAddDrain());
    expect(events(lab).pgrotated).toBe(4);
    expect(lab.shrink(GFP_KERNEL)).toBe(4);
    lab.checkFrames();
  });

  it('frees at once what the disk has written at once', () => {
    const lab = new ReclaimLab(api);
    lab.write(0);
    lab.shrink(GFP_KERNEL);
    expect(lab.shrink(GFP_KERNEL)).toBe(1);
    expect(lab.disk.versionOf(1, 0)).toBe(1);
  });

  it('does not write without the right to enter the file system', () => {
    const lab = new ReclaimLab(api);
    lab.write(0);
    lab.read(1, 2);
    const clean = lab.cached.size - 1;
    expect(clean).toBeGreaterThan(0);
    expect(lab.shrink(GFP_NOFS)).toBe(clean);
    expect([...lab.cached.keys()]).toEqual([0]);
    expect(lab.disk.counts.writes).toBe(0);
  });

  it('a write that fails is remembered in the mapping', () => {
    const lab = new ReclaimLab(api);
    lab.write(0);
    lab.broken = true;
    lab.shrink(GFP_KERNEL);
    lab.shrink(GFP_KERNEL);
    expect(lab.words[AddressSpace.flags(Inode.data(lab.inode))]! & (1 << AS_EIO)).not.toBe(0);
    lab.checkFrames();
  });

  it('a page that writepage refuses is kept, and its mapping told', () => {
    const lab = new ReclaimLab(api);
    lab.write(0);
    const sc = api.scanControl(GFP_KERNEL, 0, false);
    const target = lab.cached.get(0)!;
    lab.run(page.getPage(target));
    sc.failedWrites.push({ page: target, mapping: Inode.data(lab.inode), error: -5 });
    lab.run(api.shrinkInactiveList(32, sc));
    expect(sc.failedWrites).toEqual([]);
    expect(lab.words[AddressSpace.flags(Inode.data(lab.inode))]! & (1 << AS_EIO)).not.toBe(0);
    expect(lab.field(Page._count, target)).toBe(1);
  });
});

describe('the two lists', () => {
  it('a page that is used twice needs two rounds', () => {
    const lab = new ReclaimLab(api);
    lab.read();
    const hot = lab.cached.get(0)!;
    lab.run(page.activatePage(hot));
    expect(lab.shrink(GFP_KERNEL)).toBe(7);
    expect([...lab.cached.values()]).toEqual([hot]);
    lab.run(api.shrinkActiveList(32));
    expect(has(lab, hot, PG_ACTIVE)).toBe(false);
    expect(has(lab, hot, PG_LRU)).toBe(true);
    expect(events(lab)).toMatchObject({ pgdeactivate: 1, pgrefill: 1 });
    expect(lab.shrink(GFP_KERNEL)).toBe(1);
    lab.checkFrames();
  });

  it('isolation leaves a page alone that is being freed, or is on another list', () => {
    const lab = new ReclaimLab(api);
    lab.read(0, 1);
    const target = lab.cached.get(0)!;
    expect(lab.run(api.isolateLruPage(target, true))).toBe(-22);
    lab.look(() => poke(Page._count(target), 0));
    expect(lab.run(api.isolateLruPage(target, false))).toBe(-16);
    expect(has(lab, target, PG_LRU)).toBe(true);
    lab.look(() => poke(Page._count(target), 1));
    expect(lab.run(api.isolateLruPage(target, false))).toBe(0);
    expect(lab.field(Page._count, target)).toBe(2);
    expect(lab.run(api.isolateLruPage(target, false))).toBe(-22);
  });
});

describe('lumpy reclaim', () => {
  /** Frames of the block of four that the page at the tail of the list lies in, and those of them that isolation took. */
  function isolateBlock(lab: ReclaimLab, both: boolean): { block: number[]; taken: number[] } {
    const pfnOf = (target: Ptr<Page>): number => lab.look(() => page.pageToPfn(target));
    const { pages } = lab.run(api.isolateLruPages(1, page.LRU_INACTIVE_FILE, { order: 2, both }));
    const taken = pages.map(pfnOf);
    const block = [...lab.cached.values()].map(pfnOf).filter((pfn) => pfn >> 2 === taken[0]! >> 2);
    lab.run(api.putbackLruPages(pages));
    lab.checkFrames();
    return { block, taken };
  }

  it('takes the neighbours of a page that are on the same list, or on any', () => {
    const lab = new ReclaimLab(api);
    lab.read();
    const { block, taken } = isolateBlock(lab, false);
    expect(block.length).toBeGreaterThan(1);
    expect(new Set(taken)).toEqual(new Set(block));
    const used = block.find((pfn) => pfn !== taken[0])!;
    lab.run(page.activatePage(lab.look(() => page.pfnToPage(used))));
    const again = isolateBlock(lab, false);
    expect(again.taken).not.toContain(used);
    const all = isolateBlock(lab, true);
    if (all.block.includes(used)) expect(all.taken).toContain(used);
    expect(new Set(all.taken)).toEqual(new Set(all.block));
  });

  it('leaves a neighbour alone that is being freed', () => {
    const lab = new ReclaimLab(api);
    lab.read();
    const { taken } = isolateBlock(lab, false);
    const freed = lab.look(() => page.pfnToPage(taken[1]!));
    lab.look(() => poke(Page._count(freed), 0));
    const { pages } = lab.run(api.isolateLruPages(8, page.LRU_INACTIVE_FILE, { order: 2, both: true }));
    expect(pages).not.toContain(freed);
    expect(has(lab, freed, PG_LRU)).toBe(true);
  });
});

describe('reclaim on behalf of an allocation', () => {
  it('reads a file of three times the memory without running out of it', () => {
    const lab = new ReclaimLab(api, 300, 100);
    for (let first = 0; first < 300; first += 10) lab.read(first, 10);
    const { pgsteal, allocstall } = events(lab);
    expect(pgsteal).toBeGreaterThan(190);
    expect(allocstall).toBeGreaterThan(0);
    lab.checkFrames();
  });

  it('writes a file of three times the memory, and the disk has every page', () => {
    const lab = new ReclaimLab(api, 300, 100);
    for (let index = 0; index < 300; index++) lab.write(index);
    lab.run(api.filemapWriteAndWait(Inode.data(lab.inode)));
    for (let index = 0; index < 300; index++) expect(lab.disk.versionOf(1, index)).toBe(1);
    lab.checkFrames();
  });

  it('says 0 when nothing is reclaimable', () => {
    const lab = new ReclaimLab(api);
    expect(lab.run(api.tryToFreePages(0, GFP_KERNEL))).toBe(0);
    expect(lab.run(api.allUnreclaimable())).toBe(true);
  });

  it('anonymous pages are left alone: there is no swap', () => {
    const lab = new ReclaimLab(api);
    const anon = lab.run(page.allocPage(GFP_KERNEL));
    if (anon === NULL) throw new Error('no page');
    lab.run(page.lruCacheAddAnon(anon));
    lab.run(page.lruAddDrain());
    expect(lab.run(api.tryToFreePages(0, GFP_KERNEL))).toBe(0);
    expect(has(lab, anon, PG_LRU)).toBe(true);
  });
});

describe('one event of another CPU, at the worst moment', () => {
  it('the page becomes dirty after the test and before the freeze (A9)', () => dirtiedBeforeFreeze(api, GFP_KERNEL));
  it('a stale lookup pins a truncated page after its count was 1 (A12)', () => staleLookupOfOrphan(api, GFP_KERNEL));
});
