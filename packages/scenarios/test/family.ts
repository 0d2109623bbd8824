// SPDX-License-Identifier: GPL-2.0-only
import { type CheckResult, check } from '@lockless/checker';
import { describe, expect, it } from 'vitest';
import type { Scenario } from '../src/index.js';

const LONG = process.env.LOCKLESS_LONG !== undefined;

/** Not without `LOCKLESS_LONG`: half of the time that all scenarios take together. */
const SLOW = new Set([
  'classic-joins-wanted-batch',
  'conversion-without-memory',
  'mkwrite-vs-reuse',
  'no-page-retry-vs-truncation',
  'no-page-vs-truncation',
  'nonlinear-fault-vs-truncation',
  'reclaim-of-nonlinear-page',
  'seqlock-two-writers',
  'shmem-swapoff-vs-fault',
  'swap-free-under-lookup',
  'swap-in-from-lookup',
  'swap-in-of-moved-page',
  'swap-in-of-removed-page',
  'thp-put-tail-under-split',
  'thp-speculative-get-grace-period',
  'urcu-qsbr-two-updaters',
  'urcu-ring',
]);

const outcome = ({ verdict, bound, violation }: CheckResult): string =>
  violation === undefined ? `${verdict}${bound ?? ''}` : violation.kind;

/**
 * Every claim of every sixth scenario, under LKMM; of all with `LOCKLESS_LONG`. What is found without a guard is found again by its replay token. All claims under all models are run when
 * the catalogue's page is made, and when it is checked (`npm run scenarios`, which CI does).
 */
export function claimsHold(scenarios: readonly Scenario[]): void {
  it('names each scenario, and each guard of a scenario, once', () => {
    expect(new Set(scenarios.map(({ name }) => name)).size).toBe(scenarios.length);
    for (const { guards } of scenarios) expect(new Set(guards.map(({ name }) => name)).size).toBe(guards.length);
  });

  const here = scenarios.filter(({ name }, i) => LONG || (i % 6 === 0 && !SLOW.has(name)));
  describe.each(here)('$name', (scenario) => {
    const { guards, mustReach = [] } = scenario;

    it('holds, and what must be possible is', async () => {
      const result = await check(scenario, { model: 'lkmm' });
      expect(result.violation?.message ?? outcome(result)).toBe('holds');
      for (const label of mustReach) expect(result.reached[label]).toBeGreaterThan(0);
      expect(result.executions).toBeGreaterThan(0);
    });

    it.each(guards)('without $name', async ({ name, without: { lkmm: claim } }) => {
      const result = await check(scenario, { model: 'lkmm', without: [name] });
      expect(outcome(result)).toBe(claim === 'holds' ? 'holds' : claim.kind);
      if (result.violation === undefined || claim === 'holds') return;
      const { kind, at, replay } = result.violation;
      if (claim.at !== undefined) expect(at).toBe(claim.at);
      if (kind === 'unreached') return; // No one execution shows it.
      const again = await check(scenario, { model: 'lkmm', without: [name], replay });
      // A token without steps says that nothing has to happen before: what does happen is up to the replay.
      expect(again.violation).toMatchObject(replay === '1' ? { kind, at } : { kind, at, replay });
    });
  });
}
