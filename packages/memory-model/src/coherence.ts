// SPDX-License-Identifier: MIT
import type { CycleSearch } from './acyclic.js';
import type { Classes } from './classes.js';
import type { Communication } from './communication.js';
import type { Witness } from './model.js';
import { nextMember, type Relation } from './relation.js';

/*
 * "Fundamental coherence ordering": what every model has in common. (explanation.txt: "Cache coherence and the coherence order relation",
 * "Reads-from", "From-reads", "Atomicity".)
 */

/** Sequential consistency per variable: `acyclic po-loc | rf | co | fr`. */
export function isCoherent(
  poLoc: Relation,
  { rf, overwrite }: Communication,
  into: Relation,
  search: CycleSearch,
): boolean {
  const { bits } = into;
  for (let i = 0; i < bits.length; i++) bits[i] = poLoc.bits[i] | rf.bits[i] | overwrite.bits[i];
  return search.acyclic(into, null);
}

/** Loads of read-modify-writes, those of lock acquisitions too. */
export function atomicLoads({ events }: Classes): Int32Array {
  const loads: number[] = [];
  for (let i = 0; i < events.length; i++) if (isAtomicLoad(events[i])) loads.push(i);
  return Int32Array.from(loads);
}

function isAtomicLoad({ type, partner }: Classes['events'][number]): boolean {
  return (type === 'R' || type === 'LKR') && partner !== -1;
}

/** `empty rmw & (fre ; coe)`: between the load and the store of a read-modify-write no other thread stores. */
export function isAtomic(
  loads: Int32Array,
  { events, internal, stride }: Classes,
  { fr }: Communication,
  witness: Witness,
): boolean {
  const { rf, co } = witness;
  for (let k = 0; k < loads.length; k++) {
    const load = loads[k];
    const store = events[load].partner;
    const row = load * stride;
    for (
      let between = nextMember(fr.bits, row, stride, 0);
      between !== -1;
      between = nextMember(fr.bits, row, stride, between + 1)
    )
      if (!internal.has(between, load) && co.has(between, store)) return false;
    // Of two that read the same store one must come between the other's halves, whatever their order turns out to be.
    for (let other = 0; other < k; other++)
      if (rf[load] !== -1 && rf[loads[other]] === rf[load] && !internal.has(load, loads[other])) return false;
  }
  return true;
}
