// SPDX-License-Identifier: MIT
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lkmm, Relation, sc, tso, type Witness } from '../src/index.js';
import { witnesses } from './program.js';
import { programs } from './programs.js';

/** Up to `most` executions of a program, evenly spread. */
function some(skeleton: Parameters<typeof witnesses>[0], most: number): Witness[] {
  const all: Witness[] = [];
  let k = 0;
  for (const witness of witnesses(skeleton)) {
    if (k++ > 5000) break;
    all.push(witness);
  }
  const step = Math.max(1, Math.floor(all.length / most));
  return all.filter((_, i) => i % step === 0);
}

/** Part of a witness: reads-from by `mask`, coherence edges too (closed again). */
function part({ rf, co }: Witness, mask: number): Witness {
  const kept = new Relation(co.size);
  for (const [i, j] of co.pairs()) if (((mask >>> ((i * 7 + j) % 31)) & 1) === 1) kept.add(i, j);
  return { rf: rf.map((store, load) => (((mask >>> (load % 31)) & 1) === 1 ? store : -1)), co: kept.close() };
}

describe('every model', () => {
  it('is monotone: what part of an execution breaks, all of it breaks', () => {
    fc.assert(
      fc.property(programs, fc.integer(), (test, mask) => {
        const each = [sc, tso, lkmm].flatMap((model) =>
          model.axioms.map((axiom) => ({ model, checker: model.instantiate(test.skeleton, [axiom]), axiom })),
        );
        for (const witness of some(test.skeleton, 12)) {
          const less = part(witness, mask);
          for (const { checker, axiom } of each)
            if (checker.broken(less) === axiom) expect(checker.broken(witness)).toBe(axiom);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('checks the axioms asked for, and all of them when not asked', () => {
    fc.assert(
      fc.property(programs, (test) => {
        for (const model of [sc, tso, lkmm]) {
          const whole = model.instantiate(test.skeleton);
          const each = model.axioms.map((axiom) => model.instantiate(test.skeleton, [axiom]));
          for (const witness of some(test.skeleton, 10))
            expect(whole.broken(witness)).toBe(
              each.map((checker) => checker.broken(witness)).find((axiom) => axiom !== null) ?? null,
            );
        }
      }),
      { numRuns: 60 },
    );
  });

  it('SC allows no more than TSO, and TSO no more than LKMM', () => {
    let allowed = 0;
    fc.assert(
      fc.property(programs, (test) => {
        const [strong, middle, weak] = [sc, tso, lkmm].map((model) => model.instantiate(test.skeleton));
        for (const witness of some(test.skeleton, 200)) {
          if (strong.broken(witness) === null) {
            allowed++;
            expect(middle.broken(witness)).toBeNull();
          }
          if (middle.broken(witness) === null) expect(weak.broken(witness)).toBeNull();
        }
      }),
      { numRuns: 300 },
    );
    expect(allowed).toBeGreaterThan(100);
  });
});
