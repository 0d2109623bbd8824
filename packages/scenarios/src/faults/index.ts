// SPDX-License-Identifier: GPL-2.0-only
import type { Scenario } from '../scenario.js';
import { dirtyScenarios } from './dirty.js';
import { gupScenarios } from './gup.js';
import { lazyfreeScenarios } from './lazyfree.js';
import { nonlinearScenarios } from './nonlinear.js';
import { specialScenarios } from './special.js';
import { truncateScenarios } from './truncate.js';

/** Races of page faults, and of those who take pages by address, with truncation, writeback and those who unmap. */
export const faultScenarios: readonly Scenario[] = [
  ...truncateScenarios,
  ...nonlinearScenarios,
  ...dirtyScenarios,
  ...gupScenarios,
  ...lazyfreeScenarios,
  ...specialScenarios,
];
