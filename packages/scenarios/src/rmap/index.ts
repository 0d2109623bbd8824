// SPDX-License-Identifier: GPL-2.0-only
import type { Scenario } from '../scenario.js';
import { anonVmaScenarios } from './anon-vma.js';
import { anonVmaRootScenarios } from './anon-vma-root.js';
import { copyOnWriteScenarios } from './copy-on-write.js';
import { migrationScenarios } from './migration.js';
import { objrmapScenarios } from './objrmap.js';

/** Races of the reverse mapping: anon_vma and its lives, migration entries, objrmap and its conversion, copy-on-write. */
export const rmapScenarios: readonly Scenario[] = [
  ...anonVmaScenarios,
  ...anonVmaRootScenarios,
  ...migrationScenarios,
  ...objrmapScenarios,
  ...copyOnWriteScenarios,
];
