// SPDX-License-Identifier: GPL-2.0-only

import { callerScenarios } from './callers/index.js';
import { cpuScenarios } from './cpu/index.js';
import { faultScenarios } from './faults/index.js';
import { fileCacheScenarios } from './file-cache/index.js';
import { notifierScenarios } from './notifiers/index.js';
import { pageCacheScenarios } from './pagecache/index.js';
import { radixTreeScenarios } from './radix-tree/index.js';
import { rcuScenarios } from './rcu/index.js';
import { rmapScenarios } from './rmap/index.js';
import type { Scenario } from './scenario.js';
import { swapScenarios } from './swap/index.js';
import { thpScenarios } from './thp/index.js';
import { upScenarios } from './up/index.js';
import { valueMapScenarios } from './value-map/index.js';

export * from './scenario.js';

/** The whole catalogue. */
export const scenarios: readonly Scenario[] = [
  ...pageCacheScenarios,
  ...radixTreeScenarios,
  ...rcuScenarios,
  ...cpuScenarios,
  ...swapScenarios,
  ...rmapScenarios,
  ...faultScenarios,
  ...notifierScenarios,
  ...thpScenarios,
  ...callerScenarios,
  ...upScenarios,
  ...valueMapScenarios,
  ...fileCacheScenarios,
];
