// SPDX-License-Identifier: MIT
import type { EventKind, Ordering, Primitive, RmwOperation, RmwResult } from '@lockless/cpu';
import { code, PRIMITIVES } from '@lockless/cpu';

/*
 * cpu's table of primitives as bytes, one array for each column, so that the executor of accesses compares small integers.
 */

export const EVENT_R = 0;
export const EVENT_W = 1;
export const EVENT_RMW = 2;
export const EVENT_F = 3;
export const EVENT_LK = 4;
export const EVENT_LF = 5;
export const EVENT_UL = 6;
export const EVENT_RLK = 7;
export const EVENT_RUL = 8;
export const EVENT_RCU_LOCK = 9;
export const EVENT_RCU_UNLOCK = 10;
export const EVENT_ALLOC = 11;
export const EVENT_FREE = 12;
export const EVENT_RELAX = 13;
export const EVENT_SCHEDULE = 14;
export const EVENT_WAKE = 15;
export const EVENT_IO = 16;
export const EVENT_CHOOSE = 17;
// The others are grace periods as events, which this engine does not have.
const EVENTS: readonly EventKind[] = [
  ...(['R', 'W', 'RMW', 'F', 'LK', 'LF', 'UL', 'RLK', 'RUL'] as const),
  ...(['RCU_LOCK', 'RCU_UNLOCK', 'ALLOC', 'FREE', 'RELAX', 'SCHEDULE', 'WAKE', 'IO', 'CHOOSE'] as const),
  ...(['RCU_SYNC', 'CALL_RCU'] as const),
];

/** Orders nothing between CPUs: plain, once, relaxed, compiler. */
export const ORDER_NONE = 0;
export const ORDER_ACQUIRE = 1;
export const ORDER_RELEASE = 2;
export const ORDER_RMB = 3;
export const ORDER_WMB = 4;
export const ORDER_DEPENDENCY = 5;
/** A full barrier: full, mb, before-atomic, after-atomic. */
export const ORDER_FULL = 6;

const orderOf = (order: Ordering): number => {
  switch (order) {
    case 'acquire':
      return ORDER_ACQUIRE;
    case 'release':
      return ORDER_RELEASE;
    case 'rmb':
      return ORDER_RMB;
    case 'wmb':
      return ORDER_WMB;
    case 'dependency':
      return ORDER_DEPENDENCY;
    case 'full':
    case 'mb':
    case 'before-atomic':
    case 'after-atomic':
    case 'after-spinlock':
    case 'after-unlock-lock':
      return ORDER_FULL;
    default:
      return ORDER_NONE;
  }
};

export const OPERATION_ADD = 0;
export const OPERATION_AND = 1;
export const OPERATION_OR = 2;
export const OPERATION_XOR = 3;
// 4 is xchg, which stores its operand and needs no case of its own.
export const OPERATION_CMPXCHG = 5;
export const OPERATION_ADD_UNLESS = 6;
const OPERATIONS: readonly RmwOperation[] = ['add', 'and', 'or', 'xor', 'xchg', 'cmpxchg', 'add-unless'];

// 0 is none.
export const RESULT_OLD = 1;
export const RESULT_NEW = 2;
export const RESULT_ZERO = 3;
export const RESULT_NEGATIVE = 4;
export const RESULT_BITS = 5;
export const RESULT_SUCCESS = 6;
const RESULTS: readonly RmwResult[] = ['none', 'old', 'new', 'zero', 'negative', 'bits-set', 'success'];

const column = (value: (p: Primitive) => number): Uint8Array => Uint8Array.from(PRIMITIVES, value);

export const EVENT: Uint8Array = column((p) => EVENTS.indexOf(p.event));
export const ORDER: Uint8Array = column((p) => orderOf(p.order));
export const OPERATION: Uint8Array = column((p) => (p.operation === undefined ? 255 : OPERATIONS.indexOf(p.operation)));
export const RESULT: Uint8Array = column((p) => (p.result === undefined ? 255 : RESULTS.indexOf(p.result)));

/** Does nothing: what a suspended schedule() turns into, so that resuming it does not schedule again. */
export const NOTHING: number = code('barrier');
/** What an access asks of its cache line: nothing, a copy to read, or the line alone. */
export const TOUCH_NOTHING = 0;
export const TOUCH_READ = 1;
const TOUCH_WRITE = 2;
const WRITING: readonly EventKind[] = ['W', 'RMW', 'LK', 'LF', 'UL', 'RLK', 'RUL'];
export const TOUCH: Uint8Array = column(({ event }) =>
  event === 'R' ? TOUCH_READ : WRITING.includes(event) ? TOUCH_WRITE : TOUCH_NOTHING,
);

/** The other CPUs' interest in an access: where a random scheduler switches more often. */
export const INTERESTING: Uint8Array = column((p) =>
  Number(!(p.event === 'R' || p.order === 'plain' || p.order === 'once' || p.order === 'compiler')),
);
/** Names of the event kinds, by number: for statistics. */
export const eventName = (kind: number): EventKind => EVENTS[kind];
