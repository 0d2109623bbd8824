// SPDX-License-Identifier: GPL-2.0-only
import type { Scenario } from '../scenario.js';
import { migrationScenarios } from './migration.js';
import { shmemScenarios } from './shmem.js';
import { swapCacheScenarios } from './swap-cache.js';
import { swapInScenarios } from './swap-in.js';
import { swapoffScenarios } from './swapoff.js';

/** Races of the swap cache and of page migration. */
export const swapScenarios: readonly Scenario[] = [
  ...swapCacheScenarios,
  ...swapInScenarios,
  ...swapoffScenarios,
  ...migrationScenarios,
  ...shmemScenarios,
];
