// SPDX-License-Identifier: GPL-2.0-only
import { fileCacheScenarios } from '../src/file-cache/index.js';
import { claimsHold } from './family.js';

claimsHold(fileCacheScenarios);
