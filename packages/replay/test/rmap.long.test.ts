// SPDX-License-Identifier: GPL-2.0-only
import type { RmapDesign } from '@lockless/mm';
import type { RunResult } from '@lockless/report';
import { describe, expect, it } from 'vitest';
import { simulate } from '../src/index.js';
import { BUNDLED, type Bundled, bundled, expectHolds } from './bundled.js';

const DESIGNS = ['pte-chain', 'objrmap', 'anonmm'] as const;
const EVERY = BUNDLED.flatMap((name, r) => DESIGNS.map((rmap, d) => ({ name, rmap, seed: r + 1, odd: (r + d) % 2 })));
/** The compiler's recording is the longest by far: on one design. Without `LOCKLESS_LONG`: two short ones. */
const LONG = process.env.LOCKLESS_LONG !== undefined;
const RUNS = EVERY.filter(({ name, rmap }) =>
  LONG ? name !== 'gcc-hello' || rmap === 'objrmap' : ['python-start', 'sqlite-threads'].includes(name),
);
/** Each design with half of the recordings. */
const PRESSED = RUNS.filter(({ odd }) => odd === 0);

const faultsOf = (result: RunResult) =>
  result.processes.map(({ faults, rssAtExit }) => [faults.simulated, rssAtExit.simulated]);

/** The run on anon_vma that others are held to. One CPU: who comes first to a page does not depend on what a step costs. */
const references = new Map<Bundled, Promise<RunResult>>();
function reference(name: Bundled): Promise<RunResult> {
  const known = references.get(name) ?? simulate(bundled(name), { cpus: 1, model: 'sc' });
  references.set(name, known);
  return known;
}

describe('the recordings on the reverse mappings other than anon_vma', () => {
  it.each(RUNS)('$name, $rmap: the same faults and resident pages as with anon_vma', async ({ name, rmap }) => {
    const result = await simulate(bundled(name), { cpus: 1, model: 'sc', rmap });
    expectHolds(result);
    expect(result.configuration.rmap).toBe(rmap);
    expect(result.operations).toBe(result.operationsTotal);
    const anonVma = await reference(name);
    expect(faultsOf(result)).toEqual(faultsOf(anonVma));
    expect([result.memory.reverseMapping.anonVmas, anonVma.memory.reverseMapping.pteChains]).toEqual([0, 0]);
  });

  it.each(PRESSED)('$name, $rmap, seed $seed: a quarter of the memory, weak memory', async ({ name, rmap, seed }) => {
    const result = await simulate(bundled(name), { rmap, seed, neighbours: seed % 3, memory: { percent: 25 } });
    expectHolds(result);
    expect(result.operations).toBe(result.operationsTotal);
    expect(result.memory.reclaim.reclaimed).toBeGreaterThan(1000);
  });

  it('bookkeeping where several processes map the same files: chains for each entry, objrmap for anonymous pages, anon_vma for areas, anonmm for processes', async () => {
    const bytes = async (rmap: RmapDesign): Promise<number> =>
      (await simulate(bundled('sqlite-threads'), { cpus: 1, model: 'sc', rmap })).memory.reverseMapping.bytes;
    const chains = await bytes('pte-chain');
    expect(chains).toBeGreaterThan(10 * (await bytes('objrmap')));
    expect(chains).toBeGreaterThan(10 * (await bytes('anon-vma')));
    // Nothing for a page, an area or an entry: a family, and a member for each process.
    expect(await bytes('anonmm')).toBeLessThan(await bytes('anon-vma'));
  });
});

describe('pages move to other frames while a program runs', () => {
  it.each([
    { rmap: 'anon-vma', seed: 1 },
    { rmap: 'anonmm', seed: 4 },
  ] as const)(
    '$rmap, seed $seed: it finds its data where they are, and nothing is violated',
    async ({ rmap, seed }) => {
      const result = await simulate(bundled('sqlite-threads'), { rmap, seed, migrate: true });
      expectHolds(result);
      expect(result.operations).toBe(result.operationsTotal);
      expect(result.memory.events.pgmigrate_success).toBeGreaterThan(200);
      expect(result.replay).toContain('--migrate');
    },
  );
});
