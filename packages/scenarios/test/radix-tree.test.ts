// SPDX-License-Identifier: GPL-2.0-only
import { radixTreeScenarios } from '../src/radix-tree/index.js';
import { claimsHold } from './family.js';

claimsHold(radixTreeScenarios);
