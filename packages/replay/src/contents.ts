// SPDX-License-Identifier: GPL-2.0-only
import { KernelBug } from '@lockless/cpu';
import { contentOf } from '@lockless/pagecache';
import { type Moment, RegisterHistory } from './register-history.js';

/** What a page holds: which datum, and which version of it. */
export interface Content {
  readonly identity: number;
  readonly version: number;
}

/** Of the page of a file: whichever version is there. */
const ANY_VERSION = -1;

/** What a page holds that the kernel wrote to on the program's behalf (a buffer of read): it is not followed. */
const ANYTHING: Content = { identity: -1, version: ANY_VERSION };

/**
 * Of private memory. Each write has an identity of its own, so the version says nothing; and a read beside the write may find the one word of before
 * and the other of after.
 */
const sameContent = (a: Content, b: Content): boolean => a === ANYTHING || b === ANYTHING || a.identity === b.identity;
const show = ({ identity, version }: Content): string =>
  `${(identity >>> 0).toString(16)} ${version === ANY_VERSION ? 'of any version' : `version ${version}`}`;
const ZEROES: Content = { identity: 0, version: 0 };

/**
 * Knows what every page must hold, from outside the simulated kernel, and checks all that the program reads. File pages have a version that
 * every write increases, so a read must return one that is not older than the last write that was over before the read began. Anonymous pages
 * are registers ({@link RegisterHistory}).
 */
export class Contents {
  readonly counts = { fileReads: 0, anonymousReads: 0, wrong: 0 };
  private now: Moment = 1;
  /** Versions that were complete, by ino and page index: ascending pairs of moment and version. */
  private readonly files = new Map<number, Map<number, { at: Moment; version: number }[]>>();
  private readonly spaces: Map<number, RegisterHistory<Content>>[] = [];

  /** A read or write begins now. */
  moment(): Moment {
    return ++this.now;
  }

  /** A write of a file page is complete. */
  fileWritten(ino: number, index: number, version: number): void {
    const pages = this.files.get(ino) ?? new Map<number, { at: Moment; version: number }[]>();
    this.files.set(ino, pages);
    const versions = pages.get(index) ?? [];
    pages.set(index, versions);
    const last = versions.at(-1);
    versions.push({ at: ++this.now, version: Math.max(version, last?.version ?? 0) });
    if (versions.length > 16) versions.shift();
  }

  /** The file was cut: what is written beyond starts from nothing again. */
  fileTruncated(ino: number, firstPage: number): void {
    const pages = this.files.get(ino);
    for (const index of pages?.keys() ?? []) if (index >= firstPage) pages?.delete(index);
  }

  /** A file page was read by an operation that began at `begun`. Throws KernelBug `lost-data`. */
  fileRead(ino: number, index: number, seen: Content, begun: Moment): void {
    this.counts.fileReads += 1;
    const versions = this.files.get(ino)?.get(index) ?? [];
    const oldest = versions.filter(({ at }) => at < begun).at(-1)?.version ?? 0;
    // A page that was truncated, or never written, may be a hole that reads as zeroes.
    if (seen.identity === 0 && oldest === 0) return;
    if (seen.identity === contentOf(ino, index) && seen.version >= oldest) return;
    this.wrong(
      `page ${index} of inode ${ino} reads as ${show(seen)}, expected ${show({ identity: contentOf(ino, index), version: oldest })} or later`,
    );
  }

  /**
   * Private pages of an address space: begins a write; call the result when it is over. `file`: where the page comes from when the area maps a file.
   * Until the write is over, others may still find that.
   */
  anonymousWrite(space: number, page: number, datum: Content, file: { ino: number; index: number } | null): () => void {
    const pages = this.pagesOf(space);
    let history = pages.get(page);
    if (history === undefined) {
      const before = file === null ? [] : [{ identity: contentOf(file.ino, file.index), version: ANY_VERSION }];
      history = new RegisterHistory([ZEROES, ...before], sameContent);
      pages.set(page, history);
    }
    const end = history.begin(datum, this.moment());
    return () => end(this.moment());
  }

  /** What these pages hold is not known from here on: the kernel writes to them, as to a buffer, or a write failed. */
  buffer(space: number, from: number, to: number): void {
    const pages = this.pagesOf(space);
    for (let page = from; page < to; page++) pages.set(page, new RegisterHistory([ANYTHING], sameContent));
  }

  /** Whether the page was written since it was mapped: then it is private memory, whatever the area. */
  isWritten(space: number, page: number): boolean {
    return this.pagesOf(space).has(page);
  }

  /** Private pages that were written and are there still, by ascending number. */
  writtenPages(space: number): number[] {
    return [...this.pagesOf(space).keys()].sort((a, b) => a - b);
  }

  /** A private page was read. Throws KernelBug `lost-data`. */
  anonymousRead(space: number, page: number, seen: Content, begun: Moment): void {
    this.counts.anonymousReads += 1;
    const history = this.pagesOf(space).get(page);
    if (history === undefined ? sameContent(seen, ZEROES) : history.allows(seen, begun)) return;
    const expected = (history?.expected(begun) ?? [ZEROES]).map(show).join(' or ');
    this.wrong(`page 0x${page.toString(16)} of address space ${space} reads as ${show(seen)}, expected ${expected}`);
  }

  /** Pages went away: unmapped, or dropped by madvise. */
  forget(space: number, from: number, to: number): void {
    const pages = this.pagesOf(space);
    if (pages.size < to - from) {
      for (const page of pages.keys()) if (page >= from && page < to) pages.delete(page);
    } else {
      for (let page = from; page < to; page++) pages.delete(page);
    }
  }

  /** mremap: pages moved. */
  move(space: number, from: number, to: number, pages: number): void {
    if (from === to) return;
    const all = this.pagesOf(space);
    const moved: [number, RegisterHistory<Content>][] = [];
    for (let i = 0; i < pages; i++) {
      const history = all.get(from + i);
      if (history !== undefined) moved.push([to + i, history]);
      all.delete(from + i);
    }
    for (const [page, history] of moved) all.set(page, history);
  }

  /** fork, begun then: the child has the parent's pages, each a register of its own from now on. */
  fork(parent: number, child: number, begun: Moment): void {
    const copy = this.pagesOf(child);
    for (const [page, history] of this.pagesOf(parent))
      copy.set(page, new RegisterHistory(history.expected(begun), sameContent));
  }

  private pagesOf(space: number): Map<number, RegisterHistory<Content>> {
    this.spaces[space] ??= new Map();
    return this.spaces[space];
  }

  private wrong(message: string): never {
    this.counts.wrong += 1;
    throw new KernelBug('lost-data', message);
  }
}
