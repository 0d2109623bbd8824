// SPDX-License-Identifier: GPL-2.0-only
import { faultScenarios } from '../src/faults/index.js';
import { claimsHold } from './family.js';

claimsHold(faultScenarios);
