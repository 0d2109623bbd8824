// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';
import { simulate } from '../src/index.js';
import { BUNDLED, bundled, expectHolds, LONG } from './bundled.js';

const KINDS = [{ enomem: 0.01 }, { eio: 0.01 }, { signal: 0.01 }, { enomem: 0.01, eio: 0.01, signal: 0.01 }] as const;

/** Seeds: 10 times the recording, plus the kind of fault, plus one. The longest recording gets all kinds at once, as does, without `LOCKLESS_LONG`, the shortest. */
const RUNS = BUNDLED.flatMap((name, r) =>
  KINDS.map((inject, k) => ({ name, inject, kinds: Object.keys(inject).join(' '), seed: 10 * r + k + 1 })),
).filter(({ name, kinds }) =>
  LONG ? name !== 'gcc-hello' || kinds.includes(' ') : kinds.includes(' ') && name === 'python-start',
);

describe('one allocation, one disk request, one tick in a hundred fails', () => {
  it.each(RUNS)('$name, $kinds, seed $seed: whatever the program gets, the kernel keeps its promises', async (run) => {
    const { name, inject, seed } = run;
    const result = await simulate(bundled(name), { inject, seed });
    expectHolds(result);
    const injected = Object.values(result.machine.injected).reduce((sum, count) => sum + count, 0);
    expect(injected).toBeGreaterThan(0);
    // A program that is not told of an error does all that it did; one that is killed says so.
    if (result.operations < result.operationsTotal) expect(result.machine.newErrors).not.toEqual({});
  });

  it('a full disk: fsync and msync tell the program, of reads nothing fails', async () => {
    const result = await simulate(bundled('sqlite-threads'), { inject: { enospc: 0.5 }, seed: 1 });
    expectHolds(result);
    expect(result.operations).toBe(result.operationsTotal);
    expect(result.machine.injected.enospc).toBeGreaterThan(0);
    expect(result.machine.newErrors['fsync ENOSPC']).toBeGreaterThan(0);
    // Told once each: no more often than a request failed.
    const told = Object.values(result.machine.newErrors).reduce((sum, count) => sum + count, 0);
    expect(told).toBeLessThanOrEqual(result.machine.injected.enospc);
  });

  it('a rate that cannot be is refused', async () => {
    await expect(simulate(bundled('python-start'), { inject: { eio: 2 } })).rejects.toThrow(RangeError);
  });

  it('every second allocation fails: nothing runs, nothing leaks', async () => {
    const result = await simulate(bundled('sqlite-threads'), { inject: { enomem: 0.5 }, seed: 2 });
    expectHolds(result);
    expect(result.machine.newErrors).not.toEqual({});
  });

  it('every second disk request fails under pressure: nothing leaks, no stale page is believed', async () => {
    const result = await simulate(bundled('sqlite-threads'), {
      inject: { eio: 0.5 },
      seed: 2,
      memory: { percent: 25 },
    });
    expectHolds(result);
  });
});
