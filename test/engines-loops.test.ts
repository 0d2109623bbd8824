// SPDX-License-Identifier: MIT
import { check } from '@lockless/checker';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type LoopingProgram, programOf } from './engines/looping-program.js';
import { FAMILIES } from './engines/random-looping-program.js';
import { statesOf } from './engines/state-space.js';

/*
 * Programs with loops, locks, sleepers and memory that is freed: the checker against the state space under sequential consistency, which needs no
 * bound. Then the checker against itself.
 */
const RUNS = Number(process.env.LOCKLESS_RUNS ?? 8);

/** What becomes of threads that wait for ever has several names. */
const STUCK = ['deadlock', 'livelock', 'lost-wakeup'];
const kindOf = (kind: string): string => (STUCK.includes(kind) ? 'stuck' : kind);

async function checked(program: LoopingProgram, model: 'sc' | 'tso' | 'lkmm') {
  const { reached, violations = [], bound } = await check(programOf(program), { model, all: true, maxEvents: 300 });
  return {
    outcomes: Object.keys(reached).sort(),
    reached,
    kinds: new Set(violations.map(({ kind }) => kindOf(kind))),
    bound,
  };
}

describe.each(Object.entries(FAMILIES))('%s', (_, programs) => {
  it('the checker finds the outcomes and violations of the state space', async () => {
    await fc.assert(
      fc.asyncProperty(programs, async (program) => {
        const { outcomes, kinds, bound } = await checked(program, 'sc');
        const { outcomes: expected, errors, stuck } = statesOf(program);
        const wrong = new Set([...errors, ...(stuck ? ['stuck'] : [])]);
        expect(bound).toBeNull();
        // One mistake may hide another: it is enough to find one, if it is there.
        expect(kinds.size > 0).toBe(wrong.size > 0);
        for (const kind of kinds) expect(wrong).toContain(kind);
        if (errors.size === 0) expect(outcomes).toEqual([...expected].sort());
        else for (const outcome of outcomes) expect(expected).toContain(outcome);
      }),
      { numRuns: RUNS },
    );
  });

  it('a weaker model has all that a stronger one has', async () => {
    await fc.assert(
      fc.asyncProperty(programs, async (program) => {
        const [sc, tso, lkmm] = [
          await checked(program, 'sc'),
          await checked(program, 'tso'),
          await checked(program, 'lkmm'),
        ];
        for (const [stronger, weaker] of [
          [sc, tso],
          [tso, lkmm],
        ]) {
          if (weaker.kinds.size === 0)
            for (const outcome of stronger.outcomes) expect(weaker.outcomes).toContain(outcome);
          if (stronger.kinds.size > 0) expect(weaker.kinds.size).toBeGreaterThan(0);
        }
      }),
      { numRuns: Math.ceil(RUNS / 3) },
    );
  });
});

/** Who wakes names a thread by its number. */
const withoutWakers = Object.entries(FAMILIES).filter(([family]) => family !== 'sleeps');

describe.each(withoutWakers)('%s', (_, programs) => {
  it('another order of the threads makes no difference', async () => {
    await fc.assert(
      fc.asyncProperty(programs, fc.constantFrom('sc' as const, 'lkmm' as const), async (program, model) => {
        const { outcome, threads } = program;
        const reversed: LoopingProgram = {
          ...program,
          threads: [...threads].reverse(),
          outcome: (results, read) => outcome([...results].reverse(), read),
        };
        const one = await checked(program, model);
        const other = await checked(reversed, model);
        expect(other.kinds.size > 0).toBe(one.kinds.size > 0);
        if (one.kinds.size === 0) expect(other.reached).toEqual(one.reached);
      }),
      { numRuns: Math.ceil(RUNS / 3) },
    );
  });
});
