// SPDX-License-Identifier: GPL-2.0-only
import type { Rec, Recording } from '@lockless/recording';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Program, programOf } from '../src/program.js';
import { BUNDLED, bundled } from './bundled.js';
import { exec, exit, file, recording, sync, thread, touch } from './small.js';

const transfer =
  (kind: 'read' | 'write') =>
  (tid: number, start: number, end: number, id = 1): Rec => ({
    kind,
    tid,
    start,
    end,
    ofd: 1,
    file: id,
    offset: 0,
    length: 10,
    result: 10,
    buffers: [],
  });
const write = transfer('write');
const read = transfer('read');
const munmap = (tid: number, start: number, end: number): Rec => ({
  kind: 'munmap',
  tid,
  start,
  end,
  page: 0x9000,
  length: 4096,
  result: 0,
});
const endOf = (rec: Rec): number => ('end' in rec ? rec.end : rec.start);

/** Runs the program's threads in the order that `choose` decides. Gives record numbers in the order in which they were done. */
function run(source: Recording, program: Program, choose: (runnable: number) => number): number[] {
  const done = program.threads.map(() => 0);
  const born = new Set([0]);
  const order: number[] = [];
  for (;;) {
    const runnable = [...born].filter((t) => {
      const next = program.threads[t].actions[done[t]];
      return next?.after.every(({ thread: other, count }) => done[other] >= count);
    });
    if (runnable.length === 0) return order;
    const t = runnable[choose(runnable.length)];
    const { rec, record } = program.threads[t].actions[done[t]];
    done[t] += 1;
    order.push(record);
    if (rec.kind === 'fork') born.add(source.header.threads.findIndex(({ tid }) => tid === rec.child));
  }
}

/** Whether every legal order has record `a` before record `b`. */
function ordered(source: Recording, a: number, b: number): boolean {
  const program = programOf(source);
  // The order that does a as late as it can: whatever runs without a, runs.
  const position = program.threads
    .flatMap(({ actions }, t) => actions.map(({ record }, i) => ({ record, t, i })))
    .find(({ record }) => record === a);
  if (position === undefined) throw new Error(`record ${a} is not done by a thread`);
  const actions = program.threads[position.t].actions.slice(0, position.i);
  const cut = { ...program, threads: program.threads.map((one, t) => (t === position.t ? { ...one, actions } : one)) };
  return !run(source, cut, () => 0).includes(b);
}

const indexOf = (source: Recording, rec: Rec): number => source.records.indexOf(rec);
const inOrder = (source: Recording, a: Rec, b: Rec): boolean => ordered(source, indexOf(source, a), indexOf(source, b));

/** Three threads and what they do, at any time after their birth. */
const anything: fc.Arbitrary<Recording> = fc
  .array(
    fc.record({
      tid: fc.constantFrom(1, 2, 3),
      start: fc.integer({ min: 10, max: 60 }),
      length: fc.nat({ max: 20 }),
      what: fc.constantFrom('touch', 'sync', 'write', 'read', 'munmap', 'write2'),
    }),
    { maxLength: 25 },
  )
  .map((steps) => {
    // A thread does one call at a time; only its touches lie inside one.
    const free = [0, 0, 0, 0];
    const recs = [...steps]
      .sort((a, b) => a.start - b.start)
      .flatMap(({ tid, start, length, what }): Rec[] => {
        if (what === 'touch') return [touch(tid, start, 0x600)];
        if (start < free[tid]) return [];
        const end = start + length;
        free[tid] = end + 1;
        switch (what) {
          case 'sync':
            return [sync(tid, start, end)];
          case 'munmap':
            return [munmap(tid, start, end)];
          case 'read':
            return [read(tid, start, end)];
          default:
            return [write(tid, start, end, what === 'write2' ? 2 : 1)];
        }
      });
    return recording(
      [exec(), thread(2, 2), thread(3, 4), ...recs, exit(2, 90), exit(3, 91), exit(1, 95)],
      [0, 1, 2].map((id) => file(id, 8)),
    );
  });

