// SPDX-License-Identifier: MIT
import type { Classes } from './classes.js';
import type { Skeleton } from './model.js';
import { inSet, type Relation } from './relation.js';

/** A read-side critical section: its lock and unlock events. */
export interface Section {
  readonly lock: number;
  readonly unlock: number;
}

/** `rcu-rscs`: the pairs of rcu_read_lock() and rcu_read_unlock() of a thread that match, nested ones too; outermost ones last. */
export function rcuSections({ events }: Classes): { sections: Section[]; outermost: Section[] } {
  const open = new Map<number, number[]>();
  const sections: Section[] = [];
  const outermost: Section[] = [];
  events.forEach(({ thread, tag }, i) => {
    if (tag !== 'rcu-lock' && tag !== 'rcu-unlock') return;
    let locks = open.get(thread);
    if (locks === undefined) open.set(thread, (locks = []));
    if (tag === 'rcu-lock') locks.push(i);
    else {
      const lock = locks.pop();
      if (lock !== undefined) sections.push({ lock, unlock: i });
    }
  });
  for (const section of sections)
    if (
      !sections.some(
        (s) =>
          events[s.lock].thread === events[section.lock].thread && s.lock < section.lock && section.unlock < s.unlock,
      )
    )
      outermost.push(section);
  return { sections, outermost };
}

/**
 * `srcu-rscs`: an srcu_read_unlock() belongs to the srcu_read_lock() of the same srcu_struct whose value it was given, directly or through memory
 * (`([Srcu-lock] ; (data ; [~ Srcu-unlock] ; rf)* ; data ; [Srcu-unlock]) & loc`).
 */
export function srcuSections({ events, size, stride }: Classes, { data }: Skeleton, rf: Relation): Section[] {
  const sections: Section[] = [];
  for (let lock = 0; lock < size; lock++) {
    if (events[lock].tag !== 'srcu-lock') continue;
    const seen = new Int32Array(stride);
    const left = [lock];
    for (let load = left.pop(); load !== undefined; load = left.pop()) {
      for (let target = 0; target < size; target++) {
        if (!data.has(load, target) || inSet(seen, target)) continue;
        seen[target >>> 5] |= 1 << (target & 31);
        if (events[target].tag === 'srcu-unlock') {
          if (events[target].location === events[lock].location) sections.push({ lock, unlock: target });
        } else for (let reader = 0; reader < size; reader++) if (rf.has(target, reader)) left.push(reader);
      }
    }
  }
  return sections;
}
