// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';
import * as api from '../src/index.js';
import { anonVmaReuse, cleaningStress, conversionRace, dirtyStress, stress, wrongIn } from './stress.js';

const models = ['sc', 'tso', 'weak'] as const;
/** A longer campaign: docs/testing.md. */
const SEEDS = Number(process.env.LOCKLESS_SEEDS ?? 1);
const LONG = process.env.LOCKLESS_LONG !== undefined || SEEDS > 1;
/** Without `LOCKLESS_LONG` each number of CPUs and each model once. */
const sizes = [2, 4, 8]
  .flatMap((cpus) => models.map((model) => ({ cpus, model })))
  .filter((_, i) => LONG || i % 4 === 0);
const seeds = Array.from({ length: SEEDS }, (_, i) => i + 1);

describe('faults, fork, munmap, mprotect, reclaim and truncation at once: the rmap stays complete, nothing is lost', () => {
  it.each(sizes)('$cpus CPUs, $model', (options) => {
    for (const seed of seeds) expect(wrongIn(stress(api, { ...options, seed }))).toBe(null);
  });
});

describe.each(['pte-chain', 'objrmap', 'anonmm'] as const)('the same with %s', (rmap) => {
  it.each(sizes)('$cpus CPUs, $model', (options) => {
    for (const seed of seeds) expect(wrongIn(stress(api, { ...options, rmap, seed }))).toBe(null);
  });
});

/** Nonlinear mappings, and all that unmaps them but truncation, which does not look for them. */
const ELSEWHERE = ['touch', 'touch', 'remap', 'zap', 'fork', 'reclaim', 'clean', 'look', 'install-elsewhere'] as const;
/** Few pages, so that everybody meets. */
const LINEAR = ['touch', 'install', 'install', 'truncate', 'reclaim', 'zap'] as const;
const installs = { actions: ELSEWHERE, pages: 4 };

describe('objrmap: pages are installed at other places than the linear one, while they are forked, unmapped and reclaimed', () => {
  it.each(sizes)('$cpus CPUs, $model', (options) => {
    for (const seed of seeds)
      expect(wrongIn(stress(api, { ...options, ...installs, rmap: 'objrmap', seed }))).toBe(null);
  });
});

describe.each(api.RMAP_DESIGNS)('install_page against truncation, %s', (rmap) => {
  it.each(models)('%s', (model) => {
    for (const seed of seeds)
      expect(wrongIn(stress(api, { model, cpus: 4, actions: LINEAR, pages: 2, rmap, seed }))).toBe(null);
  });
});

/** What the tests above find when a guard is left out. */
const GUARDS = [
  {
    guard: 'tryToUnmap.trylockAgain',
    rmap: 'pte-chain',
    options: {},
    as: /try_to_unmap succeeded|mapcount|bad page|no page is lost/,
  },
  { guard: 'tryToUnmap.trylockAgain', rmap: 'objrmap', options: {}, as: /try_to_unmap succeeded/ },
  { guard: 'installPage.convert', rmap: 'objrmap', options: installs, as: /rmap-finds-every-entry/ },
  {
    guard: 'installPage.pageLock',
    rmap: 'objrmap',
    options: { actions: LINEAR, pages: 2 },
    as: /page->mapping is NULL|unmap_mapping_range has passed|try_to_unmap succeeded/,
  },
] as const;

describe('a guard is left out', () => {
  it.each(GUARDS)('$guard, $rmap', ({ guard, rmap, options, as }) => {
    const found: string[] = [];
    for (let seed = 1; seed <= 40 && found.length === 0; seed++) {
      const wrong = wrongIn(stress(api, { cpus: 4, model: 'weak', seed, rmap, without: [guard], ...options }));
      if (wrong !== null) found.push(wrong);
    }
    expect(found).toEqual([expect.stringMatching(as)]);
  });
});

describe('a page is converted while its entries come and go', () => {
  const race = (without: readonly string[]): (string | null)[] =>
    Array.from({ length: LONG ? 100 : 40 }, (_, i) =>
      wrongIn(conversionRace(api, { cpus: 6, model: 'weak', seed: i + 1, without })),
    );

  it('the chain has the entries and no others', () => {
    expect(race([]).filter((wrong) => wrong !== null)).toEqual([]);
  });
  it('D11: without page_table_lock it gets one that is gone', () => {
    expect(race(['pageConvertAnon.pageTableLock']).filter((wrong) => wrong !== null)).toContainEqual(
      expect.stringMatching(/mapcount|entries/),
    );
  });
});

describe('an anon_vma that is freed and reused under a reader of its former life', () => {
  it.each(sizes)('$cpus CPUs, $model', (options) => {
    for (const seed of seeds) expect(wrongIn(anonVmaReuse(api, { ...options, seed }))).toBe(null);
  });
});

describe('the hardware writes through an entry that is being zapped: the page ends up dirty', () => {
  it.each(models)('%s', (model) => {
    for (let seed = 1; seed <= 10 * SEEDS; seed++) expect(wrongIn(dirtyStress(api, { model, seed }))).toBe(null);
  });
});

describe('page_mkclean against a change of rights: no entry stays writable', () => {
  it.each(models)('%s', (model) => {
    for (let seed = 1; seed <= 10 * SEEDS; seed++) expect(wrongIn(cleaningStress(api, { model, seed }))).toBe(null);
  });
});
