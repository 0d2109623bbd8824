// SPDX-License-Identifier: MIT
import type { Primitive } from '@lockless/cpu';
import { PRIMITIVES } from '@lockless/cpu';

/**
 * Virtual nanoseconds of each access. This is the only place that knows them, for an access to a line that the CPU has in its own cache. What it
 * costs to get the line, when the option `caches` asks for that, is in caches.ts.
 */
export type CostModel = (primitive: Primitive) => number;

/** About what a cached access costs on a machine of 2008 to 2024, and what the slow paths cost that are one access here. */
export const defaultCost: CostModel = ({ event, order }) => {
  switch (event) {
    case 'R':
    case 'W':
      return order === 'mb' ? 12 : 2;
    case 'RMW':
      return order === 'full' ? 12 : 8;
    case 'F':
      return order === 'mb' ? 10 : order === 'compiler' ? 0 : 2;
    case 'LK':
    case 'LF':
    case 'RLK':
    case 'RUL':
      return 10;
    case 'UL':
      return 4;
    case 'RCU_LOCK':
    case 'RCU_UNLOCK':
    case 'RCU_SYNC':
    case 'CALL_RCU':
    case 'CHOOSE':
      return 1;
    case 'ALLOC':
      return 60;
    case 'FREE':
      return 40;
    case 'RELAX':
      return 20;
    case 'SCHEDULE':
      return 400;
    case 'WAKE':
      return 80;
    case 'IO':
      return 500;
  }
};

/** What entering and leaving an interrupt handler costs. */
export const INTERRUPT_COST = 300;
/** What a spinning CPU loses between the unlock and its own attempt. */
export const SPIN_COST = 30;

/** The model as a table by code. */
export const costTable = (model: CostModel): Uint16Array => Uint16Array.from(PRIMITIVES, model);
