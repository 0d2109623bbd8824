// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';
import { runWorkload } from './workload.js';

describe('several CPUs at once', () => {
  for (const model of ['sc', 'tso', 'weak'] as const) {
    for (const cpus of [1, 2, 4, 8]) {
      it(`fault, fork, truncate, unmap, write: ${cpus} CPUs, ${model}`, () => {
        for (let seed = 1; seed <= 3; seed++) {
          const { wrong, system } = runWorkload({ cpus, model, seed });
          expect(wrong, `seed ${seed}, token ${system.machine.token}`).toBeNull();
        }
      });
    }
  }
});
