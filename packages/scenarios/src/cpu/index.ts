// SPDX-License-Identifier: GPL-2.0-only
import type { Scenario } from '../scenario.js';
import { eventCountScenarios } from './event-count.js';
import { listScenarios } from './list.js';
import { lockScenarios } from './locks.js';
import { seqlockScenarios } from './seqlock.js';
import { sleepingLockScenarios } from './sleeping-lock.js';
import { waitScenarios } from './wait.js';

/** What everything else stands on: locks that sleep, wake-ups, sequence locks, lists that RCU readers walk. */
export const cpuScenarios: readonly Scenario[] = [
  ...waitScenarios,
  ...lockScenarios,
  ...sleepingLockScenarios,
  ...eventCountScenarios,
  ...seqlockScenarios,
  ...listScenarios,
];
