// SPDX-License-Identifier: GPL-2.0-only
import { contentOf } from '@lockless/pagecache';
import { PROT_WRITE, SIGBUS, SIGSEGV } from '../src/index.js';

/*
 * What a program may rely on, in a few lines: which datum each page of each process holds. No page tables, no cache, no frames.
 */

export class FileModel {
  readonly ino: number;
  pages: number;
  /** How often each page was written since it last was a hole. */
  readonly versions: Map<number, number> = new Map();
  constructor(ino: number, pages: number) {
    this.ino = ino;
    this.pages = pages;
  }

  written(index: number): void {
    this.versions.set(index, (this.versions.get(index) ?? 0) + 1);
  }

  truncate(pages: number): void {
    for (const index of [...this.versions.keys()]) if (index >= pages) this.versions.delete(index);
    this.pages = pages;
  }

  content(index: number): { identity: number; version: number } {
    return { identity: contentOf(this.ino, index), version: this.versions.get(index) ?? 0 };
  }
}

export interface PageModel {
  prot: number;
  readonly file: FileModel | null;
  readonly index: number;
  readonly shared: boolean;
  /** What a private page holds once written. */
  own: { identity: number; version: number } | null;
}

const ZERO = { identity: 0, version: 0 };
export type Outcome = { error: number } | { error: 0; content: { identity: number; version: number } };

/** One address space. */
export class SpaceModel {
  readonly pages: Map<number, PageModel>;
  constructor(pages: Iterable<[number, PageModel]> = []) {
    this.pages = new Map(pages);
  }

  fork(): SpaceModel {
    return new SpaceModel([...this.pages].map(([at, page]) => [at, { ...page }]));
  }

  read(at: number): Outcome {
    const page = this.pages.get(at);
    if (page === undefined || page.prot === 0) return { error: SIGSEGV };
    if (page.own !== null) return { error: 0, content: page.own };
    if (page.file === null) return { error: 0, content: ZERO };
    if (page.index >= page.file.pages) return { error: SIGBUS };
    return { error: 0, content: page.file.content(page.index) };
  }

  write(at: number, datum: { identity: number; version: number }): Outcome {
    const page = this.pages.get(at);
    if (page === undefined || (page.prot & PROT_WRITE) === 0) return { error: SIGSEGV };
    if (page.file !== null && page.own === null && page.index >= page.file.pages) return { error: SIGBUS };
    if (page.file !== null && page.shared) {
      page.file.written(page.index);
      return { error: 0, content: page.file.content(page.index) };
    }
    page.own = datum;
    return { error: 0, content: datum };
  }

  isWritable(at: number): boolean {
    return ((this.pages.get(at)?.prot ?? 0) & PROT_WRITE) !== 0;
  }

  /** A write fault without a write: a private page is a copy from now on. */
  touched(at: number, content: { identity: number; version: number }): void {
    const page = this.pages.get(at);
    if (page !== undefined && !(page.shared && page.file !== null)) page.own = content;
  }

  map(at: number, count: number, page: Omit<PageModel, 'index' | 'own'>, index: number): void {
    for (let i = 0; i < count; i++) this.pages.set(at + i, { ...page, index: index + i, own: null });
  }

  unmap(at: number, count: number): void {
    for (let i = 0; i < count; i++) this.pages.delete(at + i);
  }

  /** mprotect: up to the first hole. False: there was one. */
  protect(at: number, count: number, prot: number): boolean {
    for (let i = 0; i < count; i++) {
      const page = this.pages.get(at + i);
      if (page === undefined) return false;
      page.prot = prot;
    }
    return true;
  }

  /** madvise(DONTNEED): all that is mapped. False: there was a hole. */
  dontneed(at: number, count: number): boolean {
    let whole = true;
    for (let i = 0; i < count; i++) {
      const page = this.pages.get(at + i);
      if (page === undefined) whole = false;
      else page.own = null;
    }
    return whole;
  }

  /** mremap that succeeded: moved, and grown with pages that go on where the last one ended. */
  move(from: number, count: number, to: number, newCount: number): void {
    const moved = Array.from({ length: count }, (_, i) => this.pages.get(from + i) as PageModel);
    this.unmap(from, count);
    this.unmap(to, newCount);
    const kept = moved.slice(0, newCount);
    for (const [i, page] of kept.entries()) this.pages.set(to + i, page);
    const last = kept.at(-1) as PageModel;
    for (let i = kept.length; i < newCount; i++) {
      this.pages.set(to + i, { ...last, index: last.index + 1 + i - kept.length, own: null });
    }
  }
}

/** Truncation takes private copies beyond the end along. */
export function truncateModel(spaces: Iterable<SpaceModel>, file: FileModel, pages: number): void {
  for (const space of spaces) {
    for (const page of space.pages.values()) if (page.file === file && page.index >= pages) page.own = null;
  }
  file.truncate(pages);
}
