// SPDX-License-Identifier: MIT

import type { Litmus } from '@lockless/litmus';
import { INITIAL, lkmm, type MemoryModel, Relation, sc, tso } from '@lockless/memory-model';
import type { Place } from '../../packages/litmus/src/ast.js';
import { elaborate, type Program } from '../../packages/litmus/src/elaborate.js';
import { isLoad, isStore, type Planned, type Segment } from '../../packages/litmus/src/elaborate-event.js';
import { placeText } from '../../packages/litmus/src/proposition.js';
import { Search } from '../../packages/litmus/src/search.js';
import { type Final, FinalState, finalValues, toFinalValue } from '../../packages/litmus/src/search-final.js';
import type { Graph } from '../../packages/litmus/src/search-graph.js';
import { decidingPlaces, holds, observedPlaces } from '../../packages/litmus/src/state.js';
import { stateKey } from './litmus-as-program.js';

const MODELS: Readonly<Record<'sc' | 'tso' | 'lkmm', MemoryModel>> = { sc, tso, lkmm };

export interface Solved {
  /** Executions by final state. */
  readonly states: Readonly<Record<string, number>>;
  readonly executions: number;
  /** A loop was cut. */
  readonly cut: boolean;
  /** Some way of the program ends with a thread that waits for a lock. */
  readonly stuck: boolean;
}

/**
 * What the litmus engine finds when every store depends on every load before it, and nothing is out of thin air: what the checker assumes of code
 * without syntax.
 */
export function solveAssuming(litmus: Litmus, model: 'sc' | 'tso' | 'lkmm', unroll = 4): Solved {
  const program = elaborate(litmus, unroll);
  if (model === 'lkmm') for (const thread of program.threads) assume(thread, []);
  const states: Record<string, number> = {};
  let executions = 0;
  let cut = false;
  let stuck = false;
  new Search(program, MODELS[model], {
    complete: (graph) => {
      if (!causesComeFirst(graph)) return;
      const state = stateOf(graph, program);
      if (state === null) return;
      executions++;
      states[state] = (states[state] ?? 0) + 1;
    },
    cut: () => {
      cut = true;
    },
    stuck: () => {
      stuck = true;
    },
    step: () => {},
  }).run();
  return { states, executions, cut, stuck };
}

function assume({ events, end }: Segment, before: readonly Planned[]): void {
  const loads = [...before];
  for (const event of events) {
    if (isStore(event)) Object.assign(event, { ctrl: [...loads], data: [] });
    else if (isLoad(event)) loads.push(event);
  }
  if (end.kind === 'branch') for (const arm of end.arms) assume(arm, loads);
}

/** Program order and reads-from, together, have no cycle. */
function causesComeFirst({ events, rf }: Graph): boolean {
  const order = new Relation(events.length);
  const last = new Map<number, number>();
  events.forEach(({ thread }, e) => {
    if (rf[e] >= 0) order.add(rf[e], e);
    if (thread === INITIAL) return;
    const before = last.get(thread);
    if (before !== undefined) order.add(before, e);
    last.set(thread, e);
  });
  order.close();
  return events.every((_, e) => !order.has(e, e));
}

function stateOf(graph: Graph, program: Program): string | null {
  const unknown = finalValues(graph);
  if (unknown === null) return null;
  const final = new FinalState(graph, unknown);
  const values = new Map<string, Final>();
  for (const place of decidingPlaces(program.litmus)) {
    const value = final.read(place);
    if (value === null) return null;
    values.set(placeText(place), value);
  }
  const read = (place: Place) => toFinalValue(program, values.get(placeText(place)) ?? 0n);
  if (program.litmus.filter !== null && !holds(program.litmus.filter, read)) return null;
  return stateKey(observedPlaces(program.litmus).map(read));
}
