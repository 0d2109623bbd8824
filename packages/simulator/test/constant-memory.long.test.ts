// SPDX-License-Identifier: MIT
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { ORDER_ACQUIRE, ORDER_NONE, ORDER_RMB } from '../src/codes.js';
import { benchSimulator } from '../src/index.js';
import { WeakMemory } from '../src/memory/weak-memory.js';
import { Random } from '../src/random.js';

const quiet = { watched: 0, changed: () => {} };

describe('long runs', () => {
  it('take constant memory', () => {
    setFlagsFromString('--expose-gc');
    globalThis.gc = runInNewContext('gc');
    const growth = (accesses: number): number => {
      const [row] = benchSimulator(undefined, { accesses, models: ['weak'], cpus: [4] });
      expect(row.accesses).toBeGreaterThanOrEqual(accesses);
      return row.heapGrowthBytes;
    };
    // What leaks, leaks every time; what the compiler keeps for itself, a megabyte now and then, it keeps once.
    const enough = 1e6;
    let more = Number.POSITIVE_INFINITY;
    for (let attempt = 0; attempt < 3 && more >= enough; attempt++) more = growth(3_000_000) - growth(500_000);
    // Two and a half million more accesses at half a byte each would show.
    expect(more).toBeLessThan(enough);
  });

  it('survive the end of commit time: order and staleness stay what they were', () => {
    const memory = new WeakMemory(new Int32Array(4096), quiet, new Random(1, 1), 2, () => 0, 2 ** 30 - 3000);
    let staleAfter = 0;
    for (let i = 1; i <= 20_000; i++) {
      memory.enter(0);
      memory.store(100, i, ORDER_NONE);
      memory.full();
      memory.store(200, i, ORDER_NONE);
      memory.full();
      memory.enter(1);
      memory.drift(1);
      // Message passing with an acquire: what is read second is at least as new.
      const second = memory.load(200, i % 2 === 0 ? ORDER_ACQUIRE : ORDER_NONE);
      if (i % 2 === 1) memory.fence(ORDER_RMB);
      const first = memory.load(100, ORDER_NONE);
      expect(first).toBeGreaterThanOrEqual(second);
      if (i > 5000 && second < i) staleAfter++;
    }
    expect(memory.commits).toBe(40_000);
    expect(staleAfter).toBeGreaterThan(1000);
  });
});
