// SPDX-License-Identifier: GPL-2.0-only
import { expect, test } from 'vitest';
import { runScenario } from '../src/native-scenarios.js';

test('with a guard left out that only a race needs, the race is found', async () => {
  const without = ['updateCounterAndWait.wait'];
  // On a busy machine the threads may not meet for a while.
  const { outcomes } = await runScenario('urcu-free', { seconds: 50, without, noise: true, untilViolated: true });
  expect(outcomes[0]).toMatchObject({ violated: true });
});
