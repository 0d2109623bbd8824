// SPDX-License-Identifier: GPL-2.0-only
import { swapScenarios } from '../src/swap/index.js';
import { claimsHold } from './family.js';

claimsHold(swapScenarios);
