// SPDX-License-Identifier: GPL-2.0-only
import { check, type ModelName } from '@lockless/checker';
import { describe, expect, it } from 'vitest';
import { rcuScenarios } from '../src/rcu/index.js';

const models: readonly ModelName[] = (process.env.MODELS ?? 'sc').split(',') as ModelName[];

describe.each(rcuScenarios.map((scenario) => ({ scenario, name: scenario.name })))('$name', ({ scenario }) => {
  it.each(models)('holds under %s', async (model) => {
    const result = await check(scenario, { model });
    if (process.env.VERBOSE)
      console.log(
        scenario.name,
        model,
        result.verdict,
        result.executions,
        result.blocked,
        result.events,
        result.seconds,
        JSON.stringify(result.reached),
      );
    expect(result.violation?.message ?? 'holds').toBe('holds');
    for (const label of scenario.mustReach ?? []) expect(result.reached).toHaveProperty([label]);
  });
  for (const { name, without } of scenario.guards) {
    it.each(models)(`without ${name} under %s`, async (model) => {
      const claim = without[model];
      const result = await check(scenario, { model, without: [name] });
      if (process.env.VERBOSE)
        console.log(
          scenario.name,
          name,
          model,
          result.verdict,
          result.executions,
          result.seconds,
          result.violation?.message,
        );
      expect(result.violation?.kind ?? 'holds').toBe(claim === 'holds' ? 'holds' : claim.kind);
    });
  }
});
