// SPDX-License-Identifier: GPL-2.0-only
import type { Scenario } from '../scenario.js';
import { collapseScenarios } from './collapse.js';
import { forkScenarios } from './fork.js';
import { freezeScenarios } from './freeze.js';
import { gpCookieScenarios } from './gp-cookie.js';
import { khugepagedScenarios } from './khugepaged.js';
import { hugeMigrationScenarios } from './migration.js';
import { hugeMremapScenarios } from './mremap.js';
import { smapsScenarios } from './smaps.js';
import { tailCountScenarios } from './tail-counts.js';
import { tailReaderScenarios } from './tail-readers.js';
import { hugeZapScenarios } from './zap.js';

/** Transparent huge pages: tail counts, splitting, and the grace-period cookies of seed 3. */
export const thpScenarios: readonly Scenario[] = [
  ...gpCookieScenarios,
  ...tailCountScenarios,
  ...tailReaderScenarios,
  ...forkScenarios,
  ...hugeMremapScenarios,
  ...smapsScenarios,
  ...freezeScenarios,
  ...hugeMigrationScenarios,
  ...collapseScenarios,
  ...khugepagedScenarios,
  ...hugeZapScenarios,
];
