// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';
import * as api from '../src/index.js';
import { runPressure } from './pressure.js';

const models = ['sc', 'tso', 'weak'] as const;
const generations = ['freeze-refs', 'tree-lock'] as const;
const sizes = [1, 2, 4, 8].flatMap((cpus) => models.map((model) => ({ cpus, model })));

describe('files larger than memory: identity, references, frames, lists and writes survive reclaim', () => {
  it.each(sizes)('$cpus CPUs, $model', ({ cpus, model }) => {
    const sum = { pgsteal: 0, pgscan_direct: 0, pgscan_kswapd: 0, remove_mapping_failed: 0, pgdeactivate: 0 };
    for (const truncation of [false, true]) {
      for (const generation of generations) {
        const { wrong, events } = runPressure(api, { cpus, model, seed: cpus, truncation, options: { generation } });
        expect(wrong).toBe(null);
        for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += events[key] ?? 0;
      }
    }
    console.log(cpus, model, JSON.stringify(sum));
    expect(sum.pgsteal).toBeGreaterThan(100);
    expect(sum.pgscan_kswapd).toBeGreaterThan(0);
  });

  it('also when kernel objects cannot be had and the disk fails', () => {
    for (const seed of [1, 2, 3]) {
      const { wrong } = runPressure(api, { cpus: 4, seed, inject: { enomem: 0 } });
      expect(wrong).toBe(null);
    }
  });
});
