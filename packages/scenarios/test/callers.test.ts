// SPDX-License-Identifier: GPL-2.0-only
import { callerScenarios } from '../src/callers/index.js';
import { claimsHold } from './family.js';

claimsHold(callerScenarios);
