// SPDX-License-Identifier: MIT
import { kmemCacheOf, type Op, PRIMITIVES, words } from '@lockless/cpu';
import type { Finding } from './counterexample.js';
import type { Execution, ExecutionEvent } from './explore/execution.js';
import { kernelFunction } from './finding.js';
import { snapshotOf } from './snapshot.js';

/** An object that a thread allocated and nobody freed. */
interface Live {
  readonly event: ExecutionEvent;
  readonly base: number;
  readonly end: number;
}

function liveObjects({ events }: Execution): Live[] {
  const objects = new Map<number, Live>();
  for (const event of events) {
    const kind = PRIMITIVES[event.code].event;
    if (kind === 'FREE') objects.delete(event.address);
    if (kind !== 'ALLOC' || typeof event.result !== 'number' || event.result === 0) continue;
    const base = event.result;
    objects.set(base, { event, base, end: base + kmemCacheOf(event.address).type.$size });
  }
  return [...objects.values()];
}

/**
 * Objects that threads allocated, nobody freed, and nobody points to when all is over, as kmemleak finds them. A pointer is any word, and
 * anything that a thread returned, that is an address inside the object; words of lost objects do not count.
 */
function lostObjects(execution: Execution): Live[] {
  const live = liveObjects(execution);
  if (live.length === 0) return [];
  const lowest = Math.min(...live.map(({ base }) => base));
  const highest = Math.max(...live.map(({ end }) => end));
  const inside = (address: number): Live | undefined => live.find(({ base, end }) => address >= base && address < end);
  const pointers: { readonly holder: Live | undefined; readonly to: Live }[] = [];
  execution.runOnFinalMemory(
    (function* (): Op<void> {
      for (let address = 0; address < words.length; address++) {
        const value = words[address];
        const to = value >= lowest && value < highest ? inside(value) : undefined;
        if (to !== undefined) pointers.push({ holder: inside(address), to });
      }
    })(),
  );
  const found = new Set<Live>();
  const reach = (object: Live | undefined): void => {
    if (object === undefined || found.has(object)) return;
    found.add(object);
    for (const { holder, to } of pointers) if (holder === object) reach(to);
  };
  for (const { holder, to } of pointers) if (holder === undefined) reach(to);
  for (const { result } of execution.threads) if (typeof result === 'number') reach(inside(result));
  return live.filter((object) => !found.has(object));
}

/** A leak of a complete execution, or null. */
export function leakFinding(execution: Execution): Finding | null {
  const [lost] = lostObjects(execution);
  if (lost === undefined) return null;
  const at = kernelFunction(lost.event.site);
  const snapshot = snapshotOf(execution);
  const object = execution.describe(lost.base).replace(/(@\d+)\..*/, '$1');
  const message = `${object}, allocated in ${at}, is never freed, and nothing points to it`;
  const ends = snapshot.threads.flatMap(({ events }) => events.slice(-1));
  return {
    kind: 'leak',
    at,
    message,
    snapshot,
    keys: [snapshot.events[execution.events.indexOf(lost.event)], ...ends],
    last: null,
  };
}
