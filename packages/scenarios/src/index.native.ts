// SPDX-License-Identifier: GPL-2.0-only

/* The families whose programs run on threads as they are: what the checker proves of them is looked for natively by @lockless/outcomes. */

import { contentScenarios } from './pagecache/content.js';
import { dirtyScenarios } from './pagecache/dirty.js';
import { insertionScenarios } from './pagecache/insertion.js';
import { lookupVersusRemovalScenarios } from './pagecache/lookup-vs-removal.js';
import { orphanScenarios } from './pagecache/orphan.js';
import { pageWordScenarios } from './pagecache/page-words.js';
import { verificationScenarios } from './pagecache/verification.js';
import { urcuScenarios } from './rcu/urcu.js';
import type { Scenario } from './scenario.js';

export * from './scenario.js';

export const scenarios: readonly Scenario[] = [
  ...lookupVersusRemovalScenarios,
  ...insertionScenarios,
  ...dirtyScenarios,
  ...orphanScenarios,
  ...contentScenarios,
  ...verificationScenarios,
  ...pageWordScenarios,
  ...urcuScenarios,
];
