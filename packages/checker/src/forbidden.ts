// SPDX-License-Identifier: MIT
import { explain, lkmm, sc, tso } from '@lockless/memory-model';
import type { Counterexample } from './counterexample.js';
import type { Execution } from './explore/execution.js';
import { explore } from './explore/explorer.js';
import type { Program } from './program.js';
import { Replay } from './replay.js';
import { parseReplayToken } from './replay-token.js';
import type { ModelName } from './result.js';

const MODELS = { sc, tso, lkmm };

/**
 * Why an execution that goes wrong without some ordering sites is none with them: the axiom of the model that forbids it, and the cycle, as
 * `happens-before: 1 -wmb-> 2 -rfe-> 3 -rmb-> 4 -fre-> 1` with the numbers of steps. `program` has everything in place. Null when the model
 * allows it all the same, or the program goes another way.
 */
export function forbiddenBy(
  program: Program,
  model: ModelName,
  token: string,
  counterexample: Counterexample,
): string | null {
  let why: string | null = null;
  const steering = new Replay(parseReplayToken(token), true, (execution) => {
    why = explanation(execution, model, stepNumbers(counterexample));
  });
  try {
    explore({ program, model }).follow(steering);
  } catch {
    return null;
  }
  return why;
}

interface Countable {
  readonly thread: number;
  readonly read: number | null;
  readonly written: number | null;
}

/** Names events by thread and how many accesses to memory it had made: fences, of which one execution has more, do not count. */
function accessNames<E extends Countable>(events: readonly E[]): Map<E, string> {
  const counts: number[] = [];
  const names = new Map<E, string>();
  for (const event of events) {
    if (event.read === null && event.written === null) continue;
    const n = (counts[event.thread] ?? 0) + 1;
    counts[event.thread] = n;
    names.set(event, `${event.thread}:${n}`);
  }
  return names;
}

/** Numbers of the steps by the names of their events. */
function stepNumbers({ finding, order, steps }: Counterexample): Map<string, number> {
  const numbers = new Map<string, number>();
  const names = accessNames(finding.snapshot.events);
  order.forEach((event, i) => {
    const name = names.get(event);
    if (name !== undefined) numbers.set(name, steps[i].number);
  });
  return numbers;
}

function explanation(execution: Execution, model: ModelName, numbers: ReadonlyMap<string, number>): string | null {
  const { skeleton, witness, origin } = execution.graph();
  const found = explain(MODELS[model], skeleton, witness);
  if (found === null || found.edges.length === 0) return null;
  const { events, threads } = execution;
  const names = accessNames(events);
  const nameOf = (position: number): string => {
    const at = origin[position];
    if (at < 0) return 'the beginning';
    const event = events[at];
    const number = numbers.get(names.get(event) ?? '');
    return number === undefined
      ? `${threads[event.thread].name}'s ${execution.describe(event.address)}`
      : String(number);
  };
  const { axiom, edges } = found;
  const chained = edges.every(({ from }, i) => i === 0 || edges[i - 1].to === from);
  if (chained)
    return `${axiom}: ${nameOf(edges[0].from)} ${edges.map(({ to, name }) => `-${name}-> ${nameOf(to)}`).join(' ')}`;
  return `${axiom}: ${edges.map(({ from, to, name }) => `${nameOf(from)} -${name}-> ${nameOf(to)}`).join(', ')}`;
}
