// SPDX-License-Identifier: MIT
import { causalOrder } from './causal-order.js';
import type { ReferenceConsistency } from './consistency.js';
import type { AccessSite } from './execution.js';
import type { Graph } from './graph.js';
import { Level } from './levels.js';
import * as N from './node.js';
import { openSections } from './rcu-sections.js';
import { Restriction } from './restrict.js';

/*
 * A grace period is an event that never waits: the model forbids the executions in which it ended too early. But a reader that waits for ever, inside
 * of its critical section, keeps the grace period from ending, and what comes after it never happens. So a graph that the model forbids for
 * its grace periods is looked at again without one of them and what that is a cause of; the other threads go on as far as they come. If a
 * reader waits then, and the grace period has to wait for it, this is how it stays.
 */

const code = 0;
const nowhere: AccessSite = { code, frames: [] };

/** Where a thread is that waits for a grace period. */
export const HELD_UP: N.TraceNode = new N.TraceNode(
  N.WAIT,
  code,
  nowhere,
  false,
  { address: 0, operand: 0, expected: 0 },
  -1,
  0,
  0,
  null,
  undefined,
);

/** Takes each grace period of a forbidden graph away, lets the others go on, and gives what has come to a standstill. */
export function* heldUpBy(
  graph: Graph,
  reference: ReferenceConsistency,
  goOn: (level: Level) => boolean,
): Generator<Graph> {
  for (let period = 0; period < graph.size; period++) {
    const node = graph.nodes[period];
    if (node.kind !== N.FENCE || node.operation !== N.F_RCU_SYNC) continue;
    const thread = graph.thread[period];
    const level = new Level(graph.threads);
    const rest = level.graph;
    new Restriction().copyWithout(graph, rest, period);
    if (openSections(rest).length === 0) continue;
    rest.cursor[thread] = HELD_UP;
    if (!goOn(level)) continue;
    const sections = openSections(rest);
    const event = rest.add(thread, node);
    const order = causalOrder(rest);
    // It need not wait for a section that may have begun after it did.
    const waits = sections.some((after) => !reference.allows(rest, order, null, { before: event, after }));
    rest.cut(event);
    rest.cursor[thread] = HELD_UP;
    if (waits) yield rest;
  }
}
