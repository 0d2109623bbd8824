// SPDX-License-Identifier: MIT
import type { Planned, Segment } from './elaborate-event.js';
import type { Value } from './elaborate-value.js';

/** A lock that a thread takes while it holds it: on every way there it waits for itself. Null when there is none. */
export function nestedLock(threads: readonly Segment[]): Planned | null {
  for (const thread of threads) {
    const found = nestedBelow(thread, new Set());
    if (found !== null) return found;
  }
  return null;
}

function nestedBelow({ events, end }: Segment, held: Set<Value>): Planned | null {
  for (const event of events) {
    if (event.address?.kind !== 'value') continue;
    const lock = event.address.value;
    if (event.type === 'LKR' && held.has(lock)) return event;
    if (event.type === 'LKW') held.add(lock);
    if (event.type === 'UL') held.delete(lock);
  }
  if (end.kind !== 'branch') return null;
  // What only one of the arms runs into is no reason why nothing runs.
  const [one, other] = end.arms.map((arm) => nestedBelow(arm, new Set(held)));
  return other === null ? null : one;
}
