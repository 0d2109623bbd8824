// SPDX-License-Identifier: GPL-2.0-only
import { type CheckResult, check, type ModelName } from '@lockless/checker';
import { describe, expect, it } from 'vitest';
import type { GuardClaim, Scenario } from '../src/index.js';

const ALL: readonly ModelName[] = ['sc', 'tso', 'lkmm'];
const LONG = process.env.LOCKLESS_LONG !== undefined;
const MODELS = LONG ? ALL : (['lkmm'] as const);

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

const kindOf = (claim: GuardClaim['without'][ModelName]): string => (claim === 'holds' ? claim : claim.kind);

/**
 * Every claim of every sixth scenario, under LKMM; with `LOCKLESS_LONG` of all, also under SC and TSO that it holds, and the claims that differ from LKMM's. What is found without a guard is
 * found again by its replay token. All claims under all models are run when the catalogue's page is made, and when it is checked (`npm run scenarios`).
 */
export function claimsHold(scenarios: readonly Scenario[]): void {
  it('names each scenario, and each guard of a scenario, once', () => {
    expect(new Set(scenarios.map(({ name }) => name)).size).toBe(scenarios.length);
    for (const { guards } of scenarios) expect(new Set(guards.map(({ name }) => name)).size).toBe(guards.length);
  });

  const here = scenarios.filter(({ name }, i) => LONG || (i % 6 === 0 && !SLOW.has(name)));
  describe.each(here)('$name', (scenario) => {
    const { guards, mustReach = [] } = scenario;

    it.each(MODELS)('holds under %s, and what must be possible is', async (model) => {
      const result = await check(scenario, { model });
      expect(result.violation?.message ?? outcome(result)).toBe('holds');
      for (const label of mustReach) expect(result.reached[label]).toBeGreaterThan(0);
      expect(result.executions).toBeGreaterThan(0);
    });

    describe.each(guards)('without $name', ({ name, without }) => {
      const telling = MODELS.filter((model) => model === 'lkmm' || kindOf(without[model]) !== kindOf(without.lkmm));

      it.each(telling)('under %s', async (model) => {
        const claim = without[model];
        const result = await check(scenario, { model, without: [name] });
        expect(outcome(result)).toBe(claim === 'holds' ? 'holds' : claim.kind);
        if (result.violation === undefined || claim === 'holds') return;
        const { kind, at, replay } = result.violation;
        if (claim.at !== undefined) expect(at).toBe(claim.at);
        if (kind === 'unreached') return; // No one execution shows it.
        if (model !== 'lkmm' && without.lkmm !== 'holds') return; // Its counterexample is replayed under LKMM.
        const again = await check(scenario, { model, without: [name], replay });
        // A token without steps says that nothing has to happen before: what does happen is up to the replay.
        expect(again.violation).toMatchObject(replay === '1' ? { kind, at } : { kind, at, replay });
      });
    });
  });
}
