// SPDX-License-Identifier: MIT
import type { AccessSite } from './execution.js';
import * as N from './node.js';
import { Nondeterminism } from './nondeterminism.js';
import type { Tryable } from './waits.js';

/*
 * A round in vain is left out because it leaves the thread where it was. Where the code is, the call stack tells; what its local variables hold
 * cannot be seen. So each way on that is known from the head of such a loop is executed once more with rounds put in before it: the code has to make
 * the same accesses and come to the same end. Of a loop that has so many ways on that this takes too long, many are.
 */

/** Ways on from the heads of one loop that are tried with one round put in, and with several. */
const MOST_WITH_ONE = 20_000;
const MOST_WITH_SEVERAL = 200;
/** Several: that many, of so many different ones. What a round leaves behind may show only after the next one. */
const SEVERAL = 3;

/** Whether what a word that only this thread touches holds in the end, one value or another, shows. */
export type Shows = (address: number, a: number | undefined, b: number | undefined) => boolean;

/** The heads of loops whose rounds in vain are not without effect on what follows, as far as a thread's trie tells. */
export function headsThatCarryState(thread: Tryable, root: N.TraceNode, shows: Shows): AccessSite[] {
  const { ends, waits } = leavesOf(root);
  if (waits.size === 0) return [];
  const found = new Set<AccessSite>();
  const tried = new Map<AccessSite, number>();
  for (const end of ends) {
    const path = N.pathTo(end);
    for (const [at, head] of path.entries()) {
      const here = waits.get(head);
      if (here === undefined) continue;
      const { site } = head;
      if (found.has(site)) continue;
      const times = tried.get(site) ?? 0;
      tried.set(site, times + 1);
      if (times >= MOST_WITH_ONE) continue;
      const others = here.filter((wait) => wait !== end);
      const differs = (rounds: readonly N.TraceNode[]): boolean => !isSameAfter(thread, path, at, rounds, shows);
      if (others.some((wait) => differs([wait])) || (times < MOST_WITH_SEVERAL && sequences(here).some(differs)))
        found.add(site);
    }
  }
  return [...found];
}

/** Where the paths of a trie end, and the waits among them, by the access that a round begins with. */
function leavesOf(root: N.TraceNode): { ends: N.TraceNode[]; waits: Map<N.TraceNode, N.TraceNode[]> } {
  const ends: N.TraceNode[] = [];
  const waits = new Map<N.TraceNode, N.TraceNode[]>();
  for (let todo = [root], node = todo.pop(); node !== undefined; node = todo.pop()) {
    const children = node.children();
    if (children.length === 0) ends.push(node);
    todo.push(...children);
    if (node.kind !== N.WAIT) continue;
    const head = headOf(node);
    const known = waits.get(head);
    if (known === undefined) waits.set(head, [node]);
    else known.push(node);
  }
  return { ends, waits };
}

/** All sequences of two or more rounds. */
function sequences(waits: readonly N.TraceNode[]): N.TraceNode[][] {
  const some = waits.slice(0, SEVERAL);
  let longest = some.map((wait) => [wait]);
  const all: N.TraceNode[][] = [];
  for (let length = 2; length <= SEVERAL; length++) {
    longest = longest.flatMap((before) => some.map((wait) => [...before, wait]));
    all.push(...longest);
  }
  return all;
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
  waits: readonly N.TraceNode[],
  shows: Shows,
): boolean {
  const end = path[path.length - 1];
  const ends = end.kind === N.END || end.kind === N.BUG;
  const last = ends ? [] : [end.kind === N.WAIT ? headOf(end) : end];
  const nodes = path.slice(0, at);
  const answers = path.slice(1, at + 1).map((node) => node.fed);
  for (const wait of waits) {
    const round = N.pathTo(wait.parent as N.TraceNode).slice(-wait.window);
    nodes.push(...round);
    answers.push(...round.slice(1).map((node) => node.fed), wait.fed);
  }
  nodes.push(...path.slice(at, -1), ...last);
  answers.push(...path.slice(at + 1).map((node) => node.fed));
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
