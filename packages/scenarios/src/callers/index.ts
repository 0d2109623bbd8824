// SPDX-License-Identifier: GPL-2.0-only
import type { Scenario } from '../scenario.js';
import { deactivateScenarios } from './deactivate.js';
import { lumpyScenarios } from './lumpy.js';
import { memcontrolScenarios } from './memcontrol.js';
import { memoryFailureScenarios } from './memory-failure.js';
import { readerScenarios } from './readers.js';

/** Who calls get_page_unless_zero(), and what each of them rests on. */
export const callerScenarios: readonly Scenario[] = [
  ...readerScenarios,
  ...deactivateScenarios,
  ...lumpyScenarios,
  ...memcontrolScenarios,
  ...memoryFailureScenarios,
];
