// SPDX-License-Identifier: MIT
import type { Primitive, RmwOperation, RmwResult } from '@lockless/cpu';
import { PRIMITIVES, rmwResult } from '@lockless/cpu';

/* Operations of a RMW node: those of the primitive table, then what locks and wake-ups do to their word. */
const TABLE: readonly RmwOperation[] = ['add', 'and', 'or', 'xor', 'xchg', 'cmpxchg', 'add-unless'];
const CMPXCHG = TABLE.indexOf('cmpxchg');
const ADD_UNLESS = TABLE.indexOf('add-unless');
/** 0 -> 1, or wait. */
export const TAKE_LOCK = 7;
/** 0 -> 1, or go without. */
export const TRY_LOCK = 8;
/** One more reader (a count below 0), or wait. */
export const TAKE_READ_LOCK = 9;
export const DROP_READ_LOCK = 10;
/** A sleeper's state -> TASK_RUNNING, if it sleeps. */
export const WAKE_UP = 11;

export const operationOf = (primitive: Primitive): number => TABLE.indexOf(primitive.operation as RmwOperation);

/** Whether the store happens. */
export function succeeds(operation: number, old: number, operand: number, expected: number): boolean {
  switch (operation) {
    case CMPXCHG:
      return old === expected;
    case ADD_UNLESS:
      return old !== expected;
    case TAKE_LOCK:
    case TRY_LOCK:
      return old === 0;
    case TAKE_READ_LOCK:
      return old <= 0;
    case WAKE_UP:
      return (old & operand) !== 0;
    default:
      return true;
  }
}

/** Whether the value stored is computed from the one loaded: a data dependency. That of the others is given. */
export const dependsOnOld = (operation: number): boolean => operation <= 3 || operation === ADD_UNLESS;

/** The value stored by an operation that succeeds. */
export function stores(operation: number, old: number, operand: number): number {
  switch (operation) {
    case 0:
    case ADD_UNLESS:
    case DROP_READ_LOCK:
      return (old + (operation === DROP_READ_LOCK ? 1 : operand)) | 0;
    case 1:
      return old & operand;
    case 2:
      return old | operand;
    case 3:
      return old ^ operand;
    case TAKE_LOCK:
    case TRY_LOCK:
      return 1;
    case TAKE_READ_LOCK:
      return old - 1;
    case WAKE_UP:
      return 0;
    default:
      return operand;
  }
}

/** A lock that is not free is waited for: the event does not happen. */
export const waitsForLock = (operation: number): boolean => operation === TAKE_LOCK || operation === TAKE_READ_LOCK;

/** What the code is given. */
export function resultOf(
  code: number,
  operation: number,
  old: number,
  stored: number,
  expected: number,
  success: boolean,
): unknown {
  if (operation === TRY_LOCK || operation === WAKE_UP) return success;
  if (operation >= TAKE_LOCK) return undefined;
  const value = rmwResult(PRIMITIVES[code].result as RmwResult, old, stored, expected, success);
  return PRIMITIVES[code].result === 'none' ? undefined : value;
}

/** What the code is given when a read-modify-write finds that value. */
export function answerOf({ code, operation, operand, expected }: Operation, old: number): unknown {
  const success = succeeds(operation, old, operand, expected);
  const stored = success ? stores(operation, old, operand) : old;
  return resultOf(code, operation, old, stored, expected, success);
}

interface Operation {
  readonly code: number;
  readonly operation: number;
  readonly operand: number;
  readonly expected: number;
}

/** The result as the key of a trie's edge. */
export const keyOf = (result: unknown): number => (typeof result === 'number' ? result : result === true ? 1 : 0);
