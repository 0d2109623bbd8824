// SPDX-License-Identifier: GPL-2.0-only
import type { Rec } from '@lockless/recording';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Area, AreaMap, faultKind, VDSO_FILE } from '../src/area-map.js';

/** What one page of the model is: an area's properties, and its place in the file. */
interface ModelPage {
  readonly writable: boolean;
  readonly shared: boolean;
  readonly file: number | null;
  readonly index: number;
}

const PAGES = 40;
/** The heap grows from here; mappings stay below. */
const HEAP = 40;
const HEAP_END = 60;
const at = { tid: 1, start: 0, end: 0 } as const;
const bytes = (pages: number): number => pages * 4096;

/** An address space as an array of pages. */
class Model {
  pages: (ModelPage | null)[] = Array.from({ length: HEAP_END }, () => null);
  brk = HEAP;

  clone(): Model {
    const copy = new Model();
    copy.pages = [...this.pages];
    copy.brk = this.brk;
    return copy;
  }

  apply(rec: Rec): void {
    const fill = (from: number, count: number, page: (i: number) => ModelPage | null): void => {
      for (let i = 0; i < count; i++) this.pages[from + i] = page(i);
    };
    if (rec.kind === 'mmap' && rec.result >= 0) {
      const { file, offset } = rec;
      const [writable, shared] = [rec.prot.includes('w'), rec.flags.includes('shared')];
      fill(rec.result, Math.ceil(rec.length / 4096), (i) => ({
        writable,
        shared,
        file,
        index: file === null ? 0 : offset / 4096 + i,
      }));
    } else if (rec.kind === 'munmap' && rec.result === 0) {
      fill(rec.page, Math.ceil(rec.length / 4096), () => null);
    } else if (rec.kind === 'mprotect' && rec.result === 0) {
      fill(rec.page, Math.ceil(rec.length / 4096), (i) => {
        const page = this.pages[rec.page + i];
        return page === null ? null : { ...page, writable: rec.prot.includes('w') };
      });
    } else if (rec.kind === 'mremap' && rec.result >= 0) {
      const first = this.pages[rec.page];
      fill(rec.page, rec.oldLength / 4096, () => null);
      if (first !== null)
        fill(rec.result, rec.newLength / 4096, (i) => ({ ...first, index: first.file === null ? 0 : first.index + i }));
    } else if (rec.kind === 'brk') {
      const brk = Math.ceil(rec.result / 4096);
      const fresh = { writable: true, shared: false, file: null, index: 0 };
      if (brk > this.brk) fill(this.brk, brk - this.brk, () => fresh);
      else fill(brk, this.brk - brk, () => null);
      this.brk = brk;
    }
  }
}

const range = fc
  .tuple(fc.nat({ max: PAGES - 1 }), fc.integer({ min: 1, max: 12 }))
  .map(([page, pages]) => ({ page, pages: Math.min(pages, PAGES - page) }));
const result = fc.constantFrom(0, 0, 0, -12);
const prot = fc.constantFrom('r--', 'rw-', 'r-x');

/** Calls as a kernel could have answered them; mremap only of pages of one area, which the interpreter below sees to. */
const call: fc.Arbitrary<Rec> = fc.oneof(
  fc
    .record({
      range,
      prot,
      shared: fc.boolean(),
      file: fc.option(fc.nat({ max: 2 })),
      index: fc.nat({ max: 9 }),
      fails: result,
    })
    .map(
      ({ range: { page, pages }, prot, shared, file, index, fails }): Rec => ({
        kind: 'mmap',
        ...at,
        page: 0,
        length: bytes(pages) - 1,
        prot,
        flags: [shared ? 'shared' : 'private'],
        file,
        ofd: null,
        offset: bytes(index),
        result: fails < 0 ? fails : page,
      }),
    ),
  fc
    .tuple(range, result)
    .map(([{ page, pages }, result]): Rec => ({ kind: 'munmap', ...at, page, length: bytes(pages), result })),
  fc
    .tuple(range, prot, result)
    .map(
      ([{ page, pages }, prot, result]): Rec => ({ kind: 'mprotect', ...at, page, length: bytes(pages), prot, result }),
    ),
  fc.tuple(range, range).map(
    ([from, to]): Rec => ({
      kind: 'mremap',
      ...at,
      page: from.page,
      oldLength: bytes(from.pages),
      newLength: bytes(to.pages),
      flags: [],
      to: to.page,
      result: to.page,
    }),
  ),
  fc
    .integer({ min: HEAP * 4096, max: HEAP_END * 4096 })
    .map((address): Rec => ({ kind: 'brk', ...at, address, result: address })),
);

