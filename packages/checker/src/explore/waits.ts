// SPDX-License-Identifier: MIT
import * as N from './node.js';
import { TAKE_LOCK, TAKE_READ_LOCK } from './read-modify-write.js';
import type { Run } from './run.js';
import type { Scope } from './scope.js';

/*
 * Retry loops and spins. A thread that comes back to the same access at the same call stack, having changed nothing since, is taken to be in a
 * loop; the loop is tried out: fed the same values, the code has to go round many times more without doing anything else. (One that merely
 * counts to three leaves, and is not cut.) Such a round adds nothing: an execution with it in it stays an execution when it is taken out, with
 * the same stores and the same state of the thread. So only executions are explored in which the first round that is not in vain is the first.
 * That the state is the same is not taken for granted: carried-state.ts looks, and where it is not, rounds are explored before one is left out.
 */

/** What can be tried out: a thread's code. */
export interface Tryable {
  newRun(path: readonly N.TraceNode[]): Run;
  resume(run: Run): IteratorResult<unknown, unknown>;
}

/** Rounds that a loop is tried out for: one that gives up after fewer is not cut. */
const TRIAL_ROUNDS = 100;
/** The same for the first trials of a loop: one that gives up after fewer is cut, but the verdict says so. */
const LONG_TRIAL_ROUNDS = 1000;
/** Earlier visits of the access that are looked at. */
const MAX_CANDIDATES = 4;
/** Accesses that a round may have. */
const MAX_ROUND = 500;

/** How many events the last round of a loop has that the thread would go round again with this access; 0 when it is in none. */
export function loopsFrom(thread: Tryable, head: N.TraceNode, scope: Scope): number {
  let answer: unknown = head.fed;
  let length = 0;
  let candidates = 0;
  for (let at = head.parent; at !== null && length < MAX_ROUND; at = at.parent) {
    if (changesSomething(at, answer)) return 0;
    length++;
    if (isSameAccess(at, head) && at.site === head.site) {
      const earlier = scope.loops.earlierRounds(head.site);
      if (repeats(head, length, earlier) && isLoop(thread, head, length, scope)) return length;
      if (++candidates === MAX_CANDIDATES) return 0;
    }
    answer = at.fed;
  }
  return 0;
}

/** Whether that many rounds like the last one came before it. */
function repeats(head: N.TraceNode, length: number, times: number): boolean {
  let earlier: N.TraceNode | null = head;
  for (let i = 0; i < length; i++) earlier = earlier?.parent ?? null;
  for (let i = 0, later: N.TraceNode = head; i < length * times; i++) {
    const a: N.TraceNode | null | undefined = earlier?.parent;
    const b = later.parent as N.TraceNode;
    if (a === null || a === undefined || earlier?.fed !== later.fed || !isSameAccess(a, b)) return false;
    earlier = a;
    later = b;
  }
  return true;
}

/** Tries a loop out for a while, and the first times for longer: who gives up after very many rounds does not wait for ever. */
function isLoop(thread: Tryable, head: N.TraceNode, length: number, { loops }: Scope): boolean {
  if (!goesRound(thread, head, length, TRIAL_ROUNDS)) return false;
  if (loops.isNew(head.site) && !goesRound(thread, head, length, LONG_TRIAL_ROUNDS)) loops.noteGivingUp(head.site);
  return true;
}

const isSameAccess = (a: N.TraceNode, b: N.TraceNode): boolean =>
  a.kind === b.kind &&
  a.code === b.code &&
  a.address === b.address &&
  a.operation === b.operation &&
  a.operand === b.operand &&
  a.expected === b.expected;

/** Whether others could see that the access happened. */
function changesSomething(node: N.TraceNode, answer: unknown): boolean {
  switch (node.kind) {
    case N.READ:
      return false;
    case N.FENCE:
      return node.operation === N.F_CALL_RCU || node.operation === N.F_FREE || node.operation === N.F_RCU_SYNC;
    case N.RMW:
      return !leavesWord(node, answer);
    default:
      return true;
  }
}

/** A read-modify-write that failed, or that set a bit that was set. */
function leavesWord(node: N.TraceNode, answer: unknown): boolean {
  if (node.operation === TAKE_LOCK || node.operation === TAKE_READ_LOCK) return false;
  if (typeof answer === 'boolean') {
    const setsOneBit = node.operation === OR && node.operand === node.expected && isOneBit(node.operand);
    return node.operation === OR ? setsOneBit && answer : answer === false && isConditional(node.operation);
  }
  return node.operation === CMPXCHG && answer !== node.expected;
}

const OR = 2;
const CMPXCHG = 5;
const isOneBit = (mask: number): boolean => (mask & (mask - 1)) === 0;
/** cmpxchg, add-unless, trylock, wake-up. */
const isConditional = (operation: number): boolean =>
  operation === 5 || operation === 6 || operation === 8 || operation === 11;

/** Tries the loop out whose last round had `length` accesses. */
function goesRound(thread: Tryable, head: N.TraceNode, length: number, rounds: number): boolean {
  const path = N.pathTo(head.parent as N.TraceNode);
  const round = path.slice(-length);
  const answers = [...round.slice(1).map((node) => node.fed), head.fed];
  const run = thread.newRun(path);
  run.trial = { round, answers, at: 0, left: length * rounds, located: length, differs: false };
  const readers = run.cpu.preemptCount;
  try {
    if (thread.resume(run).done) return false;
  } catch {
    return false;
  }
  return !run.trial.differs && run.cpu.preemptCount - readers < rounds;
}
