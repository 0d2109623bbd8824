// SPDX-License-Identifier: GPL-2.0-only
import type { Scenario } from '../scenario.js';
import { contentScenarios } from './content.js';
import { dirtyScenarios } from './dirty.js';
import { insertionScenarios } from './insertion.js';
import { lookupVersusRemovalScenarios } from './lookup-vs-removal.js';
import { noNewRefsScenarios } from './no-new-refs.js';
import { orphanScenarios } from './orphan.js';
import { pageWordScenarios } from './page-words.js';
import { verificationScenarios } from './verification.js';

/** Races of the page cache's lookups with those who insert, remove, truncate, fill and reuse pages. */
export const pageCacheScenarios: readonly Scenario[] = [
  ...lookupVersusRemovalScenarios,
  ...noNewRefsScenarios,
  ...dirtyScenarios,
  ...insertionScenarios,
  ...orphanScenarios,
  ...contentScenarios,
  ...verificationScenarios,
  ...pageWordScenarios,
];
