// SPDX-License-Identifier: GPL-2.0-only
import type { Scenario } from '../scenario.js';
import { hugeFaultScenarios } from './huge-fault.js';
import { kvmFaultScenarios } from './kvm-fault.js';
import { registrationFamily } from './registration.js';
import { retryOutsideLock } from './retry-outside-lock.js';
import { takeAllLocksScenarios } from './take-all-locks.js';

/** Races of mm_take_all_locks(), of MMU notifiers, and of a secondary MMU that relies on them. */
export const notifierScenarios: readonly Scenario[] = [
  ...takeAllLocksScenarios,
  ...registrationFamily,
  ...kvmFaultScenarios,
  retryOutsideLock,
  ...hugeFaultScenarios,
];
