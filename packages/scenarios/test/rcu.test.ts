// SPDX-License-Identifier: GPL-2.0-only
import { cpuScenarios } from '../src/cpu/index.js';
import { rcuScenarios } from '../src/rcu/index.js';
import { claimsHold } from './family.js';

claimsHold([...rcuScenarios, ...cpuScenarios]);
