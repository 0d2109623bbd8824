// SPDX-License-Identifier: GPL-2.0-only
import type { Access, Op, Ptr } from '@lockless/cpu';
import { PRIMITIVES, SequentialEngine } from '@lockless/cpu';
import {
  BIO_WRITE,
  Bio,
  type File,
  FMODE_READ,
  FMODE_WRITE,
  Inode,
  PAGE_SIZE,
  Page,
  PG_DIRTY,
} from '@lockless/mm-types';
import * as page from '@lockless/page';
import { rcuInit } from '@lockless/rcu';
import { expect } from 'vitest';
import type { PagecacheApi } from './pressure.js';
import { interrupt } from './sequential-system.js';

/** What happens on another CPU just before an access of this one; says true when it has happened. */
type Elsewhere = (primitive: string, address: number) => boolean;

/** One CPU, a disk that is done at once, one file, and a hook to put one event of another CPU anywhere. */
export class ReclaimLab extends SequentialEngine {
  readonly api: PagecacheApi;
  readonly inode: Ptr<Inode>;
  readonly file: Ptr<File>;
  readonly disk: InstanceType<PagecacheApi['BackingStore']>;
  /** The disk refuses writes. */
  broken = false;
  /** Requests are taken and not completed until {@link complete}. */
  slow = false;
  private readonly pending: Ptr<Bio>[] = [];
  private elsewhere: Elsewhere | null = null;

  constructor(api: PagecacheApi, filePages = 8, frames = 256) {
    super();
    this.api = api;
    this.disk = new api.BackingStore();
    api.attachBlockMap(this.disk);
    this.run(rcuInit(1));
    this.run(
      page.freeAreaInit({
        pages: frames,
        nrCpus: 1,
        minFreeKbytes: 32,
        bootReserve: (words) => this.heap.reserve(words),
      }),
    );
    this.run(api.pagecacheInit());
    this.inode = this.run(api.inodeAlloc(1, filePages * PAGE_SIZE)) as Ptr<Inode>;
    this.file = this.run(api.fileOpen(this.inode, FMODE_READ | FMODE_WRITE)) as Ptr<File>;
  }

  override step(access: Access<unknown>): IteratorResult<Access<unknown>, unknown> {
    const { event, name } = PRIMITIVES[access.code]!;
    if (this.elsewhere?.(name, access.address)) this.elsewhere = null;
    if (event !== 'IO') return super.step(access);
    this.pending.push(access.address as Ptr<Bio>);
    if (!this.slow) this.completeAll();
    return { done: true, value: undefined };
  }

  /** A slow disk completes all that it has. */
  complete(): void {
    this.look(() => this.completeAll());
  }

  private completeAll(): void {
    for (const bio of this.pending.splice(0)) {
      const writes = this.words[Bio.rw(bio)] === BIO_WRITE;
      this.disk.transfer(bio, this.words, this.broken && writes ? -5 : 0);
      interrupt(this.cpu, this.api.bioEndIo(bio));
    }
  }

  /** Lets something happen elsewhere, at the first access for which `when` says so. */
  meanwhile(when: (primitive: string, address: number) => boolean, what: () => void): void {
    this.elsewhere = (primitive, address) => {
      if (!when(primitive, address)) return false;
      what();
      return true;
    };
  }

  read(first = 0, count = 8): void {
    const done = this.run(
      this.api.genericFileRead(this.file, first * PAGE_SIZE, count * PAGE_SIZE, function* (_page, _offset, bytes) {
        return bytes;
      }),
    );
    expect(done).toBeGreaterThan(0);
    this.run(page.lruAddDrain());
  }

  write(index: number): void {
    const done = this.run(
      this.api.genericFileWrite(this.file, index * PAGE_SIZE, PAGE_SIZE, function* (_page, _offset, bytes) {
        return bytes;
      }),
    );
    expect(done).toBe(PAGE_SIZE);
    this.run(page.lruAddDrain());
  }

  /** Pages of the file in the cache, by index. */
  get cached(): Map<number, Ptr<Page>> {
    return new Map(
      this.look(() => this.api.cachedPages(Inode.data(this.inode))).map((item) => [item.index, item.page]),
    );
  }

  look<T>(what: () => T): T {
    return this.run(
      (function* (): Op<T> {
        return what();
      })(),
    );
  }

  field(which: (page: Ptr<Page>) => number, of: Ptr<Page>): number {
    return this.words[which(of)]!;
  }

  /** Frames, lists and counters are as they must be. */
  checkFrames(): void {
    for (const check of [page.frameInvariant, page.lruInvariant, page.zoneCounterInvariant])
      expect(this.look(check)).toBe(null);
  }

  /** One round of shrink_inactive_list(). */
  shrink(gfp: number): number {
    const freed = this.run(this.api.shrinkInactiveList(32, this.api.scanControl(gfp, 0, false)));
    return freed;
  }
}

/** A9: another CPU takes a reference, dirties the page and puts the reference, between the test of PG_dirty and the freeze. */
export function dirtiedBeforeFreeze(api: PagecacheApi, gfp: number): void {
  const lab = new ReclaimLab(api);
  lab.read(0, 1);
  const target = lab.cached.get(0)!;
  lab.meanwhile(
    (primitive, address) => primitive === 'atomic_cmpxchg' && address === Page._count(target),
    () => {
      lab.words[Page.contentVersion(target)]! += 1;
      lab.words[Page.flags(target)]! |= 1 << PG_DIRTY;
    },
  );
  lab.shrink(gfp);
  expect(lab.cached.get(0)).toBe(target);
  expect(lab.field(Page._count, target)).toBe(1);
}

/** A12: a lookup that found the page before it was truncated takes its reference after reclaim has looked at the count. */
export function staleLookupOfOrphan(api: PagecacheApi, gfp: number): void {
  const lab = new ReclaimLab(api);
  lab.read(0, 1);
  const target = lab.cached.get(0)!;
  const isolated = lab.run(api.isolateLruPages(32, page.LRU_INACTIVE_FILE));
  expect(isolated.pages).toContain(target);
  lab.run(api.truncateInodePages(Inode.data(lab.inode), 0));
  expect(lab.field(Page._count, target)).toBe(1);
  lab.meanwhile(
    // unlock_page(), the first step after the look at the count.
    (primitive) => primitive === 'smp_mb__before_atomic',
    () => {
      lab.words[Page._count(target)]! += 1;
    },
  );
  const pages = [...isolated.pages];
  lab.run(api.shrinkPageList(pages, api.scanControl(gfp, 0, false), false));
  lab.run(api.putbackLruPages(pages));
  // The lookup finds the slot empty and puts its reference.
  lab.run(page.putPage(target));
  lab.checkFrames();
  expect(lab.look(() => page.frameStates()[page.pageToPfn(target)])).toBe('pcp');
}
