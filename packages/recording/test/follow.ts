// SPDX-License-Identifier: MIT
import type { Exec, Fork, Rec, Recording, Touch, Vma } from '../src/index.js';

interface Space {
  vmas: Vma[];
  brk: number;
  /** Pages of its own that write faults made. */
  anon: Set<number>;
  touched: boolean;
}
const pages = (bytes: number): number => Math.ceil(bytes / 4096);

/** What following a recording with the plainest of models found: everything here that is not a count should be empty. */
export interface Followed {
  /** Faults outside every vma, or that the vma does not allow. */
  strayTouches: Touch[];
  /** Pages that entered the cache while they were in it, and left while they were not. */
  addedTwice: Rec[];
  removedTwice: Rec[];
  /** Pages of files that a finished read returned and that were not in the cache. */
  unreadable: string[];
  touches: number;
  pagesRead: number;
}

/** Keeps the vmas of every space and the cached pages of every file, as the records say. */
export class Follower {
  readonly found: Followed = {
    strayTouches: [],
    addedTwice: [],
    removedTwice: [],
    unreadable: [],
    touches: 0,
    pagesRead: 0,
  };
  readonly #spaceOf = new Map<number, number>();
  readonly #spaces = new Map<number, Space>();
  readonly #cached: Set<number>[];

