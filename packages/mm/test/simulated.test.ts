// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';
import { FOCUSED, runWorkload, type WorkloadOptions } from './workload.js';

const MODELS = ['sc', 'tso', 'weak'] as const;

/** A longer campaign: docs/testing.md. */
const SEEDS = Number(process.env.LOCKLESS_SEEDS ?? 1);
/** Without `LOCKLESS_LONG` under one model each, in turn. */
const LONG = process.env.LOCKLESS_LONG !== undefined || SEEDS > 1;
let turn = 0;

/** All seeds and models; CPUs go round. The first thing that is wrong, with the token that replays it. */
function failures(options: WorkloadOptions, countWrites = false): string[] {
  const found: string[] = [];
  turn += 1;
  for (let seed = 1; seed <= SEEDS; seed++) {
    for (const [i, model] of MODELS.entries()) {
      if (!LONG && (turn + i) % MODELS.length !== 0) continue;
      const { wrong, system } = runWorkload({ cpus: [8, 2, 4, 1][(seed + i) % 4], model, seed, ...options });
      const lost = countWrites && wrong === null ? system.lostWrites(12) : [];
      if (wrong !== null) found.push(`seed ${seed} ${model}: ${wrong} (${system.machine.token})`);
      if (lost.length > 0) found.push(`seed ${seed} ${model}: ${lost[0]} (${system.machine.token})`);
    }
  }
  return found;
}

describe('programs with several threads, all system calls at once', () => {
  for (const cpus of LONG ? [1, 2, 4, 8] : [2, 8]) {
    it(`${cpus} CPUs, under every memory model`, () => {
      expect(failures({ cpus })).toEqual([]);
    });
  }

  it('short of memory: kswapd and direct reclaim take what they can', () => {
    expect(failures({ memoryPages: 44, minFreeKbytes: 16, steps: 40 })).toEqual([]);
    expect(
      runWorkload({ memoryPages: 44, minFreeKbytes: 16, steps: 40, cpus: 4, seed: 1 }).system.pagesReclaimed,
    ).toBeGreaterThan(0);
  });

  it('allocations and disk requests fail: errors, but no leak and no broken rule', () => {
    expect(failures({ memoryPages: 44, minFreeKbytes: 16, inject: { enomem: 0.01, eio: 0.02 } })).toEqual([]);
  });

  it('in the older generation of the page cache, and without fault-around', () => {
    expect(failures({ generation: 'tree-lock', mm: { faultAroundPages: 1, zeroPageReads: 0 } })).toEqual([]);
  });

  it('every write to a file is on the disk in the end, through whatever mapping it was made', () => {
    expect(failures({ mix: { truncate: 0 } }, true)).toEqual([]);
    expect(failures({ memoryPages: 44, minFreeKbytes: 16, steps: 40, mix: { truncate: 0, sync: 4 } }, true)).toEqual(
      [],
    );
  });
});

describe('tasks that meet at every step', () => {
  for (const [name, options] of Object.entries(FOCUSED)) {
    it(name, () => {
      expect(failures({ ...options, runLength: 3, steps: 20 }, name === 'writeback')).toEqual([]);
    });
  }
});

it('truncation kept out of faults by truncate_count, as before 2.6.23', () => {
  const mm = { truncateCountFaults: 1, faultAroundPages: 1 };
  expect(failures({ ...FOCUSED.truncate, mm, runLength: 3, steps: 20 })).toEqual([]);
  expect(failures({ mm, generation: 'tree-lock' })).toEqual([]);
});

describe.each(LONG ? (['pte-chain', 'objrmap', 'anonmm'] as const) : (['objrmap'] as const))(
  'the same on the reverse mappings before anon_vma: %s',
  (rmap) => {
    it('all system calls at once; short of memory; allocations and disk requests fail', () => {
      expect(failures({ rmap })).toEqual([]);
      expect(failures({ rmap, memoryPages: 44, minFreeKbytes: 16, steps: 40 })).toEqual([]);
      expect(failures({ rmap, memoryPages: 44, minFreeKbytes: 16, inject: { enomem: 0.02, eio: 0.02 } })).toEqual([]);
    });

    for (const [name, options] of Object.entries(FOCUSED)) {
      it(name, () => {
        expect(failures({ ...options, rmap, runLength: 3, steps: 20 }, name === 'writeback')).toEqual([]);
      });
    }
  },
);
