// SPDX-License-Identifier: MIT
import { kmemCacheOf, PRIMITIVES } from '@lockless/cpu';
import type { Finding } from './counterexample.js';
import type { Execution, ExecutionEvent } from './explore/execution.js';
import { kernelFunction } from './finding.js';
import { snapshotOf } from './snapshot.js';

interface Allocated {
  readonly event: ExecutionEvent;
  readonly base: number;
  readonly end: number;
}

/**
 * Objects that threads allocated, nobody freed, and nobody points to when all is over, as kmemleak finds them. A pointer is any word that a
 * thread stored, or what a thread returned, that is an address inside the object; words of lost objects do not count.
 */
function lostObjects(execution: Execution): Allocated[] {
  const objects = new Map<number, Allocated>();
  const words = new Map<number, number>();
  for (const event of execution.events) {
    const kind = PRIMITIVES[event.code].event;
    if (kind === 'ALLOC' && event.result !== 0) {
      const base = event.result as number;
      objects.set(base, { event, base, end: base + kmemCacheOf(event.address).type.$size });
    } else if (kind === 'FREE') objects.delete(event.address);
    else if (event.written !== null) words.set(event.address, event.written);
  }
  if (objects.size === 0) return [];
  const inside = (address: number): Allocated | undefined =>
    [...objects.values()].find(({ base, end }) => address >= base && address < end);
  const reached = new Set<Allocated>();
  const queue: unknown[] = execution.threads.map(({ result }) => result);
  for (const address of words.keys()) if (inside(address) === undefined) queue.push(execution.finalWord(address));
  for (let value = queue.pop(); value !== undefined; value = queue.pop()) {
    const object = typeof value === 'number' ? inside(value) : undefined;
    if (object === undefined || reached.has(object)) continue;
    reached.add(object);
    for (const address of words.keys())
      if (address >= object.base && address < object.end) queue.push(execution.finalWord(address));
  }
  return [...objects.values()].filter((object) => !reached.has(object));
}

/** A leak of a complete execution, or null. */
export function leakFinding(execution: Execution): Finding | null {
  const [lost] = lostObjects(execution);
  if (lost === undefined) return null;
  const at = kernelFunction(lost.event.site);
  const snapshot = snapshotOf(execution);
  const message = `${execution.describe(lost.base)}, allocated in ${at}, is never freed, and nothing points to it`;
  return { kind: 'leak', at, message: message.replace(/(@\d+)\.\w+/, '$1'), snapshot, keys: [], last: null };
}
