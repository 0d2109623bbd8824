// SPDX-License-Identifier: MIT
import type { GracePeriods } from './grace-periods.js';
import type { NamedEdge } from './paths.js';

/** A pair of rcu-order, and the edges that make it. */
interface Derived {
  readonly from: number;
  readonly to: number;
  readonly edges: readonly NamedEdge[];
}

/**
 * The cycle of grace periods and critical sections that breaks the guarantee: rcu-order from a mark to another, by the shortest derivation, and rcu-link
 * back. `link` gives the edges of an rcu-link between two events; a critical section is crossed backwards, `rcu-rscsi`.
 */
export function explainGracePeriods(
  periods: GracePeriods,
  link: (from: number, to: number) => readonly NamedEdge[],
): NamedEdge[] {
  const { marks } = periods;
  const joined = (from: number, to: number): readonly NamedEdge[] => link(marks[from], marks[to]);
  const back = (unlock: number, lock: number): NamedEdge => ({
    from: marks[unlock],
    to: marks[lock],
    name: 'rcu-rscsi',
  });
  const known = new Map<string, Derived>();
  const add = (from: number, to: number, edges: () => readonly NamedEdge[]): void => {
    if (!known.has(`${from} ${to}`)) known.set(`${from} ${to}`, { from, to, edges: edges() });
  };
  for (const period of periods.periods) add(period, period, () => []);
  for (let grown = -1; grown !== known.size; ) {
    grown = known.size;
    for (const [a, b] of periods.link.pairs()) {
      if (known.has(`${b} ${a}`)) return [...(known.get(`${b} ${a}`)?.edges ?? []), ...joined(a, b)];
      for (const { period, lock, unlock } of periods.pairs) {
        if (a === period && b === unlock) add(period, lock, () => [...joined(a, b), back(unlock, lock)]);
        if (a === lock && b === period) add(unlock, period, () => [back(unlock, lock), ...joined(a, b)]);
      }
    }
    for (const first of [...known.values()]) {
      for (const { period, lock, unlock } of periods.pairs) {
        if (periods.link.has(period, first.from) && periods.link.has(first.to, unlock))
          add(period, lock, () => [
            ...joined(period, first.from),
            ...first.edges,
            ...joined(first.to, unlock),
            back(unlock, lock),
          ]);
        if (periods.link.has(lock, first.from) && periods.link.has(first.to, period))
          add(unlock, period, () => [
            back(unlock, lock),
            ...joined(lock, first.from),
            ...first.edges,
            ...joined(first.to, period),
          ]);
      }
      for (const second of [...known.values()])
        if (periods.link.has(first.to, second.from))
          add(first.from, second.to, () => [...first.edges, ...joined(first.to, second.from), ...second.edges]);
    }
  }
  return [];
}
