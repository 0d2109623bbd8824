// SPDX-License-Identifier: GPL-2.0-only
import type { Op, Ptr } from '@lockless/cpu';
import { NULL, peek, SequentialEngine, STATIC_WORDS, store } from '@lockless/cpu';
import { MmStruct, VM_EXEC, VM_READ, VM_SHARED, VM_WRITE } from '@lockless/mm-types';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Pgprot, Pte } from '../src/index.js';
import * as rmap from '../src/index.js';

interface InMm {
  readonly mm: Ptr<MmStruct>;
  readonly engine: SequentialEngine;
}
function inMm(body: (at: InMm) => Op<void>, failAllocation?: () => boolean): SequentialEngine {
  const options = { words: STATIC_WORDS + (1 << 18), ...(failAllocation ? { failAllocation } : {}) };
  const engine = new SequentialEngine(options);
  engine.run(
    (function* () {
      const mm = (yield* rmap.mmAlloc()) as Ptr<MmStruct>;
      yield* body({ mm, engine });
    })(),
  );
  return engine;
}
const tables = (engine: SequentialEngine): number => engine.heap.live[rmap.pageTableCachep.id] ?? 0;

/** Page numbers that share tables at every level now and then. */
const vpage = fc
  .tuple(fc.nat({ max: 2 }), fc.constantFrom(0, 1, 511), fc.constantFrom(0, 1, 511), fc.nat({ max: 511 }))
  .map(([pgd, pud, pmd, pte]) => pgd * 2 ** 27 + pud * 2 ** 18 + pmd * 2 ** 9 + pte);

test('entries against a map; nothing is found that was not put there', () => {
  const writes = fc.array(fc.tuple(vpage, fc.integer({ min: 1, max: 2 ** 20 - 1 })), { maxLength: 30 });
  fc.assert(
    fc.property(writes, fc.array(vpage), (entries, others) => {
      inMm(function* ({ mm, engine }) {
        const model = new Map<number, Pte>();
        for (const [address, pfn] of entries) {
          const pte = rmap.pfnPte(pfn, rmap.vmGetPageProt(VM_READ));
          const ptep = yield* rmap.pteAllocMap(mm, address);
          if (ptep === NULL) throw new Error('no memory');
          yield* rmap.setPteAt(mm, address, ptep, pte);
          model.set(address, pte);
        }
        for (const address of [...model.keys(), ...others]) {
          const ptep = yield* rmap.pteOffsetMap(mm, address);
          expect(ptep === NULL ? 0 : yield* rmap.readPte(ptep)).toBe(model.get(address) ?? 0);
        }
        const walked: [number, Pte][] = [];
        const pteTables = rmap.walkMm(mm, (address, pte) => walked.push([address, pte]));
        expect(walked).toEqual([...model].sort(([a], [b]) => a - b));
        const distinct = (shift: number) => new Set([...model.keys()].map((a) => Math.floor(a / 2 ** shift))).size;
        expect(pteTables).toBe(distinct(9));
        expect(peek(MmStruct.nrPtes(mm))).toBe(distinct(9));
        expect(tables(engine)).toBe(distinct(9) + distinct(18) + distinct(27));
      });
    }),
    { numRuns: Number(process.env.LOCKLESS_RUNS ?? 100) },
  );
});

test('nextPteRange visits the runs that have a table, and no other', () => {
  fc.assert(
    fc.property(fc.array(vpage, { maxLength: 12 }), vpage, vpage, (addresses, a, b) => {
      inMm(function* ({ mm }) {
        for (const address of addresses) yield* rmap.pteAllocMap(mm, address);
        const [start, end] = [Math.min(a, b), Math.max(a, b) + 1];
        const runs: [number, number][] = [];
        for (let at = start; at < end; ) {
          const range = yield* rmap.nextPteRange(mm, at, end);
          if (range === NULL) break;
          expect(range.ptes).toBe(yield* rmap.pteOffsetMap(mm, range.address));
          runs.push([range.address, range.end]);
          at = range.end;
        }
        const expected = [...new Set(addresses.map((x) => Math.floor(x / 512) * 512))]
          .sort((x, y) => x - y)
          .map((base): [number, number] => [Math.max(base, start), Math.min(base + 512, end)])
          .filter(([from, to]) => from < to);
        expect(runs).toEqual(expected);
      });
    }),
    { numRuns: Number(process.env.LOCKLESS_RUNS ?? 100) },
  );
});

