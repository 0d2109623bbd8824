// SPDX-License-Identifier: GPL-2.0-only
import type { Scenario } from '../scenario.js';
import { exclusionScenarios } from './exclusion.js';
import { lookupScenarios } from './lookup.js';

/** Builds without CONFIG_SMP: one CPU, with preemption or without. What is left of the protocols, and what they rest on then. */
export const upScenarios: readonly Scenario[] = [...lookupScenarios, ...exclusionScenarios];
