// SPDX-License-Identifier: GPL-2.0-only
import { KernelBug, NULL, type Op, type Ptr, readOnce } from '@lockless/cpu';
import { sysPread } from '@lockless/mm';
import { type AddressSpace, Inode, PAGE_SIZE, Page } from '@lockless/mm-types';
import { putPage } from '@lockless/page';
import { filePut, findGetPage, invalidateMappingPages } from '@lockless/pagecache';
import type { Rec } from '@lockless/recording';
import { inoOf, type World } from './world.js';

/** What a neighbour does in eight turns: one drop of hot pages, one read anywhere, two reads and four lookups of hot pages. */
const TURNS = 8;
/** Hot pages: the first ones of this many files. */
const HOT_FILES = 2;
const HOT_PAGES = 4;
/** Of large files only the beginning is read. */
const READ_PAGES = 16;

interface Target {
  readonly file: number;
  readonly pages: number;
}

/** The file that loses its name here: a neighbour may not have it open by then, and would find nothing to open. */
function losesName(rec: Rec): number | null {
  if (rec.kind === 'unlink') return rec.file;
  return rec.kind === 'rename' ? rec.replaced : null;
}

/**
 * Another process on the machine, at work on the program's files: looks pages up, reads them and checks what it read, drops clean pages
 * from the cache as posix_fadvise(DONTNEED) does. It keeps lookup, insertion and removal busy with the same pages, which one program alone seldom
 * does, so that a broken protocol shows.
 */
export class Neighbour {
  private readonly world: World;
  private readonly all: readonly Target[];
  private readonly hot: readonly Target[];
  private state: number;

  constructor(world: World, seed: number) {
    this.world = world;
    this.state = (Math.imul(seed, 0x9e3779b1) ^ 0x5bd1e995) >>> 0 || 1;
    const { files, records } = world.recording;
    const nameless = new Set(records.map(losesName));
    const readable = files.filter(
      ({ id, kind, existed, size }) => kind === 'regular' && existed && size > 0 && !nameless.has(id),
    );
    this.all = readable.map(({ id, size }) => ({ file: id, pages: Math.min(READ_PAGES, Math.ceil(size / PAGE_SIZE)) }));
    const bySize = [...this.all].sort((a, b) => a.pages - b.pages || a.file - b.file);
    const several = bySize.filter(({ file, pages }) => pages > 1 && !world.cutFiles.has(file));
    this.hot = several.slice(0, HOT_FILES).map(({ file, pages }) => ({ file, pages: Math.min(HOT_PAGES, pages) }));
  }

  /** The task's body: goes on until `over` says that the program is done. */
  *run(over: () => boolean): Op<void> {
    while (!over() && this.hot.length > 0) {
      const turn = this.below(TURNS);
      const { file, pages } = turn === 1 ? this.pick(this.all) : this.pick(this.hot);
      const index = this.below(pages);
      if (turn === 0) yield* this.dropAndRefill(file, pages);
      else if (turn < 4) yield* this.readPage(file, index);
      else yield* this.lookUp(file, index);
    }
  }

  /** Frames come back from the allocator last freed, first used: filled from the end, they become other pages than they were. */
  private *dropAndRefill(file: number, pages: number): Op<void> {
    yield* invalidateMappingPages(this.mapping(file), 0, pages - 1);
    for (let index = pages - 1; index >= 0; index--) yield* this.readPage(file, index);
  }

  /**
   * A page that a lookup returns is the one asked for, and stays it while we hold our reference (I1, I5): reclaim and invalidation remove
   * only what nobody else holds. (Truncation removes anything, so hot files are files that the program does not cut.)
   */
  private *lookUp(file: number, index: number): Op<void> {
    const mapping = this.mapping(file);
    const page = yield* findGetPage(mapping, index);
    if (page === NULL) return;
    const itsIndex = yield* readOnce(Page.index(page));
    const itsMapping = yield* readOnce(Page.mapping(page));
    if (itsIndex !== index || itsMapping !== mapping) {
      const whose = itsMapping === mapping ? '' : itsMapping === 0 ? ' of no mapping' : ' of another mapping';
      throw new KernelBug(
        'wrong-page',
        `find_get_page(page ${index} of inode ${inoOf(file)}) returned a page with index ${itsIndex}${whose}`,
      );
    }
    yield* putPage(page);
  }

  private *readPage(file: number, index: number): Op<void> {
    const begun = this.world.contents.moment();
    const open = yield* this.world.openFile(file);
    if (open === NULL) return;
    yield* sysPread(open, index * PAGE_SIZE, PAGE_SIZE, null, (seen) =>
      this.world.contents.fileRead(seen.ino, index, seen, begun),
    );
    yield* filePut(open);
  }

  private mapping(file: number): Ptr<AddressSpace> {
    return Inode.data(this.world.inode(file));
  }

  private pick(targets: readonly Target[]): Target {
    return targets[this.below(targets.length)];
  }

  /** xorshift32: the neighbour's own choices; the machine's randomness decides when they happen. */
  private below(limit: number): number {
    this.state ^= this.state << 13;
    this.state ^= this.state >>> 17;
    this.state ^= this.state << 5;
    return (this.state >>> 0) % limit;
  }
}
