// SPDX-License-Identifier: MIT
import type { AccessSite } from './execution.js';
import * as N from './node.js';
import { Nondeterminism } from './thread-engine.js';
import type { Tryable } from './waits.js';

/*
 * A round in vain is left out because it leaves the thread where it was. Where the code is, the call stack tells; what its local variables hold
 * cannot be seen. So each way on that is known from the head of such a loop is executed once more with the round put in before it: the
 * code has to make the same accesses and come to the same end.
 */

/** Whether what a word that only this thread touches holds in the end, one value or another, shows. */
export type Shows = (address: number, a: number | undefined, b: number | undefined) => boolean;

/** The heads of loops whose rounds in vain are not without effect on what follows, as far as a thread's trie tells. */
export function headsThatCarryState(thread: Tryable, root: N.TraceNode, shows: Shows): AccessSite[] {
  const ends: N.TraceNode[] = [];
  const rounds = new Map<N.TraceNode, N.TraceNode[]>();
  for (let todo = [root], node = todo.pop(); node !== undefined; node = todo.pop()) {
    const children = node.children();
    if (children.length === 0) ends.push(node);
    todo.push(...children);
    if (node.kind !== N.WAIT) continue;
    const head = headOf(node);
    const known = rounds.get(head);
    if (known === undefined) rounds.set(head, [node]);
    else known.push(node);
  }
  const found = new Set<AccessSite>();
  if (rounds.size === 0) return [];
  for (const end of ends) {
    const path = N.pathTo(end);
    for (let i = 0; i < path.length; i++) {
      for (const wait of rounds.get(path[i]) ?? [])
        if (wait !== end && !found.has(path[i].site) && !isSameAfter(thread, path, i, wait, shows))
          found.add(path[i].site);
    }
  }
  return [...found];
}

/** The access that the last round before a wait begins with. */
function headOf(wait: N.TraceNode): N.TraceNode {
  let head = wait;
  for (let i = 0; i < wait.window; i++) head = head.parent as N.TraceNode;
  return head;
}

/** Whether the thread goes the rest of a path in the same way when it went round the loop that begins at `path[at]` before. */
function isSameAfter(
  thread: Tryable,
  path: readonly N.TraceNode[],
  at: number,
  wait: N.TraceNode,
  shows: Shows,
): boolean {
  const end = path[path.length - 1];
  const ends = end.kind === N.END || end.kind === N.BUG;
  const round = N.pathTo(wait.parent as N.TraceNode).slice(-wait.window);
  const last = ends ? [] : [end.kind === N.WAIT ? headOf(end) : end];
  const nodes = [...path.slice(0, at), ...round, ...path.slice(at, -1), ...last];
  const fed = path.slice(1).map((node) => node.fed);
  const answers = [...fed.slice(0, at), ...round.slice(1).map((node) => node.fed), wait.fed, ...fed.slice(at)];
  const run = thread.newRun([]);
  // An end has to come before one more access is made.
  run.trial = { round: nodes, answers, at: 0, left: nodes.length + (ends ? 1 : 0), located: 0, differs: false };
  try {
    const { done, value } = thread.resume(run);
    if (done !== true) return !ends && !run.trial.differs;
    return (
      end.kind === N.END &&
      run.trial.left === 1 &&
      isSameValue(value, end.outcome) &&
      isSameMemory(run.own, end.own ?? NOTHING, shows)
    );
  } catch (thrown) {
    if (thrown instanceof Nondeterminism) throw thrown;
    return end.kind === N.BUG && run.trial.left === 1 && String(thrown) === String(end.outcome);
  }
}

/** Results are made anew each time: those that look the same are the same. */
const isSameValue = (a: unknown, b: unknown): boolean => Object.is(a, b) || textOf(a) === textOf(b);

const textOf = (value: unknown): string | undefined =>
  JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? `${part}n` : part));

const NOTHING: ReadonlyMap<number, number> = new Map();

/** A count of retries that nobody ever reads is no difference. */
function isSameMemory(a: ReadonlyMap<number, number>, b: ReadonlyMap<number, number>, shows: Shows): boolean {
  for (const address of new Set([...a.keys(), ...b.keys()]))
    if (a.get(address) !== b.get(address) && shows(address, a.get(address), b.get(address))) return false;
  return true;
}