  constructor(recording: Recording) {
    this.#cached = recording.files.map(({ cached }) => {
      const set = new Set<number>();
      for (const [first, last] of cached) for (let page = first; page <= last; page++) set.add(page);
      return set;
    });
    const pending: Extract<Rec, { kind: 'read' }>[] = [];
    for (const record of recording.records) {
      for (const read of pending.splice(0)) {
        if (read.end < record.start) this.#readFinished(read);
        else pending.push(read);
      }
      if (record.kind === 'read' && record.result > 0) pending.push(record);
      this.#next(record);
    }
  }

  /** Anonymous pages of each space, by the faults alone, as they were before its teardown. */
  anonymous(): Map<number, number> {
    return new Map([...this.#spaces].map(([id, { anon }]) => [id, anon.size]));
  }

  #space(tid: number): Space {
    return this.#spaces.get(this.#spaceOf.get(tid) ?? -1) ?? { vmas: [], brk: 0, anon: new Set(), touched: false };
  }

  #next(record: Rec): void {
    if (record.kind === 'exec') this.#exec(record);
    else if (record.kind === 'fork') this.#fork(record);
    else if (record.kind === 'touch') this.#touch(record);
    else if (record.kind === 'added')
      this.#cacheEach(record, (cache, page) => !cache.has(page) && cache.add(page) !== null, this.found.addedTwice);
    else if (record.kind === 'removed')
      this.#cacheEach(record, (cache, page) => cache.delete(page), this.found.removedTwice);
    else if (record.kind === 'rss') this.#rss(record);
    else this.#map(this.#space(record.tid), record);
  }

  #exec({ tid, space, maps, brk }: Exec): void {
    this.#spaceOf.set(tid, space);
    this.#spaces.set(space, { vmas: maps.map((vma) => ({ ...vma })), brk, anon: new Set(), touched: false });
  }

  #fork({ tid, child, space, shares }: Fork): void {
    const { vmas, brk, anon } = this.#space(tid);
    this.#spaceOf.set(child, space);
    if (!shares.includes('vm'))
      this.#spaces.set(space, {
        vmas: vmas.map((vma) => ({ ...vma })),
        brk,
        anon: new Set(anon),

        touched: true,
      });
  }

  #rss({ space: id, member, pages: now }: Extract<Rec, { kind: 'rss' }>): void {
    const space = this.#spaces.get(id);
    if (!space || member !== 'anon' || space.touched) return;
    // What an exec has before its first fault are its arguments, at the top of the stack.
    const top = space.vmas.find((vma) => vma.kind === 'stack')?.to ?? 0;
    for (let i = 1; i <= now; i++) space.anon.add(top - i);
  }

  #touch(record: Touch): void {
    this.found.touches++;
    const space = this.#space(record.tid);
    const { vmas } = space;
    space.touched = true;
    const stack = vmas.find((vma) => vma.kind === 'stack');
    // The stack grows down, within its limit of 8 MiB.
    if (stack && record.page < stack.from && record.page >= stack.to - 2048) stack.from = record.page;
    const vma = vmas.find(({ from, to }) => record.page >= from && record.page < to);
    const needs = { read: 'r', write: 'w', exec: 'x' }[record.access];
    if (!vma?.prot.includes(needs)) this.found.strayTouches.push(record);
    else if (record.access === 'write' && !vma.shared) space.anon.add(record.page);
  }

  #cacheEach(
    record: Extract<Rec, { kind: 'added' | 'removed' }>,
    change: (cache: Set<number>, page: number) => boolean,
    wrong: Rec[],
  ): void {
    for (let page = record.index; page < record.index + record.pages; page++) {
      if (!change(this.#cached[record.file], page)) wrong.push(record);
    }
  }

  #readFinished({ file, offset, result }: Extract<Rec, { kind: 'read' }>): void {
    const last = Math.floor((offset + result - 1) / 4096);
    for (let page = Math.floor(offset / 4096); page <= last; page++) {
      this.found.pagesRead++;
      if (!this.#cached[file].has(page)) this.found.unreadable.push(`${file}:${page}`);
    }
  }

  #map(space: Space, record: Rec): void {
    const plain = { shared: false, kind: 'anon', file: null, index: 0 } as const;
    if (record.kind === 'mmap' && record.result > 0) {
      const { result: from, length, prot, file, offset } = record;
      put(space, {
        ...plain,
        from,
        to: from + pages(length),
        prot,
        file,
        index: offset / 4096,
        kind: file === null ? 'anon' : 'file',
      });
    } else if (record.kind === 'munmap' && record.result === 0)
      unmap(space, record.page, record.page + pages(record.length));
    else if (record.kind === 'mremap' && record.result > 0) {
      const { page, oldLength, newLength, result } = record;
      const moved = [...space.anon].filter(
        (at) => at >= page && at < page + Math.min(pages(oldLength), pages(newLength)),
      );
      const old = unmap(space, page, page + pages(oldLength))[0] ?? { ...plain, prot: 'rw-' };
      put(space, { ...old, from: result, to: result + pages(newLength) });
      for (const at of moved) space.anon.add(at - page + result);
    } else if (record.kind === 'mprotect' && record.result === 0) {
      const changed = cut(space, record.page, record.page + pages(record.length));
      space.vmas.push(...changed.map((vma) => ({ ...vma, prot: record.prot })));
    } else if (record.kind === 'madvise' && record.advice === 'dontneed') {
      for (let page = record.page; page < record.page + pages(record.length); page++) space.anon.delete(page);
    } else if (record.kind === 'brk') {
      const [old, now] = [pages(space.brk), pages(record.result)];
      if (now > old) put(space, { ...plain, from: old, to: now, prot: 'rw-', kind: 'heap' });
      else unmap(space, now, old);
      space.brk = record.result;
    }
  }
}

/** Takes a range out of the map; gives the parts of vmas that were there. */
function cut(space: Space, from: number, to: number): Vma[] {
  const inside: Vma[] = [];
  space.vmas = space.vmas.flatMap((vma) => {
    const [first, last] = [Math.max(vma.from, from), Math.min(vma.to, to)];
    if (first >= last) return [vma];
    inside.push({ ...vma, from: first, to: last, index: vma.index + first - vma.from });
    const before = { ...vma, to: first };
    const after = { ...vma, from: last, index: vma.index + last - vma.from };
    return [before, after].filter((part) => part.from < part.to);
  });
  return inside;
}

function unmap(space: Space, from: number, to: number): Vma[] {
  for (let page = from; page < to; page++) space.anon.delete(page);
  return cut(space, from, to);
}

function put(space: Space, vma: Vma): void {
  unmap(space, vma.from, vma.to);
  space.vmas.push(vma);
}
