// SPDX-License-Identifier: MIT
import type { FaultKind } from '@lockless/cpu';
import { PRIMITIVES } from '@lockless/cpu';
import { EVENT, eventName } from './codes.js';

/** Counters of one machine, from its start. */
export class Statistics {
  /** Accesses by primitive code. */
  readonly counts: Float64Array = new Float64Array(PRIMITIVES.length);
  contextSwitches = 0;
  preemptions = 0;
  migrations = 0;
  timerInterrupts = 0;
  deviceInterrupts = 0;
  softirqs = 0;
  /** Attempts to take a spin lock that found it held. */
  contended = 0;
  injected: Record<FaultKind, number> = { enomem: 0, eio: 0, enospc: 0, signal: 0 };
  /** First word that was never allocated. */
  highWater = 0;

  /** Accesses by event kind. */
  byEvent(): Record<string, number> {
    const sums: Record<string, number> = {};
    this.counts.forEach((count, code) => {
      if (count > 0) sums[eventName(EVENT[code])] = (sums[eventName(EVENT[code])] ?? 0) + count;
    });
    return sums;
  }

  get accesses(): number {
    return this.counts.reduce((sum, count) => sum + count, 0);
  }
}
