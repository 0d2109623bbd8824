// SPDX-License-Identifier: GPL-2.0-only
import { valueMapScenarios } from '../src/value-map/index.js';
import { claimsHold } from './family.js';

claimsHold(valueMapScenarios);
