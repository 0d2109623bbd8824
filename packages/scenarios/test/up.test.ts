// SPDX-License-Identifier: GPL-2.0-only
import { upScenarios } from '../src/up/index.js';
import { claimsHold } from './family.js';

claimsHold(upScenarios);
