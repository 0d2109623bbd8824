// SPDX-License-Identifier: GPL-2.0-only
import { existsSync } from 'node:fs';
import { scenarios } from '@lockless/scenarios/native';
import { beforeAll, expect, test } from 'vitest';
import { guardsOf, nativeScenarios, runScenario } from '../src/native-scenarios.js';

beforeAll(() => {
  if (!existsSync(new URL('../dist/worker.js', import.meta.url)))
    throw new Error('packages/outcomes is not built: npm run build');
});

const SAMPLE = ['lookup-vs-reclaim', 'lookup-vs-truncation', 'verify-by-identity', 'urcu-before-and-after'];

test.each(SAMPLE)('%s, stripped, breaks no claim on threads', async (name) => {
  const { holds, instances, outcomes } = await runScenario(name, { instances: 3 * 256 + 1 });
  expect({ holds, instances }).toEqual({ holds: true, instances: 4 * 256 });
  const labels = scenarios.find((scenario) => scenario.name === name)?.mustReach ?? [];
  for (const { outcome, count } of outcomes) if (count > 0) expect([...labels, 'ended']).toContain(outcome);
});

test('with a guard left out the violation that the checker finds is seen on threads', async () => {
  const without = ['shmemGetpage.addToPageCacheLocked'];
  const { holds, outcomes } = await runScenario('locked-page-not-added', { batches: 1, without });
  expect(holds).toBe(false);
  expect(outcomes[0]).toEqual({
    outcome: 'violated: BUG_ON(unlock_page: !PageLocked(page))',
    count: 256,
    violated: true,
    found: 256,
  });
});

test('noise breaks no claim, and finds what only a race shows', async () => {
  const { holds } = await runScenario('lookup-vs-truncation', { batches: 4, noise: true });
  expect(holds).toBe(true);
  const without = ['findLockPage.mappingCheck'];
  const found = await runScenario('fault-vs-invalidation', { seconds: 60, without, noise: true, untilViolated: true });
  expect(found.outcomes[0]).toMatchObject({ violated: true });
  expect(found.seconds).toBeLessThan(60);
});

test('guards of scenarios that x86 needs are known by name', async () => {
  expect(guardsOf('lookup-vs-reclaim')).toEqual([
    'removeMapping.freezeRefs',
    'findGetPage.slotRecheck',
    'findGetPage.putOnRetry',
  ]);
  await expect(runScenario('lookup-vs-reclaim', { without: ['nobody'] })).rejects.toThrow("unknown guard 'nobody'");
  await expect(runScenario('nobody')).rejects.toThrow(`no native scenario 'nobody': one of ${nativeScenarios()[0]}, `);
});
