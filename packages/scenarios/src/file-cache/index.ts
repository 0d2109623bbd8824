// SPDX-License-Identifier: GPL-2.0-only
import type { Scenario } from '../scenario.js';
import { sizeScenarios } from './sizes.js';
import { truncationScenarios } from './truncation.js';

/** Protocols of the file cache's own, beside the page cache's. */
export const fileCacheScenarios: readonly Scenario[] = [...truncationScenarios, ...sizeScenarios];
