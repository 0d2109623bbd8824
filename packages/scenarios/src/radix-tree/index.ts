// SPDX-License-Identifier: GPL-2.0-only
import type { Scenario } from '../scenario.js';

export const radixTreeScenarios: readonly Scenario[] = [];
