// SPDX-License-Identifier: GPL-2.0-only
import type { Scenario } from '../scenario.js';
import { classicScenarios } from './classic.js';
import { classicIdleScenarios } from './classic-idle.js';
import { eventScenarios } from './events.js';
import { urcuScenarios } from './urcu.js';
import { urcuDeathScenarios } from './urcu-death.js';
import { urcuQsbrScenarios } from './urcu-qsbr.js';
import { urcuQsbrThreadScenarios } from './urcu-qsbr-threads.js';

/** The grace-period guarantee: of the events, and of our implementations. */
export const rcuScenarios: readonly Scenario[] = [
  ...eventScenarios,
  ...urcuScenarios,
  ...urcuDeathScenarios,
  ...urcuQsbrScenarios,
  ...urcuQsbrThreadScenarios,
  ...classicScenarios,
  ...classicIdleScenarios,
];
