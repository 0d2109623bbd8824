// SPDX-License-Identifier: GPL-2.0-only
import { RMAP_DESIGNS } from '@lockless/rmap';
import { describe, expect, it } from 'vitest';
import { FOCUSED, runWorkload, type WorkloadOptions } from './workload.js';

const MODELS = ['sc', 'tso', 'weak'] as const;
const DESIGNS = RMAP_DESIGNS;

/** A longer campaign: docs/testing.md. */
const SEEDS = Number(process.env.LOCKLESS_SEEDS ?? 1);

/** Runs all seeds, each under another memory model. What is wrong, and how much was swapped. */
function swapped(options: WorkloadOptions): { failures: string[]; ins: number; outs: number } {
  const failures: string[] = [];
  let ins = 0;
  let outs = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const model = MODELS[(seed + DESIGNS.indexOf(options.rmap ?? 'anon-vma')) % MODELS.length];
    const { wrong, system } = runWorkload({ cpus: [4, 2, 8, 1][seed % 4], model, seed, ...options });
    if (wrong !== null) failures.push(`seed ${seed} ${model}: ${wrong} (${system.machine.token})`);
    ins += system.swap.ins;
    outs += system.swap.outs;
  }
  return { failures, ins, outs };
}

/** Without `LOCKLESS_LONG` two of them. */
const HERE = DESIGNS.filter((_, i) => process.env.LOCKLESS_LONG !== undefined || i % 2 === 0);

describe.each(HERE)('programs whose memory is swapped, reverse mapping %s', (rmap) => {
  it('all system calls at once, with swapoff among them', () => {
    const { failures, outs } = swapped({ rmap, swapPages: 64, mix: { pageout: 4, swapoff: 1 } });
    expect(failures).toEqual([]);
    expect(outs).toBeGreaterThan(0);
  });

  it('short of memory: anonymous pages go as well', () => {
    const { failures, ins, outs } = swapped({
      rmap,
      swapPages: 64,
      memoryPages: 36,
      minFreeKbytes: 16,
      steps: 40,
      mix: { pageout: 2 },
      swap: { swappiness: 100 },
    });
    expect(failures).toEqual([]);
    expect(ins).toBeGreaterThan(0);
    expect(outs).toBeGreaterThan(0);
  });

  it('allocations and disk requests fail', () => {
    const inject = { enomem: 0.01, eio: 0.02 };
    expect(
      swapped({ rmap, swapPages: 16, memoryPages: 60, minFreeKbytes: 16, mix: { pageout: 4, swapoff: 1 }, inject })
        .failures,
    ).toEqual([]);
  });

  it.each(['swap', 'swapoff'])('tasks that meet at every step: %s', (name) => {
    expect(swapped({ ...FOCUSED[name], rmap, runLength: 3, steps: 30 }).failures).toEqual([]);
  });
});
