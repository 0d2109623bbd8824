// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';
import { stress } from './stress.js';

const MODELS = ['sc', 'tso', 'weak'] as const;
/** A longer campaign: docs/testing.md. */
const SEEDS = Number(process.env.LOCKLESS_SEEDS ?? 1);
const LONG = process.env.LOCKLESS_LONG !== undefined;
const GUARDS = ['mmuNotifierRegister.mmapSem,mmuNotifierRegister.takeAllLocks', 'mmuNotifierRetry.seq'];
const TAILS = ['tail-mapcount', 'grace-period', 'tail-count'] as const;
const HUGE_GUARDS = [
  ['kvmHandleHva.hugeEntries', /I12|reads as|guests at rest|which is free/],
  ['mmuNotifierRetry.count', /I12|reads as|guests at rest|which is free/],
  ['transparentHugepageAdjust.getPage', /get_page_unless_zero\(\) outside/],
] as const;

describe('guests over the memory of a process that writes, drops, protects and forks', () => {
  it.each(MODELS)('see what the process sees, and hold no page that is free: %s', (model) => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      for (const cpus of [2, 4]) expect([seed, cpus, stress({ seed, model, cpus }).wrong]).toEqual([seed, cpus, null]);
    }
  });

  it.each(LONG ? GUARDS : GUARDS.slice(0, 1))('do not, without %s', (guards) => {
    let wrong: string | null = null;
    for (let seed = 1; seed <= 60 && wrong === null; seed++) {
      wrong = stress({ seed, model: 'weak', cpus: 4, without: guards.split(',') }).wrong;
    }
    expect(wrong).toMatch(/I12|reads as|guests at rest|which is free|mmu_notifier_count < 0/);
  });

  it.each(LONG ? TAILS : TAILS.slice(0, 1))('have huge pages of it by one entry each: %s', (huge) => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { wrong, hugeEntries } = stress({ seed, model: 'weak', cpus: 4, huge });
      expect([seed, wrong]).toEqual([seed, null]);
      expect(hugeEntries).toBeGreaterThan(10);
    }
  });

  it.each(LONG ? HUGE_GUARDS : [])('do not have them, without %s', (guard, broken) => {
    let wrong: string | null = null;
    for (let seed = 1; seed <= 60 && wrong === null; seed++) {
      wrong = stress({ seed, model: 'weak', cpus: 4, huge: 'tail-mapcount', without: [guard] }).wrong;
    }
    expect(wrong).toMatch(broken);
  });
});
