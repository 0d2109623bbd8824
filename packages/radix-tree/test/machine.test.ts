// SPDX-License-Identifier: GPL-2.0-only
import { fileURLToPath } from 'node:url';
import * as cpu from '@lockless/cpu';
import * as mmTypes from '@lockless/mm-types';
import { type Edit, loadMutant } from '@lockless/mutant';
import * as rcu from '@lockless/rcu';
import type { MachineOptions, RunOutcome } from '@lockless/simulator';
import { describe, expect, it } from 'vitest';
import * as radixTree from '../src/index.js';
import type { Tree } from './kernel-case.js';
import { iterationCheck, regression1, regression4 } from './machine.js';

/** A longer campaign: docs/testing.md. */
const SEEDS = Number(process.env.LOCKLESS_SEEDS ?? 2);
const models = ['sc', 'tso', 'weak'] as const;
const sizes = [2, 4, 8].flatMap((cpus) => models.map((model) => ({ cpus, model })));

describe.each(sizes)('$cpus CPUs, $model', (options) => {
  it.each([
    ['regression1', regression1],
    ['regression4', regression4],
    ['iteration_check', iterationCheck],
  ])('%s', (_name, scenario) => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const outcome = scenario(radixTree, { ...options, seed });
      expect(outcome.violation?.report() ?? outcome.status).toBe('finished');
    }
  });
});

const source = fileURLToPath(new URL('../src', import.meta.url));
const imports = { '@lockless/cpu': cpu, '@lockless/mm-types': mmTypes, '@lockless/rcu': rcu };

interface Mutant {
  readonly bug: string;
  readonly edits?: readonly Edit[];
  readonly without?: readonly string[];
  readonly scenario: (t: Tree, options: MachineOptions) => RunOutcome;
  readonly options: MachineOptions;
  readonly as: RegExp;
}

const MUTANTS: readonly Mutant[] = [
  {
    bug: 'stale leaf without a mark (27d20fddc8, B1)',
    without: ['radixTreeShrink.markDeadLeaf'],
    scenario: regression1,
    options: { cpus: 4, model: 'sc' },
    as: /livelock/,
  },
  {
    bug: 'node freed without a grace period',
    without: ['radixTreeNodeFree.gracePeriod'],
    scenario: regression4,
    options: { cpus: 4, model: 'sc' },
    as: /use after free: radix_tree_node|index 0 is not found|outside every object/,
  },
  {
    bug: 'new top node published without release (B6)',
    edits: [
      {
        file: 'radix-tree.ts',
        from: '    yield* rcuAssignPointer(RadixTreeRoot.rnode(root), rnode);',
        to: '    yield* store(RadixTreeRoot.rnode(root), rnode);',
      },
    ],
    scenario: regression4,
    options: { cpus: 4, model: 'weak' },
    as: /index 0 is not found|outside every object/,
  },
];

describe('under these schedules the bugs of the past show', () => {
  it.each(MUTANTS)('$bug', ({ edits = [], without, scenario, options, as }) => {
    const mutant = loadMutant<Tree>(source, edits, imports, without);
    const seeds: number[] = [];
    for (let seed = 1; seed <= 60 && seeds.length < 2; seed++) {
      const { violation } = scenario(mutant, { ...options, seed });
      if (violation === null) continue;
      expect(violation.report()).toMatch(as);
      seeds.push(seed);
    }
    expect(seeds).toHaveLength(2);
  });
});
