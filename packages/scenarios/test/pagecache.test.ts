// SPDX-License-Identifier: GPL-2.0-only
import { pageCacheScenarios } from '../src/pagecache/index.js';
import { claimsHold } from './family.js';

claimsHold(pageCacheScenarios);
