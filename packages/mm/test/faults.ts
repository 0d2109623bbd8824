// SPDX-License-Identifier: GPL-2.0-only
import type { Ptr } from '@lockless/cpu';
import type { MmStruct } from '@lockless/mm-types';
import { zonePageState } from '@lockless/page';
import { type FaultCounts, faultsOf, faultsSince, residentPages } from '../src/index.js';
import type { SequentialMachine } from './sequential-machine.js';

/* What a process does to a range of pages, and what the machine counts of it. */

/** Faults of an mm while `action` runs, those that are not 0. */
export function faultsDuring(machine: SequentialMachine, mm: Ptr<MmStruct>, action: () => void): Partial<FaultCounts> {
  const before = machine.look(() => faultsOf(mm));
  action();
  const since = faultsSince(
    before,
    machine.look(() => faultsOf(mm)),
  );
  return Object.fromEntries(Object.entries(since).filter(([, n]) => n !== 0));
}

export const pages = (start: number, count: number): number[] => Array.from({ length: count }, (_, i) => start + i);
export function touchAll(
  machine: SequentialMachine,
  mm: Ptr<MmStruct>,
  vpages: number[],
  kind: 'read' | 'write' = 'read',
): void {
  for (const page of vpages) machine.touch(mm, page, kind);
}
export function writeAll(
  machine: SequentialMachine,
  mm: Ptr<MmStruct>,
  vpages: number[],
  datum: (page: number) => number,
): void {
  for (const page of vpages) machine.write(mm, page, datum(page));
}
export const state = (machine: SequentialMachine) => machine.look(zonePageState);
export const mapcountAt = (machine: SequentialMachine, mm: Ptr<MmStruct>, vpage: number): number =>
  machine.look(() => residentPages(mm).find((page) => page.vpage === vpage)?.mapcount ?? 0);
