// SPDX-License-Identifier: GPL-2.0-only
import { type CheckResult, check, type ModelName } from '@lockless/checker';
import { describe, expect, it } from 'vitest';
import { cpuScenarios } from '../src/cpu/index.js';
import { rcuScenarios } from '../src/rcu/index.js';

const MODELS: readonly ModelName[] = ['sc', 'tso', 'lkmm'];

const outcome = ({ verdict, bound, violation }: CheckResult): string =>
  violation === undefined ? `${verdict}${bound ?? ''}` : violation.kind;

describe.each([...rcuScenarios, ...cpuScenarios])('$name', (scenario) => {
  const { guards, mustReach = [] } = scenario;

  it.each(MODELS)('holds under %s, and what must be possible is', async (model) => {
    const result = await check(scenario, { model });
    expect(result.violation?.message ?? outcome(result)).toBe('holds');
    for (const label of mustReach) expect(result.reached[label]).toBeGreaterThan(0);
    expect(result.executions).toBeGreaterThan(1);
  });

  it.each(guards)('without $name, as claimed under each model', async ({ name, without: claims }) => {
    for (const model of MODELS) {
      const claim = claims[model];
      const result = await check(scenario, { model, without: [name] });
      expect(`${model} ${outcome(result)}`).toBe(`${model} ${claim === 'holds' ? 'holds' : claim.kind}`);
    }
  });
});