describe('programOf', () => {
  it('every order that the dependencies allow comes to the end (property)', () => {
    fc.assert(
      fc.property(anything, fc.infiniteStream(fc.nat()), (source, choices) => {
        const program = programOf(source);
        const order = run(source, program, (runnable) => (choices.next().value ?? 0) % runnable);
        expect(order.length).toBe(program.operations);
        expect(program.operations).toBe(source.records.length);
      }),
    );
  });

  it('a thread waits only for what had ended before it began (property)', () => {
    fc.assert(
      fc.property(anything, (source) => {
        const { threads } = programOf(source);
        for (const { actions } of threads) {
          for (const { rec, after } of actions) {
            for (const { thread: other, count } of after)
              expect(endOf(threads[other].actions[count - 1].rec)).toBeLessThanOrEqual(rec.start);
          }
        }
      }),
    );
  });

  it('what must be ordered is, in every order that is allowed (property)', () => {
    const changes = (rec: Rec): boolean => rec.kind === 'write';
    const fileOf = (rec: Rec): number | null => (rec.kind === 'read' || rec.kind === 'write' ? rec.file : null);
    fc.assert(
      fc.property(anything, (source) => {
        const { records } = source;
        for (const [b, later] of records.entries()) {
          for (const [a, earlier] of records.slice(0, b).entries()) {
            if (earlier.tid === later.tid || endOf(earlier) > later.start || earlier.start < 10) continue;
            const sameFile = fileOf(earlier) !== null && fileOf(earlier) === fileOf(later);
            if (
              (sameFile && (changes(earlier) || changes(later))) ||
              earlier.kind === 'munmap' ||
              later.kind === 'munmap' ||
              later.kind === 'exit'
            )
              expect(ordered(source, a, b)).toBe(true);
          }
        }
      }),
      { numRuns: 30 },
    );
  });

  it('the bundled recordings come to the end, whoever goes first', () => {
    for (const name of BUNDLED) {
      const program = programOf(bundled(name));
      for (const choose of [() => 0, (runnable: number) => runnable - 1])
        expect(run(bundled(name), program, choose).length).toBe(program.operations);
    }
  });

  it('threads that never meet are free', () => {
    const [a, b] = [touch(1, 10, 0x600), touch(2, 20, 0x601)];
    const source = recording([exec(), thread(2, 2), a, b, exit(2, 30), exit(1, 40)]);
    expect(inOrder(source, a, b)).toBe(false);
    // The fork that made it is all that the thread waits for.
    expect(programOf(source).threads[1].actions[0].after).toEqual([{ thread: 0, count: 2 }]);
  });

  it('what follows a call that blocked comes after all that was over when it returned, and not more', () => {
    const before = touch(1, 10, 0x600);
    const late = touch(1, 50, 0x600);
    const wait = sync(2, 5, 20, 'futex:1000');
    const after = touch(2, 60, 0x601);
    const source = recording([exec(), thread(2, 2), before, wait, after, late, exit(2, 70), exit(1, 80)]);
    expect(inOrder(source, before, after)).toBe(true);
    expect(inOrder(source, late, after)).toBe(false);
    expect(inOrder(source, before, wait)).toBe(false);
  });

  it('a fault inside a call that blocks waits for what was over at the fault alone', () => {
    const early = touch(1, 10, 0x600);
    const late = touch(1, 30, 0x600);
    const wait = sync(2, 5, 40, 'pipe:3');
    const inside = touch(2, 20, 0x601);
    const after = touch(2, 41, 0x601);
    const source = recording([exec(), thread(2, 2), wait, early, inside, late, after, exit(2, 70), exit(1, 80)]);
    expect(inOrder(source, early, inside)).toBe(true);
    expect(inOrder(source, late, inside)).toBe(false);
    expect(inOrder(source, late, after)).toBe(true);
  });

  it('wait4: the parent goes on after the child has gone', () => {
    const child: Rec = { kind: 'fork', tid: 1, start: 2, end: 3, child: 2, childPid: 2, space: 1, shares: [] };
    const wait = sync(1, 5, 31, 'child:2');
    const gone = exit(2, 30, true);
    const after = touch(1, 33, 0x600);
    const source = recording([exec(), child, wait, touch(2, 10, 0x600), gone, after, exit(1, 40)]);
    expect(inOrder(source, gone, after)).toBe(true);
  });

  it('vfork: the parent goes on after the child has let go of its memory', () => {
    const child: Rec = {
      kind: 'fork',
      tid: 1,
      start: 2,
      end: 20,
      child: 2,
      childPid: 2,
      space: 0,
      shares: ['vm', 'vfork'],
    };
    const image: Rec = { ...exec(19), tid: 2, start: 18, space: 0 };
    const after = touch(1, 21, 0x600);
    const source = recording([exec(), child, touch(2, 10, 0x600), image, after, exit(2, 30, true), exit(1, 40)]);
    expect(inOrder(source, image, after)).toBe(true);
  });

  it('a change of the layout is after what touched that address space before, and before what touches it later', () => {
    const before = touch(1, 10, 0x600);
    const change = munmap(2, 20, 22);
    const during = touch(1, 21, 0x600);
    const after = touch(1, 23, 0x600);
    const source = recording([exec(), thread(2, 2), before, change, during, after, exit(2, 70), exit(1, 80)]);
    expect(inOrder(source, before, change)).toBe(true);
    expect(inOrder(source, change, after)).toBe(true);
    expect(inOrder(source, change, during)).toBe(false);
  });

  it('files: writes are ordered with reads and writes of that file, reads are not with each other', () => {
    const [w, r1, r2, other] = [write(1, 10, 12), read(2, 14, 16), read(1, 18, 20), write(1, 22, 24, 2)];
    const source = recording(
      [exec(), thread(2, 2), w, r1, r2, other, exit(2, 70), exit(1, 80)],
      [0, 1, 2].map((id) => file(id, 8)),
    );
    expect(inOrder(source, w, r1)).toBe(true);
    expect(inOrder(source, r1, r2)).toBe(false);
    expect(inOrder(source, r1, other)).toBe(false);
    const again = write(1, 26, 28);
    const longer = recording([exec(), thread(2, 2), w, r1, again, exit(2, 70), exit(1, 80)], [file(0, 8), file(1, 8)]);
    expect(inOrder(longer, r1, again)).toBe(true);
  });

  it('a wait that another implies is left out', () => {
    const source = recording(
      [
        exec(),
        thread(2, 2),
        write(1, 10, 11),
        write(1, 12, 13),
        write(2, 14, 15),
        read(2, 16, 17),
        exit(2, 70),
        exit(1, 80),
      ],
      [file(0, 8), file(1, 8)],
    );
    const { threads } = programOf(source);
    expect(threads[1].actions.map(({ after }) => after)).toEqual([[{ thread: 0, count: 4 }], [], []]);
  });
});