/** mremap wants one area, and a target that is apart from it. */
function possible(model: Model, rec: Rec): boolean {
  if (rec.kind !== 'mremap') return true;
  const first = model.pages[rec.page];
  const count = rec.oldLength / 4096;
  if (first === null || (rec.page < rec.result + rec.newLength / 4096 && rec.result < rec.page + count)) return false;
  return Array.from({ length: count }, (_, i) => model.pages[rec.page + i]).every(
    (page, i) =>
      page !== null &&
      page.file === first.file &&
      page.writable === first.writable &&
      page.shared === first.shared &&
      (page.file === null || page.index === first.index + i),
  );
}

const pageOf = (area: Area | null, page: number): ModelPage | null =>
  area && {
    writable: area.writable,
    shared: area.shared,
    file: area.file,
    index: area.file === null ? 0 : area.index + (page - area.from),
  };

const pagesOf = (map: AreaMap): (ModelPage | null)[] =>
  Array.from({ length: HEAP_END }, (_, page) => pageOf(map.find(page), page));

describe('AreaMap', () => {
  it('agrees with an array of pages under any calls, and a fork is a copy (property)', () => {
    fc.assert(
      fc.property(fc.array(call, { maxLength: 40 }), fc.nat({ max: 40 }), (calls, forkAt) => {
        const [map, model] = [new AreaMap([], HEAP), new Model()];
        let child: [AreaMap, Model] | null = null;
        calls.forEach((rec, i) => {
          if (i === forkAt) child = [map.clone(), model.clone()];
          if (!possible(model, rec)) return;
          map.apply(rec);
          model.apply(rec);
          expect(pagesOf(map)).toEqual(model.pages);
          expect(map.brk).toBe(model.brk);
        });
        if (child !== null) {
          const [copy, modelCopy] = child as [AreaMap, Model];
          expect(pagesOf(copy)).toEqual(modelCopy.pages);
          expect(copy.brk).toBe(modelCopy.brk);
        }
      }),
    );
  });

  it('an image has the vdso as a file of its own, and a heap that ends at the break', () => {
    const map = AreaMap.ofImage(
      [
        { from: 4, to: 6, prot: 'r-x', shared: false, kind: 'file', file: 3, index: 7 },
        { from: 9, to: 10, prot: 'r-x', shared: false, kind: 'vdso', file: null, index: 0 },
      ],
      8 * 4096 + 1,
    );
    expect(map.find(5)).toMatchObject({ from: 4, file: 3, index: 7, writable: false });
    expect(map.find(9)?.file).toBe(VDSO_FILE);
    expect(map.find(7)).toBeNull();
    expect(map.brk).toBe(9);
  });

  it('a stack grows down to meet a touch, eight MiB at most; other areas do not', () => {
    const vma = { from: 5000, to: 5010, prot: 'rw-', shared: false, file: null, index: 0 } as const;
    const stack = AreaMap.ofImage([{ ...vma, kind: 'stack' }], 0);
    expect([4999, 5000 - 2047, 5000 - 2048, 5010].map((page) => stack.find(page)?.from)).toEqual([
      5000,
      5000,
      undefined,
      undefined,
    ]);
    expect(AreaMap.ofImage([{ ...vma, kind: 'anon' }], 0).find(4999)).toBeNull();
    stack.apply({ kind: 'munmap', ...at, page: 5000, length: bytes(10), result: 0 });
    expect(stack.find(5005)).toBeNull();
  });
});

describe('faultKind', () => {
  const area = (file: number | null, shared: boolean): Area => ({
    from: 0,
    to: 1,
    writable: true,
    shared,
    file,
    index: 0,
    stack: false,
  });
  const [anonymous, sharedMemory, privateFile, sharedFile] = [
    area(null, false),
    area(null, true),
    area(1, false),
    area(1, true),
  ];
  it.each([
    ['no area', null, false, false, null],
    ['first read of anonymous memory', anonymous, false, false, 'anonymous'],
    ['first write to anonymous memory', anonymous, true, false, 'anonymous'],
    ['write to the zero page, or after fork', anonymous, true, true, 'cow'],
    ['first write to shared memory', sharedMemory, true, false, 'anonymous'],
    ['read of a private file page', privateFile, false, false, 'file'],
    ['write to a private file page that is not mapped', privateFile, true, false, 'cow'],
    ['write to a private file page that is', privateFile, true, true, 'cow'],
    ['read of a shared file page', sharedFile, false, false, 'file'],
    ['write to a shared file page that is not mapped', sharedFile, true, false, 'file'],
    ['write to a shared file page that is mapped read-only', sharedFile, true, true, 'mkwrite'],
  ] as const)('%s', (_, where, write, present, kind) => {
    expect(faultKind(where, write, present)).toBe(kind);
  });
});
