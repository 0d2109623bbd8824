// SPDX-License-Identifier: MIT
import { PRIMITIVES } from '@lockless/cpu';
import type { Execution } from '../../src/explore/execution.js';
import { type ExploreCounts, explore } from '../../src/explore/explorer.js';
import type { RevisitRules } from '../../src/explore/revisit.js';
import type { Program } from '../../src/program.js';
import type { ModelName } from '../../src/result.js';
import { graphKey } from './brute-force.js';

/** The graph of an execution as {@link graphKey} tells it. Fences that the model has no use for are no events: they are left out. */
export function keyOf(execution: Execution): string {
  const { threads } = execution;
  const isFence = (code: number): boolean => PRIMITIVES[code].event === 'F';
  const count = threads.map(() => 0);
  const names = execution.events.map(({ thread, code }) => (isFence(code) ? '' : `${thread}.${count[thread]++}`));
  const events = execution.events.filter(({ code }) => !isFence(code));
  const readsFrom: string[][] = threads.map(() => []);
  for (const { thread, readsFrom: source } of events)
    readsFrom[thread].push(source === null ? '-' : source === 'initial' ? 'init' : names[source]);
  const addresses = new Set(events.filter((e) => e.written !== null).map((e) => e.address));
  const coherence = new Map([...addresses].map((x) => [x, execution.coherence(x).map((s) => names[s])]));
  return graphKey(readsFrom, coherence);
}

/**
 * All complete executions of a program, in the order in which they are found, and how many of what there were; gives up when there are more than
 * `most`.
 */
export function graphsOf(
  program: Program,
  model: ModelName,
  options: { readonly breakRules?: Partial<RevisitRules>; readonly most?: number; readonly shareAll?: boolean } = {},
): { readonly keys: string[]; readonly counts: ExploreCounts } {
  const { most = Number.POSITIVE_INFINITY, breakRules = {}, shareAll = true } = options;
  const keys: string[] = [];
  const explorer = explore({
    program,
    model,
    shareAll,
    breakRules,
    onExecution: (execution) => keys.push(keyOf(execution)) > most,
    onRestart: () => {
      keys.length = 0;
    },
  });
  explorer.run();
  if (explorer.error !== null) throw explorer.error.cause;
  return { keys, counts: explorer.counts };
}
