// SPDX-License-Identifier: GPL-2.0-only
import type { Rec, Vma } from '@lockless/recording';

/** A stretch of one address space, as far as the recording tells. Real page numbers. */
export interface Area {
  readonly from: number;
  readonly to: number;
  readonly writable: boolean;
  readonly shared: boolean;
  /** File id, or null for anonymous memory. */
  readonly file: number | null;
  /** Page index in the file of page `from`. */
  readonly index: number;
  readonly stack: boolean;
}

/** File id of the vdso, whose pages the kernel itself provides; they are in no file. */
export const VDSO_FILE = -1;

const STACK_LIMIT_PAGES = (8 << 20) / 4096;
const pagesOf = (bytes: number): number => Math.ceil(bytes / 4096);

/** The areas of one real address space, followed through a recording: what decides which kind of fault a touch was. */
export class AreaMap {
  private areas: Area[];
  private brkPage: number;

  constructor(areas: readonly Area[] = [], brkPage = 0) {
    this.areas = [...areas];
    this.brkPage = brkPage;
  }

  static ofImage(maps: readonly Vma[], brk: number): AreaMap {
    const areas = maps.map((vma) => ({
      from: vma.from,
      to: vma.to,
      writable: vma.prot.includes('w'),
      shared: vma.shared,
      file: vma.kind === 'vdso' ? VDSO_FILE : vma.file,
      index: vma.index,
      stack: vma.kind === 'stack',
    }));
    return new AreaMap(areas, pagesOf(brk));
  }

  /** fork: the child's copy. */
  clone(): AreaMap {
    return new AreaMap(this.areas, this.brkPage);
  }

  /** First page above the heap. */
  get brk(): number {
    return this.brkPage;
  }

  get size(): number {
    return this.areas.length;
  }

  /** The area with that number, in no particular order; null when there is none. */
  at(number: number): Area | null {
    return this.areas[number] ?? null;
  }

  /** The area that a touch of this page falls in; a stack grows down to meet it. */
  find(page: number): Area | null {
    for (const area of this.areas) {
      if (page < area.to) {
        if (page >= area.from) return area;
        return area.stack && area.from - page < STACK_LIMIT_PAGES ? area : null;
      }
    }
    return null;
  }

  /** Follows one successful call that changes the layout. Others are ignored. */
  apply(rec: Rec): void {
    switch (rec.kind) {
      case 'mmap':
        if (rec.result >= 0) this.map(rec.result, rec.length, rec);
        break;
      case 'munmap':
        if (rec.result === 0) this.unmap(rec.page, rec.page + pagesOf(rec.length));
        break;
      case 'mprotect':
        if (rec.result === 0)
          this.change(rec.page, rec.page + pagesOf(rec.length), (area) => ({
            ...area,
            writable: rec.prot.includes('w'),
          }));
        break;
      case 'mremap':
        if (rec.result >= 0) this.remap(rec.page, pagesOf(rec.oldLength), rec.result, pagesOf(rec.newLength));
        break;
      case 'brk':
        this.setBrk(pagesOf(rec.result));
        break;
    }
  }

  private map(page: number, length: number, rec: Rec & { kind: 'mmap' }): void {
    const to = page + pagesOf(length);
    this.unmap(page, to);
    this.insert({
      from: page,
      to,
      writable: rec.prot.includes('w'),
      shared: rec.flags.includes('shared'),
      file: rec.file,
      index: rec.offset / 4096,
      stack: rec.flags.includes('growsdown'),
    });
  }

  private remap(from: number, oldPages: number, to: number, newPages: number): void {
    const area = this.find(from);
    this.unmap(from, from + oldPages);
    if (area === null) return;
    this.unmap(to, to + newPages);
    this.insert({ ...area, from: to, to: to + newPages, index: area.index + (from - area.from) });
  }

  private setBrk(page: number): void {
    if (page > this.brkPage) {
      this.insert({ from: this.brkPage, to: page, writable: true, shared: false, file: null, index: 0, stack: false });
    } else {
      this.unmap(page, this.brkPage);
    }
    this.brkPage = page;
  }

  private insert(area: Area): void {
    if (area.from === area.to) return;
    const at = this.areas.findIndex((other) => other.from >= area.to);
    this.areas.splice(at < 0 ? this.areas.length : at, 0, area);
  }

  private unmap(from: number, to: number): void {
    this.change(from, to, () => null);
  }

  /** Applies `edit` to what lies in [from, to), splitting areas at the ends. */
  private change(from: number, to: number, edit: (area: Area) => Area | null): void {
    const next: Area[] = [];
    for (const area of this.areas) {
      if (area.to <= from || area.from >= to) {
        next.push(area);
        continue;
      }
      if (area.from < from) next.push({ ...area, to: from });
      const inner = edit(slice(area, Math.max(area.from, from), Math.min(area.to, to)));
      if (inner !== null) next.push(inner);
      if (area.to > to) next.push(slice(area, to, area.to));
    }
    this.areas = next;
  }
}

const slice = (area: Area, from: number, to: number): Area => ({
  ...area,
  from,
  to,
  index: area.file === null ? 0 : area.index + (from - area.from),
});

/** Kinds of faults that both sides are counted by. */
export type FaultKind = 'anonymous' | 'file' | 'cow' | 'mkwrite';

/** What kind a real fault was: from the area it hit, whether it wrote, and whether the page was present. Null: no area (a signal). */
export function faultKind(area: Area | null, write: boolean, present: boolean): FaultKind | null {
  if (area === null) return null;
  if (present) return area.shared ? 'mkwrite' : 'cow';
  if (area.file === null) return 'anonymous';
  return write && !area.shared ? 'cow' : 'file';
}
