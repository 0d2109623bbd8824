// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';
import { runWorkload } from './workload.js';

describe('debug', () => {
  it('one', () => {
    const start = Date.now();
    for (let seed = 1; seed <= 20; seed++) {
      const { wrong, system } = runWorkload({ seed, cpus: 4, model: 'weak' });
      if (wrong !== null) { console.log(seed, wrong); break; }
      if (seed === 1) console.log(system.machine.steps);
    }
    console.log(Date.now() - start);
    expect(1).toBe(1);
  });
});
