// SPDX-License-Identifier: GPL-2.0-only
import type { FinalValue, Litmus, Outcome, Place, State } from '@lockless/litmus';
import { decidingPlaces, holds, observedPlaces, solve, stateText } from '@lockless/litmus';
import type { Seen } from './crew.js';

/**
 * `sc`: sequential consistency allows it, and it was seen. `surprising`: seen, and allowed by the memory model only. `unseen`: allowed, and not seen.
 * `forbidden`: seen, and the model does not allow it. `undetermined`: seen, and the model does not say: the test has a data race, or the search was cut
 * where a loop went on.
 */
export type OutcomeKind = 'sc' | 'surprising' | 'unseen' | 'forbidden' | 'undetermined';

export interface OutcomeRow {
  /** The final state in herd's notation. */
  readonly state: string;
  readonly count: number;
  readonly kind: OutcomeKind;
  /** Instances until the first batch in which it was seen was over; null for what was not seen. */
  readonly found: number | null;
  /** Whether the condition of the test, without its quantifier, holds in it. */
  readonly satisfies: boolean;
}

/** What the memory models say about a test. */
export interface Expected {
  readonly lkmm: ReadonlySet<string>;
  readonly sc: ReadonlySet<string>;
  /** LKMM's answer says nothing about outcomes that it does not list. */
  readonly open: boolean;
  /** There is an execution that ends. */
  readonly ends: boolean;
  /** Allowed states whose text is in `lkmm`, by that text. */
  readonly states: ReadonlyMap<string, State>;
}

/** Asks LKMM and SC. */
export function expectedOutcomes(litmus: Litmus): Expected {
  const lkmm = solve(litmus, { model: 'lkmm' });
  const sc = solve(litmus, { model: 'sc' });
  const texts = ({ places, states }: Outcome): [string, State][] =>
    states.map((state) => [stateText(places, state), state]);
  const states = new Map(texts(lkmm));
  const bounded = lkmm.troubles.some(({ kind }) => kind === 'bounded');
  return {
    lkmm: new Set(states.keys()),
    sc: new Set(texts(sc).map(([text]) => text)),
    open: bounded || lkmm.flags.length > 0,
    ends: lkmm.positive + lkmm.negative > 0 || bounded,
    states,
  };
}

/** One row for each outcome that was seen or is allowed: what violates first, then what surprises. */
export function classify(
  litmus: Litmus,
  expected: Expected,
  { outcomes, found }: Pick<Seen, 'outcomes' | 'found'>,
): OutcomeRow[] {
  const observed = observedPlaces(litmus);
  const counts = new Map<string, number>();
  const first = new Map<string, number>();
  const states = new Map(expected.states);
  for (const [text, count] of outcomes) {
    const read = reader(decidingPlaces(litmus), text);
    if (litmus.filter !== null && !holds(litmus.filter, read)) continue;
    const state = observed.map(read);
    const name = stateText(observed, state);
    states.set(name, state);
    counts.set(name, (counts.get(name) ?? 0) + count);
    first.set(name, Math.min(first.get(name) ?? Number.POSITIVE_INFINITY, found.get(text) ?? count));
  }
  const rows = [...states].map(([name, state]): OutcomeRow => {
    const count = counts.get(name) ?? 0;
    const read = (place: Place): FinalValue => state[observed.findIndex((each) => samePlace(each, place))];
    const kind = kindOf(name, count, expected);
    return { state: name, count, kind, found: first.get(name) ?? null, satisfies: holds(litmus.condition, read) };
  });
  return rows.sort((a, b) => ORDER[a.kind] - ORDER[b.kind] || (a.state < b.state ? -1 : 1));
}

const ORDER: Readonly<Record<OutcomeKind, number>> = {
  forbidden: 0,
  undetermined: 1,
  surprising: 2,
  sc: 3,
  unseen: 4,
};

function kindOf(state: string, count: number, { lkmm, sc, open }: Expected): OutcomeKind {
  if (count === 0) return 'unseen';
  if (!lkmm.has(state)) return open ? 'undetermined' : 'forbidden';
  return sc.has(state) ? 'sc' : 'surprising';
}

const samePlace = (a: Place, b: Place): boolean => a.thread === b.thread && a.name === b.name;

/** Values as the threads tell them, one for each place: a number, or the name of a variable for its address. */
function reader(places: readonly Place[], text: string): (place: Place) => FinalValue {
  const values = text.split(' ').map((value): FinalValue => {
    return /^-?\d+$/.test(value) ? { constant: BigInt(value) } : { address: value };
  });
  return (place) => values[places.findIndex((each) => samePlace(each, place))];
}
