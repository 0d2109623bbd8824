// SPDX-License-Identifier: GPL-2.0-only
import { rmapScenarios } from '../src/rmap/index.js';
import { claimsHold } from './family.js';

claimsHold(rmapScenarios);
