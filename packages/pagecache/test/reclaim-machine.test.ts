// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';
import * as api from '../src/index.js';
import { runPressure } from './pressure.js';

const models = ['sc', 'tso', 'weak'] as const;
const LONG = process.env.LOCKLESS_LONG !== undefined;
/** Without `LOCKLESS_LONG` each number of CPUs and each model once. */
const sizes = [1, 3, 8]
  .flatMap((cpus) => models.map((model) => ({ cpus, model })))
  .filter((_, i) => LONG || i % 4 === 0);
const kinds = [
  { truncation: false, generation: 'freeze-refs' },
  { truncation: true, generation: 'freeze-refs' },
  { truncation: true, generation: 'tree-lock' },
] as const;

describe('files larger than memory: identity, references, frames, lists and writes survive reclaim', () => {
  it.each(sizes)('$cpus CPUs, $model', ({ cpus, model }) => {
    const sum = { pgsteal: 0, pgscan_direct: 0, pgscan_kswapd: 0, remove_mapping_failed: 0, pgdeactivate: 0 };
    for (const { truncation, generation } of kinds) {
      const { wrong, events } = runPressure(api, { cpus, model, seed: cpus, truncation, options: { generation } });
      expect(wrong).toBe(null);
      for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += events[key] ?? 0;
    }
    // Pages were reclaimed in all ways, and the races did happen.
    expect(sum.pgsteal).toBeGreaterThan(100);
    expect(sum.pgscan_kswapd).toBeGreaterThan(0);
    expect(sum.pgscan_direct).toBeGreaterThan(0);
    expect(sum.pgdeactivate).toBeGreaterThan(0);
    if (cpus > 1) expect(sum.remove_mapping_failed).toBeGreaterThan(0);
  });

  it('on 8 CPUs with 64 frames: nobody runs out of memory, and kswapd comes to rest', () => {
    // Seeds 1 and 21 had kswapd go on for ever, most others had an allocation fail, before each was fixed.
    for (const seed of LONG ? [1, 3, 10, 21] : [21]) {
      expect(runPressure(api, { cpus: 8, model: 'sc', seed, pages: 64, filePages: 120 }).wrong).toBe(null);
    }
  });

  it.each(models)('also when memory and disk fail at random, %s', (model) => {
    for (const inject of [{ enomem: 0.05 }, { enomem: 0.02, eio: 0.05 }]) {
      for (const seed of LONG ? [1, 2] : [2]) {
        const { wrong } = runPressure(api, { cpus: 4, model, seed, inject, truncation: seed === 2 });
        expect(wrong).toBe(null);
      }
    }
  });
});
