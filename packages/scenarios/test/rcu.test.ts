// SPDX-License-Identifier: GPL-2.0-only
import { CheckError, type CheckResult, check, type ModelName } from '@lockless/checker';
import { describe, expect, it } from 'vitest';
import { cpuScenarios } from '../src/cpu/index.js';
import { rcuScenarios } from '../src/rcu/index.js';
import type { Scenario } from '../src/scenario.js';

const MODELS: readonly ModelName[] = ['sc', 'tso', 'lkmm'];

const outcome = ({ verdict, bound, violation }: CheckResult): string =>
  violation === undefined ? `${verdict}${bound ?? ''}` : violation.kind;

/** What is found without it. Under SC and TSO a fence that the model has no use for is no site; under LKMM each name must be one. */
async function without(scenario: Scenario, name: string, model: ModelName): Promise<string> {
  try {
    return outcome(await check(scenario, { model, without: [name] }));
  } catch (error) {
    if (model !== 'lkmm' && error instanceof CheckError && error.code === 'unknown-site') return 'holds';
    throw error;
  }
}

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
      expect(`${model} ${await without(scenario, name, model)}`).toBe(
        `${model} ${claim === 'holds' ? 'holds' : claim.kind}`,
      );
    }
  });
});
