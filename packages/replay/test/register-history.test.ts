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
});
