// SPDX-License-Identifier: MIT
import type { Relation } from './relation.js';

/** One edge of an explanation, under the name of the relation it belongs to. */
export interface NamedEdge {
  readonly from: number;
  readonly to: number;
  readonly name: string;
}

/** A step of a {@link Machine}: along a relation, or (null) to the next state at the same event. */
interface Step {
  readonly from: number;
  readonly to: number;
  readonly name: string;
  readonly relation: Relation | null;
}

/**
 * A regular expression over relations, as the automaton that {@link shortestPath} runs beside the events. Begins in state 0; `accepting` is where a
 * path may end.
 */
export class Machine {
  readonly steps: Step[] = [];
  accepting = 0;

  /** `relation` under `name` leads from one state to another. */
  step(from: number, to: number, name: string, relation: Relation): this {
    this.steps.push({ from, to, name, relation });
    return this;
  }

  /** All of `relations`. */
  any(from: number, to: number, relations: ReadonlyMap<string, Relation>): this {
    for (const [name, relation] of relations) this.step(from, to, name, relation);
    return this;
  }

  /** From one state to another for nothing. */
  skip(from: number, to: number): this {
    this.steps.push({ from, to, name: '', relation: null });
    return this;
  }

  accept(state: number): this {
    this.accepting = state;
    return this;
  }
}

/** The edges of a shortest path of the machine's language from one event to another, or null. A path of no edges counts only when `empty`. */
export function shortestPath(
  machine: Machine,
  size: number,
  from: number,
  to: number,
  empty: boolean,
): NamedEdge[] | null {
  const states = Math.max(machine.accepting, ...machine.steps.flatMap((step) => [step.from, step.to])) + 1;
  /** How event and state were come to: the edge, and the place before. `moved`: with an edge at all. */
  const seen = new Map<number, { before: number; edge: NamedEdge | null }>();
  const place = (event: number, state: number, moved: boolean): number =>
    (event * states + state) * 2 + (moved ? 1 : 0);
  const start = place(from, 0, empty);
  seen.set(start, { before: -1, edge: null });
  let front = [start];
  const goal = place(to, machine.accepting, true);
  while (front.length > 0 && !seen.has(goal)) {
    const next: number[] = [];
    // Edges cost one, skips nothing: skips are followed at once.
    for (let k = 0; k < front.length; k++) {
      const here = front[k];
      const moved = here % 2 === 1;
      const state = (here >> 1) % states;
      const event = Math.floor((here >> 1) / states);
      for (const step of machine.steps) {
        if (step.from !== state) continue;
        if (step.relation === null) {
          const there = place(event, step.to, moved);
          if (!seen.has(there)) {
            seen.set(there, { before: here, edge: null });
            front.push(there);
          }
          continue;
        }
        for (let target = 0; target < size; target++) {
          const there = place(target, step.to, true);
          if (!step.relation.has(event, target) || seen.has(there)) continue;
          seen.set(there, { before: here, edge: { from: event, to: target, name: step.name } });
          next.push(there);
        }
      }
    }
    front = next;
  }
  const edges: NamedEdge[] = [];
  for (let at = seen.get(goal); at !== undefined; at = seen.get(at.before))
    if (at.edge !== null) edges.unshift(at.edge);
  return seen.has(goal) ? edges : null;
}

/** A shortest cycle of the machine's language, or null. */
export function shortestCycle(machine: Machine, size: number): NamedEdge[] | null {
  let best: NamedEdge[] | null = null;
  for (let i = 0; i < size; i++) {
    const cycle = shortestPath(machine, size, i, i, false);
    if (cycle !== null && (best === null || cycle.length < best.length)) best = cycle;
  }
  return best;
}
