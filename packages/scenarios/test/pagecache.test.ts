// SPDX-License-Identifier: GPL-2.0-only
import { type CheckResult, check, type ModelName } from '@lockless/checker';
import { describe, expect, it } from 'vitest';
import { pageCacheScenarios } from '../src/pagecache/index.js';

const MODELS: readonly ModelName[] = ['sc', 'tso', 'lkmm'];

const outcome = ({ verdict, bound, violation }: CheckResult): string =>
  violation === undefined ? `${verdict}${bound ?? ''}` : violation.kind;

describe.each(pageCacheScenarios)('$name', (scenario) => {
  const { guards, mustReach = [] } = scenario;

  it.each(MODELS)('holds under %s, and what must be possible is', async (model) => {
    const result = await check(scenario, { model });
    expect(result.violation?.message ?? outcome(result)).toBe('holds');
    for (const label of mustReach) expect(result.reached[label]).toBeGreaterThan(0);
    expect(result.executions).toBeGreaterThan(0);
  });

  describe.each(guards)('without $name', ({ name, without }) => {
    it.each(MODELS)('under %s', async (model) => {
      const claim = without[model];
      const result = await check(scenario, { model, without: [name] });
      expect(outcome(result)).toBe(claim === 'holds' ? 'holds' : claim.kind);
      if (claim !== 'holds' && claim.at !== undefined) expect(result.violation?.at).toBe(claim.at);
      if (result.violation === undefined || model === 'tso') return;
      const { kind, at, replay } = result.violation;
      const again = await check(scenario, { model, without: [name], replay });
      expect(again.violation).toMatchObject({ kind, at, replay });
    });
  });
});
