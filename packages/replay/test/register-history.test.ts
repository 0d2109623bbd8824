// SPDX-License-Identifier: GPL-2.0-only
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RegisterHistory } from '../src/register-history.js';

const same = (a: number, b: number): boolean => a === b;

describe('RegisterHistory', () => {
  it('after a finished write the old value is gone, while it runs both are possible', () => {
    const page = new RegisterHistory<number>([0], same);
    const end = page.begin(1, 10);
    expect([0, 1, 2].map((v) => page.allows(v, 11))).toEqual([true, true, false]);
    end(20);
    expect([0, 1].map((v) => page.allows(v, 21))).toEqual([false, true]);
    expect([0, 1].map((v) => page.allows(v, 15))).toEqual([true, true]);
  });

  it('two writes that overlap may land in either order', () => {
    const page = new RegisterHistory<number>([0], same);
    const first = page.begin(1, 10);
    const second = page.begin(2, 12);
    first(14);
    second(16);
    expect([0, 1, 2].map((v) => page.allows(v, 20))).toEqual([false, true, true]);
    expect(page.expected(20)).toEqual([1, 2]);
  });

  it('agrees with a plain register when nothing overlaps (property)', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 3 })), (values) => {
        const page = new RegisterHistory<number>([0], same);
        let now = 0;
        let current = 0;
        for (const value of values) {
          page.begin(value, ++now)(++now);
          current = value;
          expect([0, 1, 2, 3].filter((v) => page.allows(v, ++now))).toEqual([current]);
        }
      }),
    );
  });

  it('a read under way while several writes finish may return any of them (property: agrees with a history that forgets nothing)', () => {
    // Each write is a pair of moments; a read begins anywhere and is judged after all writes.
    const span = fc.tuple(fc.nat({ max: 400 }), fc.nat({ max: 60 }));
    let judged = 0;
    fc.assert(
      fc.property(fc.array(span, { maxLength: 30 }), fc.nat({ max: 1000 }), (spans, read) => {
        const writes = spans.map(([at, length], i) => ({
          value: i + 1,
          begun: at * 2 + 1,
          ended: (at + length) * 2 + 2,
        }));
        const page = new RegisterHistory<number>([0], same);
        const ends = new Map<number, () => void>();
        const moments = writes.flatMap((write) => [
          { at: write.begun, act: () => void ends.set(write.value, endOf(page, write)) },
          { at: write.ended, act: () => ends.get(write.value)?.() },
        ]);
        for (const { act } of moments.sort((a, b) => a.at - b.at)) act();
        const all = [{ value: 0, begun: 0, ended: 0 }, ...writes];
        for (const write of all) {
          const visible = !all.some((other) => other.begun > write.ended && other.ended < read);
          const allowed = page.allows(write.value, read);
          if (visible) expect(allowed).toBe(true);
          else if (!page.allows(-1, read)) {
            judged += 1;
            expect(allowed).toBe(false);
          }
        }
      }),
    );
    expect(judged).toBeGreaterThan(20);
  });

  it('forgets: a hundred writes one after the other leave a handful', () => {
    const page = new RegisterHistory<number>([0], same);
    for (let i = 1; i <= 100; i++) page.begin(i, 10 * i)(10 * i + 5);
    expect(page.expected(0).length).toBeLessThan(10);
    expect(page.expected(2000)).toEqual([100]);
    expect(page.allows(98, 1000)).toBe(false);
  });
});

const endOf = (page: RegisterHistory<number>, write: { value: number; begun: number; ended: number }): (() => void) => {
  const end = page.begin(write.value, write.begun);
  return () => end(write.ended);
};