test('free_pgd_range frees the tables inside [floor, ceiling) and keeps those of neighbours', () => {
  fc.assert(
    fc.property(fc.array(vpage, { minLength: 1, maxLength: 10 }), vpage, vpage, (addresses, a, b) => {
      const engine = inMm(function* ({ mm }) {
        const [start, end] = [Math.min(a, b), Math.max(a, b) + 1];
        const kept = addresses.filter((x) => x < start || x >= end).sort((x, y) => x - y);
        for (const address of addresses) yield* rmap.pteAllocMap(mm, address);
        const floor = (kept.findLast((x) => x < start) ?? -1) + 1;
        const ceiling = kept.find((x) => x >= end) ?? 0;
        const tlb = rmap.tlbGatherMmu(mm, false);
        yield* rmap.freePgdRange(tlb, start, end, floor, ceiling);
        yield* rmap.tlbFinishMmu(tlb);
        for (const address of kept) expect(yield* rmap.pteOffsetMap(mm, address)).not.toBe(NULL);
        expect(peek(MmStruct.nrPtes(mm))).toBe(rmap.walkMm(mm, () => {}));
        const whole = rmap.tlbGatherMmu(mm, true);
        yield* rmap.freePgdRange(whole, 0, rmap.TASK_SIZE, 0, 0);
        yield* rmap.tlbFinishMmu(whole);
        yield* rmap.mmdrop(mm);
      });
      expect(tables(engine)).toBe(0);
      expect(engine.heap.live[rmap.pgdCachep.id]).toBe(0);
      expect(engine.heap.live[rmap.mmCachep.id]).toBe(0);
    }),
    { numRuns: Number(process.env.LOCKLESS_RUNS ?? 100) },
  );
});

test('pte_alloc_map: NULL when memory is short at any level, and what was made stays usable', () => {
  for (let allowed = 0; allowed < 3; allowed++) {
    let left = Number.POSITIVE_INFINITY;
    inMm(
      function* ({ mm, engine }) {
        left = allowed;
        expect(yield* rmap.pteAllocMap(mm, 12345)).toBe(NULL);
        expect(peek(MmStruct.nrPtes(mm))).toBe(0);
        expect(tables(engine)).toBe(allowed);
        left = 9;
        expect(yield* rmap.pteAllocMap(mm, 12345)).not.toBe(NULL);
        expect(tables(engine)).toBe(3);
      },
      () => left-- <= 0,
    );
  }
});

test('mm_alloc gives the struct back when there is no page directory', () => {
  let left = Number.POSITIVE_INFINITY;
  inMm(
    function* ({ engine }) {
      left = 1;
      expect(yield* rmap.mmAlloc()).toBe(NULL);
      expect(engine.heap.live[rmap.mmCachep.id]).toBe(1);
    },
    () => left-- <= 0,
  );
});

test('the rights of fresh entries: private areas are never writable at first', () => {
  const pte = (flags: number): Pte => rmap.pfnPte(7, rmap.vmGetPageProt(flags));
  expect(rmap.pteWrite(pte(VM_READ | VM_WRITE))).toBe(false);
  expect(rmap.pteWrite(pte(VM_READ | VM_WRITE | VM_SHARED))).toBe(true);
  expect(rmap.pteWrite(pte(VM_READ | VM_SHARED))).toBe(false);
  expect(rmap.pteExec(pte(VM_READ | VM_EXEC))).toBe(true);
  const none = pte(0);
  expect([rmap.ptePresent(none), (none & rmap.PTE_PRESENT) !== 0]).toEqual([true, false]);
});

test('pte values: the frame survives every change, up to the last of 2^20', () => {
  const pte = rmap.pfnPte(2 ** 20 - 1, rmap.vmGetPageProt(VM_READ));
  const changed = rmap.pteModify(
    rmap.pteMkspecial(rmap.pteMkdirty(rmap.pteMkyoung(rmap.pteMkwrite(pte)))),
    rmap.vmGetPageProt(0),
  );
  expect(rmap.ptePfn(changed)).toBe(2 ** 20 - 1);
  expect([rmap.pteDirty(changed), rmap.pteYoung(changed), rmap.pteSpecial(changed), rmap.pteWrite(changed)]).toEqual([
    true,
    true,
    true,
    false,
  ]);
  expect(rmap.pteNone(rmap.pteModify(0 as Pte, 0 as Pgprot))).toBe(true);
});

test('ptep operations change one thing and keep the rest', () => {
  inMm(function* ({ mm }) {
    const ptep = yield* rmap.pteAllocMap(mm, 5);
    if (ptep === NULL) throw new Error('no memory');
    const pte = rmap.pteMkdirty(rmap.pfnPte(9, rmap.vmGetPageProt(VM_READ | VM_WRITE | VM_SHARED)));
    yield* rmap.setPteAt(mm, 5, ptep, pte);
    yield* rmap.ptepSetWrprotect(mm, 5, ptep);
    expect(yield* rmap.readPte(ptep)).toBe(rmap.pteWrprotect(pte));
    expect(yield* rmap.ptepClearFlushYoung(mm, 5, ptep)).toBe(true);
    expect(yield* rmap.ptepClearFlushYoung(mm, 5, ptep)).toBe(false);
    expect(yield* rmap.ptepSetAccessFlags(mm, 5, ptep, pte)).toBe(true);
    expect(yield* rmap.ptepSetAccessFlags(mm, 5, ptep, rmap.pteMkold(pte))).toBe(false);
    expect(yield* rmap.readPte(ptep)).toBe(pte);
    expect(yield* rmap.ptepModifyProtStart(mm, 5, ptep)).toBe(pte);
    expect(yield* rmap.readPte(ptep)).toBe(rmap.PTE_NONE);
    yield* store(ptep, pte);
    expect(yield* rmap.ptepClearFlush(mm, 5, ptep)).toBe(pte);
  });
});
