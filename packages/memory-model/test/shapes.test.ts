// SPDX-License-Identifier: MIT
import { describe, expect, it } from 'vitest';
import { lkmm, type MemoryModel, sc, tso } from '../src/index.js';
import { type Code, count, F, mb, type Outcome, program, R, rmw, verdict, W } from './program.js';

const on = (test: ReturnType<typeof program>, outcome: Outcome): Record<string, string> =>
  Object.fromEntries([sc, tso, lkmm].map((model: MemoryModel) => [model.name, verdict(model, test, outcome)]));

const rmb = F('rmb');
const wmb = F('wmb');
const none: Code = [];

describe('message passing', () => {
  const stale: Outcome = { reads: { flag: 'set', data: 'init x' } };
  const mp = (
    left: Code,
    right: Code,
    set = W('y', 'once', { name: 'set' }),
    flag = R('y', 'once', { name: 'flag' }),
    data = R('x', 'once', { name: 'data' }),
  ) => program([W('x'), left, set], [flag, right, data]);

  it('without ordering', () => {
    expect(on(mp(none, none), stale)).toEqual({
      sc: 'sequential-consistency',
      tso: 'total-store-order',
      lkmm: 'allowed',
    });
  });
  it('smp_wmb and smp_rmb', () => {
    expect(verdict(lkmm, mp(wmb, rmb), stale)).toBe('happens-before');
    expect(verdict(lkmm, mp(wmb, none), stale)).toBe('allowed');
    expect(verdict(lkmm, mp(none, rmb), stale)).toBe('allowed');
  });
  it('SB counts', () => {
    for (let n = 2; n <= 4; n++) {
      const ring = (between: Code) =>
        program(...Array.from({ length: n }, (_, i) => [W(`x${i}`), between, R(`x${(i + 1) % n}`)]));
      expect([sc, tso, lkmm].map((model) => count(model, ring(none)))).toEqual([2 ** n - 1, 2 ** n, 2 ** n]);
      expect([sc, tso, lkmm].map((model) => count(model, ring(mb)))).toEqual([2 ** n - 1, 2 ** n - 1, 2 ** n - 1]);
    }
    for (let n = 1; n <= 3; n++)
      expect(
        [sc, tso, lkmm].map((model) => count(model, program(...Array.from({ length: n }, () => rmw('x'))))),
      ).toEqual(
        [
          [1, 1, 1],
          [2, 2, 2],
          [6, 6, 6],
        ][n - 1],
      );
  });
});
