// SPDX-License-Identifier: MIT
import type { Place } from './ast.js';
import type { Planned } from './elaborate-event.js';
import type { Term, Value } from './elaborate-value.js';
import { LitmusError } from './error.js';
import type { FinalValue } from './outcome.js';
import type { Graph } from './search-graph.js';

/** A value that nothing determines, by the number of one of the loads that pass it on to each other. */
export interface Undetermined {
  readonly symbol: number;
}

export type Final = Value | Undetermined;

/**
 * Values of a complete execution. Loads may pass a value around in a circle (each reads what the next one stores): such an execution exists, for herd
 * and for us, and the value is nobody knows what. If something is computed from it on the way the equations have no solution that herd would find, and
 * there is no such execution: null.
 */
export function finalValues(graph: Graph): ReadonlyMap<number, Undetermined> | null {
  const unknown = new Map<number, Undetermined>();
  for (let number = 0; number < graph.events.length; number++) {
    if (graph.values[number] !== undefined || graph.events[number].type === 'F') continue;
    const symbol = circleOf(graph, number);
    if (symbol === null) return null;
    unknown.set(number, { symbol });
  }
  return unknown;
}

/** Follows a value to where it comes from: the lowest number of the circle, or null when it is computed on the way. */
function circleOf(graph: Graph, from: number): number | null {
  const seen: number[] = [];
  for (let number = from; ; ) {
    const planned = graph.planned[number] as Planned;
    if (planned.value === null) {
      const circle = seen.indexOf(number);
      if (circle !== -1) return Math.min(...seen.slice(circle));
      seen.push(number);
      number = graph.rf[number];
    } else if (planned.value.kind === 'load') number = graph.number(planned.value.load);
    else {
      rejectMeaningless(graph, planned, planned.value);
      return null;
    }
  }
}

/** All that it needs is known, and still it has no value. */
function rejectMeaningless(graph: Graph, { at }: Planned, term: Term): void {
  const known = (part: Term): boolean =>
    part.kind === 'operation' ? known(part.left) && known(part.right) : graph.evaluate(part) !== undefined;
  if (known(term))
    throw new LitmusError(
      graph.program.litmus.source,
      at,
      'the value stored here has no meaning: an operation on an address, a division by zero or a shift out of range',
    );
}

/** Reads places of complete executions. */
export class FinalState {
  readonly #graph: Graph;
  readonly #unknown: ReadonlyMap<number, Undetermined>;

  constructor(graph: Graph, unknown: ReadonlyMap<number, Undetermined>) {
    this.#graph = graph;
    this.#unknown = unknown;
  }

  /** Null where the value of the place makes the execution impossible. */
  read({ thread, name }: Place): Final | null {
    return thread === null ? this.#variable(name) : this.#register(thread, name);
  }

  #variable(name: string): Final {
    const { program, places, coherence, values } = this.#graph;
    for (let location = 0; location < places.length; location++) {
      if (program.addresses.nameOf(places[location]) !== name) continue;
      const last = coherence.final(location);
      return values[last] ?? (this.#unknown.get(last) as Undetermined);
    }
    return program.initial.get(name) ?? 0n;
  }

  #register(thread: number, name: string): Final | null {
    const { program, current } = this.#graph;
    const { end } = current[thread];
    const term = end.kind === 'finish' ? end.registers.get(name) : undefined;
    if (term === undefined) return program.initialRegisters[thread].get(name) ?? 0n;
    const value = this.#graph.evaluate(term);
    if (value !== undefined) return value;
    if (term.kind === 'load') return this.#unknown.get(this.#graph.number(term.load)) ?? null;
    return null;
  }
}

/** As it is printed. */
export function toFinalValue({ addresses }: Graph['program'], value: Final): FinalValue {
  if (typeof value === 'bigint') return { constant: value };
  return 'symbol' in value ? { symbol: value.symbol } : { address: addresses.nameOf(value) };
}
