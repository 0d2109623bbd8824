// SPDX-License-Identifier: MIT
import type { EventKind, Ordering } from '@lockless/cpu';
import { PRIMITIVES } from '@lockless/cpu';
import type { ModelName } from '../result.js';
import * as N from './node.js';
import * as O from './read-modify-write.js';

/** What an access is as an event: the kinds of node.ts. */
export interface Meaning {
  readonly kind: number;
  readonly operation: number;
  readonly order: number;
}

const FENCES: Partial<Record<Ordering, number>> = {
  mb: N.F_MB,
  rmb: N.F_RMB,
  wmb: N.F_WMB,
  'before-atomic': N.F_BEFORE_ATOMIC,
  'after-atomic': N.F_AFTER_ATOMIC,
  'after-spinlock': N.F_AFTER_SPINLOCK,
  'after-unlock-lock': N.F_AFTER_UNLOCK_LOCK,
  compiler: N.F_BARRIER,
};

const ORDERS: Partial<Record<Ordering, number>> = {
  plain: N.PLAIN,
  acquire: N.ACQUIRE,
  release: N.RELEASE,
  full: N.FULL,
};

const MB: Meaning = { kind: N.FENCE, operation: N.F_MB, order: 0 };
const fence = (operation: number): Meaning[] => [{ kind: N.FENCE, operation, order: 0 }];

const BY_EVENT: Partial<Record<EventKind, (order: number, code: number) => readonly Meaning[]>> = {
  R: (order) => [{ kind: N.READ, operation: 0, order }],
  W: (order, code) =>
    PRIMITIVES[code].order === 'mb'
      ? [{ kind: N.WRITE, operation: 0, order: 0 }, MB]
      : [{ kind: N.WRITE, operation: 0, order }],
  RMW: (order, code) => {
    const primitive = PRIMITIVES[code];
    const noreturn = primitive.result === 'none' ? N.NORETURN : 0;
    return [{ kind: N.RMW, operation: O.operationOf(primitive), order: order | noreturn }];
  },
  F: (_, code) => fence(FENCES[PRIMITIVES[code].order] as number),
  LK: (_, code) => [{ kind: N.RMW, operation: O.TAKE_LOCK, order: N.ACQUIRE | spinlock(code) }],
  LF: (_, code) => [{ kind: N.RMW, operation: O.TRY_LOCK, order: N.ACQUIRE | spinlock(code) }],
  UL: (_, code) => [{ kind: N.WRITE, operation: 0, order: N.RELEASE | spinlock(code) }],
  RLK: () => [{ kind: N.RMW, operation: O.TAKE_READ_LOCK, order: N.ACQUIRE }],
  RUL: () => [{ kind: N.RMW, operation: O.DROP_READ_LOCK, order: N.RELEASE }],
  RCU_LOCK: () => fence(N.F_RCU_LOCK),
  RCU_UNLOCK: () => fence(N.F_RCU_UNLOCK),
  RCU_SYNC: () => fence(N.F_RCU_SYNC),
  CALL_RCU: () => fence(N.F_CALL_RCU),
  CHOOSE: () => [{ kind: N.CHOOSE, operation: 0, order: 0 }],
  ALLOC: () => fence(N.F_ALLOC),
  FREE: () => fence(N.F_FREE),
  // A sleeper waits for its state to be TASK_RUNNING: a load that goes on with nothing else. It sees what the waker did before (Documentation/
  // memory-barriers.txt, "Sleep and wake-up functions"): the locks of the run queue see to that.
  SCHEDULE: () => [MB, { kind: N.READ, operation: SLEEP, order: N.ACQUIRE }],
  WAKE: () => [MB, { kind: N.RMW, operation: O.WAKE_UP, order: 0 }],
};

/** Operation of the READ of a sleeper: its thread goes on when it reads TASK_RUNNING, and waits otherwise. */
export const SLEEP = 1;

/** rwlocks are no part of lock.cat: to the model they are atomics that acquire and release. */
const spinlock = (code: number): number => (PRIMITIVES[code].name.startsWith('spin_') ? N.LOCK : 0);

const meanings: (readonly Meaning[])[] = PRIMITIVES.map(({ event, order }, code) =>
  (BY_EVENT[event] ?? (() => []))(ORDERS[order] ?? 0, code),
);

/** The events of an access, in order: none for one that nobody sees, two where an access and a fence are one primitive. */
export const meaningOf = (code: number): readonly Meaning[] => meanings[code];

/** The primitives that say something about order: what a report may leave out. */
export const WEAKENABLE: readonly boolean[] = meanings.map((events) =>
  events.some(
    ({ kind, operation, order }) =>
      (order & (N.ACQUIRE | N.RELEASE | N.FULL)) !== 0 || (kind === N.FENCE && operation <= N.F_BARRIER),
  ),
);

/** Fences that the model has no use for are no events. */
export function fenceMatters(operation: number, model: ModelName, gracePeriods: boolean, races: boolean): boolean {
  switch (operation) {
    case N.F_RCU_LOCK:
    case N.F_RCU_UNLOCK:
      return gracePeriods || (races && model === 'lkmm');
    case N.F_RCU_SYNC:
    case N.F_CALL_RCU:
    case N.F_ALLOC:
    case N.F_FREE:
      return true;
    case N.F_BARRIER:
      return races && model === 'lkmm';
    case N.F_MB:
      return model !== 'sc';
    default:
      return model === 'lkmm';
  }
}
