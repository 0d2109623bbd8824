// SPDX-License-Identifier: GPL-2.0-only
import { expect, test } from 'vitest';
import { runScenario } from '../src/native-scenarios.js';

test('a lookup that loops for ever, as a page was left frozen, is the violation that the guard prevents', async () => {
  const without = ['removeMapping.unfreezeDirty'];
  const { holds, outcomes } = await runScenario('dirty-page-unfrozen', { seconds: 1, without });
  expect(holds).toBe(false);
  expect(outcomes[0]).toMatchObject({
    outcome: 'violated: stuck: lookup does not come back',
    count: 1,
    violated: true,
  });
});
