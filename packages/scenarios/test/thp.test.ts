// SPDX-License-Identifier: GPL-2.0-only
import { thpScenarios } from '../src/thp/index.js';
import { claimsHold } from './family.js';

claimsHold(thpScenarios);
