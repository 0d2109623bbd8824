// SPDX-License-Identifier: GPL-2.0-only
import type { Scenario } from '../scenario.js';
import { valueMapDeathScenarios } from './death.js';
import { valueMapWriterScenarios } from './writers.js';

/** The map from integers to values of @lockless/shared-map: publication, lifetime, writers, and their deaths. */
export const valueMapScenarios: readonly Scenario[] = [...valueMapWriterScenarios, ...valueMapDeathScenarios];
