// SPDX-License-Identifier: GPL-2.0-only
import { expect, test } from 'vitest';
import { runScenario } from '../src/native-scenarios.js';

test('with a guard left out that only a race needs, the race is found', async () => {
  const without = ['updateCounterAndWait.wait'];
  // On a busy machine the threads may not meet for a while.
  for (let seed = 1, started = performance.now(); ; seed++) {
    const { outcomes } = await runScenario('urcu-before-and-after', { seconds: 1, seed, without });
    if (outcomes[0].violated || performance.now() - started > 60_000) {
      expect(outcomes[0]).toMatchObject({ violated: true });
      return;
    }
  }
});
