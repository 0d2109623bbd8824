// SPDX-License-Identifier: GPL-2.0-only
import type { Scenario } from '../scenario.js';
import { memoryScenarios } from './memory.js';
import { republishScenarios } from './republish.js';
import { shapeScenarios } from './shape.js';
import { staleLeafScenarios } from './stale-leaf.js';
import { tagScenarios } from './tags.js';

/** Races of the radix tree itself, and what is next to them: tags, memory for nodes. */
export const radixTreeScenarios: readonly Scenario[] = [
  ...staleLeafScenarios,
  ...shapeScenarios,
  ...tagScenarios,
  ...memoryScenarios,
  ...republishScenarios,
];
