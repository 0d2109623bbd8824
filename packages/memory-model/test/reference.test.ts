// SPDX-License-Identifier: MIT
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lkmm } from '../src/index.js';
import { naiveLkmm } from './naive.js';
import { witnesses } from './program.js';
import { programs } from './programs.js';

describe('LKMM', () => {
  it('is what the definition says, relation by relation', () => {
    fc.assert(
      fc.property(programs, fc.nat({ max: 50 }), (test, skip) => {
        const checker = lkmm.instantiate(test.skeleton);
        let k = 0;
        for (const witness of witnesses(test.skeleton)) {
          if (++k > 400) break;
          const axiom = checker.broken(witness);
          if (
            axiom !== null &&
            ['lock-nest', 'lock-values', 'coherence', 'atomic', 'unmatched-locks'].includes(axiom) &&
            (k + skip) % 40 > 0
          )
            continue;
          const naive = naiveLkmm(test.skeleton, witness);
          if (axiom === null || !axiom.includes('lock')) expect(axiom).toBe(naive.broken[0] ?? null);
          if (axiom === null) expect(checker.race(witness) !== null).toBe(naive.race);
        }
      }),
      { numRuns: Number(process.env.LOCKLESS_RUNS ?? 60) },
    );
  });
});
