// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';
import * as api from '../src/index.js';
import { anonVmaReuse, cleaningStress, dirtyStress, stress, wrongIn } from './stress.js';

const models = ['sc', 'tso', 'weak'] as const;
const sizes = [2, 4, 8].flatMap((cpus) => models.map((model) => ({ cpus, model })));
/** A longer campaign: docs/testing.md. */
const SEEDS = Number(process.env.LOCKLESS_SEEDS ?? 2);
const seeds = Array.from({ length: SEEDS }, (_, i) => i + 1);

describe('faults, fork, munmap, mprotect, reclaim and truncation at once: the rmap stays complete, nothing is lost', () => {
  it.each(sizes)('$cpus CPUs, $model', (options) => {
    for (const seed of seeds) expect(wrongIn(stress(api, { ...options, seed }))).toBe(null);
  });
});

describe.each(['pte-chain', 'objrmap'] as const)('the same with %s', (rmap) => {
  it.each(sizes)('$cpus CPUs, $model', (options) => {
    for (const seed of seeds) expect(wrongIn(stress(api, { ...options, rmap, seed }))).toBe(null);
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
