// SPDX-License-Identifier: GPL-2.0-only
import { fileURLToPath } from 'node:url';
import * as cpu from '@lockless/cpu';
import * as mmTypes from '@lockless/mm-types';
import { type Edit, loadMutant } from '@lockless/mutant';
import type { MachineOptions, RunOutcome } from '@lockless/simulator';
import { describe, expect, it } from 'vitest';
import { barrierAfterCallbacks, type Rcu, readersAndUpdaters, sleepersWithoutTick } from './machine.js';

const source = fileURLToPath(new URL('../src', import.meta.url));
const imports = { '@lockless/cpu': cpu, '@lockless/mm-types': mmTypes };

/** The reader's object was freed, or is another one by now. */
const DIES = /use after free: rcu_test_config|changes under its reader/;

interface Mutant {
  readonly bug: string;
  readonly edits: readonly Edit[];
  /** A guard in the place of an edit. */
  readonly without?: string;
  readonly scenario: (rcu: Rcu, options: MachineOptions) => RunOutcome;
  readonly options: MachineOptions;
  readonly as: RegExp;
}

const guarantee = (rcu: Rcu, options: MachineOptions): RunOutcome => readersAndUpdaters(rcu, options).outcome;

const MUTANTS: readonly Mutant[] = [
  {
    bug: 'callbacks are invoked without waiting for all CPUs',
    edits: [
      {
        file: 'rcuclassic.ts',
        from: 'onlineMask(index) & ~asleep',
        to: '(index === 0 ? 1 << smpProcessorId() : 0) & onlineMask(index) & ~asleep',
      },
    ],
    scenario: guarantee,
    options: { cpus: 4, model: 'sc' },
    as: DIES,
  },
  {
    bug: 'a tick inside a reader counts as a quiescent state',
    edits: [],
    without: 'rcuCheckCallbacks.userOnly',
    scenario: guarantee,
    options: { cpus: 2, model: 'sc' },
    as: DIES,
  },
  {
    bug: 'a quiescent state from before the batch counts',
    edits: [],
    without: 'checkQuiescentState.forgetOlder',
    scenario: guarantee,
    options: { cpus: 2, model: 'sc' },
    as: DIES,
  },
  {
    bug: 'callbacks join the batch that is already in progress',
    edits: [],
    without: 'nxtlistBecomesBatch.nextBatch',
    scenario: guarantee,
    options: { cpus: 2, model: 'sc' },
    as: DIES,
  },
  {
    bug: 'rcu_barrier() asks its own CPU only',
    edits: [
      {
        file: 'rcu-barrier.ts',
        from: 'cpu < peek(nrRcuCpus); cpu++) yield* ask(cpu)',
        to: 'cpu < peek(nrRcuCpus); cpu++) if (cpu === 0) yield* ask(cpu)',
      },
    ],
    scenario: barrierAfterCallbacks,
    options: { cpus: 4, model: 'sc' },
    as: /rcu_barrier returns after \d+ of 60/,
  },
  {
    bug: 'a CPU stays counted as asleep after it woke up',
    edits: [{ file: 'tick.ts', from: '  yield* clearBit(cpu & 31, nohzMaskWord(cpu >> 5));\n', to: '' }],
    scenario: sleepersWithoutTick,
    options: { cpus: 4, model: 'sc' },
    as: DIES,
  },
];

/** The seeds in which the bug shows, until it has shown twice. */
function seedsOf({ edits, without, scenario, options, as }: Mutant): number[] {
  const rcu = loadMutant<Rcu>(source, edits, imports, without === undefined ? [] : [without]);
  const seeds: number[] = [];
  for (let seed = 1; seed <= 100 && seeds.length < 2; seed++) {
    const { violation } = scenario(rcu, { ...options, seed });
    if (violation === null) continue;
    expect(violation.report()).toMatch(as);
    seeds.push(seed);
  }
  return seeds;
}

describe('broken variants are found', () => {
  it.each(MUTANTS)('$bug', (mutant) => {
    expect(seedsOf(mutant)).toHaveLength(2);
  });
});
