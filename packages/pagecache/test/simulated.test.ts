// SPDX-License-Identifier: GPL-2.0-only
import type { MemoryModel } from '@lockless/simulator';
import { describe, expect, it } from 'vitest';
import type { Generation } from '../src/index.js';
import { runWorkload, type WorkloadOptions } from './workload.js';

/** A longer campaign: docs/testing.md. */
const SEEDS = Number(process.env.LOCKLESS_SEEDS ?? 1);
const LONG = process.env.LOCKLESS_LONG !== undefined || SEEDS > 1;
const MODELS: readonly MemoryModel[] = ['sc', 'tso', 'weak'];
const GENERATIONS: readonly Generation[] = ['freeze-refs', 'nonewrefs', 'tree-lock'];

const seeds = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

/** What was wrong with the first seed that something was wrong with. */
function firstWrong(count: number, options: WorkloadOptions): string | null {
  for (const seed of seeds(count)) {
    const { wrong } = runWorkload({ ...options, seed });
    if (wrong !== null) return `seed ${seed}: ${wrong}`;
  }
  return null;
}

/** Without `LOCKLESS_LONG` each generation under one model. */
const modelsOf = (generation: Generation): readonly MemoryModel[] =>
  MODELS.filter((_, i) => LONG || i === 2 - GENERATIONS.indexOf(generation));

describe.each(GENERATIONS)('generation %s', (generation) => {
  describe.each(modelsOf(generation))('memory model %s', (model) => {
    it.each([2, 3, 8])('keeps its promises on %i CPUs: lookup, read, write, removal, reuse, writeback', (cpus) => {
      expect(firstWrong(SEEDS, { generation, model, cpus, tasks: Math.max(4, cpus) })).toBeNull();
    });

    it.each([2, 8])('keeps its promises on %i CPUs while the file is truncated', (cpus) => {
      expect(firstWrong(SEEDS, { generation, model, cpus, tasks: Math.max(4, cpus), truncation: true })).toBeNull();
    });

    it('loses and leaks nothing when the file is larger than the memory', () => {
      const pressure = { pages: 64, filePages: 96, rounds: 40 };
      expect(firstWrong(SEEDS, { generation, model, cpus: 4, tasks: 6, ...pressure })).toBeNull();
    });

    it('loses and leaks nothing when allocations and the disk fail', () => {
      const inject = { enomem: 0.02, eio: 0.15 };
      expect(firstWrong(SEEDS, { generation, model, cpus: 4, tasks: 6, truncation: true, inject })).toBeNull();
    });
  });
});

/** Seeds in which the lack of each guard must show, and how it does. */
const WITHOUT: Readonly<Record<string, { seeds: number; shows: RegExp; options: WorkloadOptions }>> = {
  'removeMapping.freezeRefs': {
    seeds: 10,
    shows: /page_count|bad page|page->mapping is 0/,
    options: { duel: true, rounds: 60 },
  },
  'findGetPage.slotRecheck': {
    seeds: 10,
    shows: /page->mapping is|page->index is|holds/,
    options: { duel: true, rounds: 60 },
  },
  'findGetPage.putOnRetry': { seeds: 10, shows: /referencesAreConserved/, options: { duel: true, rounds: 60 } },
  'addToPageCache.mappingBeforePublish': {
    seeds: 10,
    shows: /page->mapping is|page->index is/,
    options: { duel: true, rounds: 60 },
  },
  'addToPageCache.noNewRefs': {
    seeds: 10,
    shows: /page->mapping is|page->index is/,
    options: { generation: 'nonewrefs', duel: true, rounds: 60 },
  },
  'treeLock.irqsOff': { seeds: 2, shows: /irq-unsafe-lock/, options: {} },
};

describe.each(Object.entries(WITHOUT))('without %s', (guard, { seeds: bound, shows, options }) => {
  describe.each(MODELS)('memory model %s', (model) => {
    const common = { ...options, model, cpus: 4, tasks: 6 };

    it(`a violation is found within ${bound} seeds`, () => {
      expect(firstWrong(bound, { ...common, without: [guard] })).toMatch(shows);
    });
  });
});

describe('those seeds', () => {
  const kinds = [...new Set(Object.values(WITHOUT))];
  const options = [...new Map(kinds.map((kind) => [JSON.stringify(kind.options), kind.options])).values()];
  const bound = Math.max(...kinds.map((kind) => kind.seeds));

  it.each(MODELS)('find nothing with all guards in force, memory model %s', (model) => {
    for (const option of options) expect(firstWrong(bound, { ...option, model, cpus: 4, tasks: 6 })).toBeNull();
  });
});

describe('tree_lock taken with interrupts on', () => {
  it.each(GENERATIONS)('deadlocks in generation %s when nobody checks the order of locks', (generation) => {
    const options = { generation, without: ['treeLock.irqsOff'], lockdep: false, cpus: 2, tasks: 6, rounds: 60 };
    expect(firstWrong(60, options)).toMatch(/deadlock/);
  });
});
