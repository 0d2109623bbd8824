// SPDX-License-Identifier: GPL-2.0-only
import type { Ptr } from '@lockless/cpu';
import { functionPointer, kmemCacheOf } from '@lockless/cpu';
import type { MmStruct } from '@lockless/mm-types';
import {
  areaReverseMapping,
  objReverseMapping,
  pteChainReverseMapping,
  type ReverseMapping,
  selectReverseMapping,
} from '@lockless/rmap';
import { expect, test } from 'vitest';
import { ERA_MM } from '../src/index.js';
import { anonymous, RW, SequentialMachine } from './sequential-machine.js';

/* What the fifth document is about, counted in accesses to shared memory: kernel-facts of objrmap, 2004. */

/** Of each kind, anonymous and of a file. */
const PAGES = 64;

interface Cost {
  /** Accesses for each page that fork copies, and that exit takes away. */
  readonly fork: number;
  readonly exit: number;
  /** Accesses of page_remove_rmap() for each page of the exit. */
  readonly removeRmap: number;
  /** Blocks of chains when `children` processes have all pages. */
  readonly chains: number;
}

/** Forks a process so many times. The last fork is counted, and the exit of the parent, whose entries are the oldest and so the last of a chain. */
function costOf(design: ReverseMapping, children: number): Cost {
  const machine = new SequentialMachine({ mm: { ...ERA_MM, copyFilePtes: 1 } });
  const { engine } = machine;
  let accesses = 0;
  let inRemove = 0;
  let removing = false;
  const counting = functionPointer<ReverseMapping>(`counting ${design.name}`, {
    ...design,
    *pageRemoveRmap(page, ptep) {
      removing = true;
      yield* design.pageRemoveRmap(page, ptep);
      removing = false;
    },
  });
  machine.run(selectReverseMapping(counting));
  const step = engine.step.bind(engine);
  engine.step = (access) => {
    accesses++;
    if (removing) inRemove++;
    return step(access);
  };
  const { file } = machine.file(3, PAGES * 4096);
  const segments = [anonymous(512, PAGES), { start: 1024, end: 1024 + PAGES, prot: RW, shared: true, file, pgoff: 0 }];
  const parent = machine.process(segments);
  for (let i = 0; i < PAGES; i++) {
    machine.write(parent, 512 + i, -1 - i);
    machine.touch(parent, 1024 + i);
  }
  const family: Ptr<MmStruct>[] = [];
  for (let i = 1; i < children; i++) family.push(machine.fork(parent));
  accesses = 0;
  const child = machine.fork(parent);
  const fork = accesses;
  const chains = engine.heap.live.reduce(
    (sum, live, id) => sum + (kmemCacheOf(id).type.$name === 'pte_chain' ? live : 0),
    0,
  );
  accesses = 0;
  inRemove = 0;
  machine.exit(parent);
  const cost = { fork: fork / (2 * PAGES), exit: accesses / (2 * PAGES), removeRmap: inRemove / (2 * PAGES), chains };
  for (const mm of [...family, child]) machine.exit(mm);
  expect(machine.verify()).toBe(null);
  return cost;
}

const costs = (children: number) => ({
  chains: costOf(pteChainReverseMapping, children),
  objrmap: costOf(objReverseMapping, children),
  anonVma: costOf(areaReverseMapping, children),
});

test('fork and exit of a process: chains cost more than areas, objrmap lies between', () => {
  const { chains, objrmap, anonVma } = costs(1);
  const total = ({ fork, exit }: Cost): number => fork + exit;
  // Measured in 2003: a fork is 9 % cheaper without chains.
  expect(total(chains) / total(anonVma)).toBeGreaterThan(1.09);
  expect(total(objrmap)).toBeLessThan(total(chains));
  expect(total(objrmap)).toBeGreaterThan(total(anonVma));
  expect(chains.removeRmap / anonVma.removeRmap).toBeGreaterThan(5);
});

test('pages that many processes share: a removal searches the chain; areas do not care', () => {
  const few = costs(1);
  const many = costs(20);
  expect(many.anonVma.removeRmap).toBe(few.anonVma.removeRmap);
  expect(many.chains.removeRmap / few.chains.removeRmap).toBeGreaterThan(2);
  // A block holds 15 entries, so 21 take two; and the CPU may keep one for the next.
  const blocks = ({ chains }: Cost): number => Math.floor(chains / PAGES);
  expect([few, many].map((all) => [all.chains, all.objrmap, all.anonVma].map(blocks))).toEqual([
    [2, 1, 0],
    [4, 2, 0],
  ]);
});
