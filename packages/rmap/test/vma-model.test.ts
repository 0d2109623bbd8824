// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr } from '@lockless/cpu';
import { NULL, peek, SequentialEngine } from '@lockless/cpu';
import type { File } from '@lockless/mm-types';
import { MmStruct, VM_EXEC, VM_READ, VM_WRITE, VmAreaStruct } from '@lockless/mm-types';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { anonVmaPrepare } from '../src/anon-vma-prepare.js';
import { checkAnonVmaLists, checkAreas } from '../src/invariants.js';
import { mmAlloc } from '../src/mm.js';
import { findVma, findVmaPrev } from '../src/vma.js';
import { areasOf } from '../src/walk-mm.js';
import { mapArea, newFile, protectArea, unmapArea } from './address-space.js';

const SPAN = 40;
const BASE = 1000;

interface PageModel {
  readonly vmFlags: number;
  readonly file: number;
  readonly pgoff: number;
}
type Model = (PageModel | null)[];
interface Area extends PageModel {
  readonly start: number;
  readonly end: number;
}

/** The areas of a model: longest runs of pages of one kind with consecutive offsets. */
function runsOf(model: Model): Area[] {
  const runs: Area[] = [];
  model.forEach((page, i) => {
    if (page === null) return;
    const last = runs.at(-1);
    const goesOn =
      last !== undefined &&
      last.end === BASE + i &&
      last.vmFlags === page.vmFlags &&
      last.file === page.file &&
      last.pgoff + (last.end - last.start) === page.pgoff;
    if (goesOn) runs[runs.length - 1] = { ...last, end: last.end + 1 };
    else runs.push({ ...page, start: BASE + i, end: BASE + i + 1 });
  });
  return runs;
}

const seenAreas = (mm: Ptr<MmStruct>): Area[] =>
  areasOf(mm).map(({ vma, start, end }) => ({
    start,
    end,
    vmFlags: peek(VmAreaStruct.vmFlags(vma)),
    file: peek(VmAreaStruct.vmFile(vma)),
    pgoff: peek(VmAreaStruct.vmPgoff(vma)),
  }));

const range = fc.tuple(fc.nat({ max: SPAN - 1 }), fc.integer({ min: 1, max: 12 })).map(([from, pages]) => ({
  from,
  to: Math.min(SPAN, from + pages),
}));
const rights = fc.constantFrom(VM_READ, VM_READ | VM_WRITE, VM_READ | VM_EXEC);
const step = fc.oneof(
  fc.record({ op: fc.constant('map' as const), range, rights, file: fc.boolean(), shift: fc.nat({ max: 1 }) }),
  fc.record({ op: fc.constant('unmap' as const), range }),
  fc.record({ op: fc.constant('protect' as const), range, rights }),
  fc.record({ op: fc.constant('fault' as const), range }),
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

function* apply(mm: Ptr<MmStruct>, file: Ptr<File>, model: Model, s: Step): Op<void> {
  const { from, to } = s.range;
  if (s.op === 'unmap') {
    yield* unmapArea(mm, BASE + from, BASE + to);
    model.fill(null, from, to);
  } else if (s.op === 'protect') {
    yield* protectArea(mm, BASE + from, BASE + to, s.rights);
    for (let i = from; i < to; i++) {
      const page = model[i];
      if (page) model[i] = { ...page, vmFlags: s.rights };
    }
  } else if (s.op === 'map') {
    const of = (i: number): PageModel =>
      s.file
        ? { vmFlags: s.rights, file, pgoff: i + s.shift * 100 }
        : { vmFlags: s.rights, file: NULL, pgoff: BASE + i };
    const first = of(from);
    const request = { start: BASE + from, pages: to - from, vmFlags: s.rights, pgoff: first.pgoff };
    yield* mapArea(mm, { ...request, file: first.file as Ptr<File> | Null });
    for (let i = from; i < to; i++) model[i] = of(i);
  } else {
    const vma = yield* findVma(mm, BASE + from);
    if (vma !== NULL) expect(yield* anonVmaPrepare(vma)).toBe(0);
  }
}

function runModel(steps: readonly Step[], check: (mm: Ptr<MmStruct>, model: Model) => void): SequentialEngine {
  const engine = new SequentialEngine();
  engine.run(
    (function* () {
      const mm = (yield* mmAlloc()) as Ptr<MmStruct>;
      const file = yield* newFile();
      const model: Model = Array<null>(SPAN).fill(null);
      for (const s of steps) {
        yield* apply(mm, file, model, s);
        expect(checkAreas(mm)).toBe(null);
        expect(checkAnonVmaLists([mm])).toBe(null);
        check(mm, model);
        for (let i = -1; i <= SPAN; i++) {
          const areas = areasOf(mm);
          const vma = yield* findVma(mm, BASE + i);
          expect(vma).toBe(areas.find((area) => area.end > BASE + i)?.vma ?? NULL);
          const { prev } = yield* findVmaPrev(mm, BASE + i);
          expect(prev).toBe(areas.findLast((area) => area.end <= BASE + i)?.vma ?? NULL);
        }
      }
      yield* unmapArea(mm, BASE, BASE + SPAN);
      expect(peek(MmStruct.mapCount(mm))).toBe(0);
    })(),
  );
  return engine;
}

test('map, unmap and protect leave the longest possible areas, as an array of pages says', () => {
  const noFaults = step.filter((s) => s.op !== 'fault');
  fc.assert(
    fc.property(fc.array(noFaults, { maxLength: 25 }), (steps) => {
      const engine = runModel(steps, (mm, model) => expect(seenAreas(mm)).toEqual(runsOf(model)));
      expect(engine.heap.live.slice(0, 200).reduce((a, b) => a + (b ?? 0), 0)).toBe(4); // mm, pgd, file, mapping
    }),
    { numRuns: Number(process.env.LOCKLESS_RUNS ?? 120) },
  );
});

test('with anon_vmas areas may stay apart, but cover the same pages in the same way', () => {
  const cover = (areas: readonly Area[]): string[] =>
    areas.flatMap((a) =>
      Array.from({ length: a.end - a.start }, (_, i) => `${a.start + i} ${a.vmFlags} ${a.file} ${a.pgoff + i}`),
    );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const engine = runModel(steps, (mm, model) => expect(cover(seenAreas(mm))).toEqual(cover(runsOf(model))));
      expect(engine.heap.live.slice(0, 200).reduce((a, b) => a + (b ?? 0), 0)).toBe(4); // no anon_vma is left
    }),
    { numRuns: Number(process.env.LOCKLESS_RUNS ?? 120) },
  );
});
