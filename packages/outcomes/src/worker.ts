// SPDX-License-Identifier: GPL-2.0-only
import { workerData } from 'node:worker_threads';
import { makeNoise } from './noise.js';
import type { ThreadData } from './protocol.js';

/* One thread of a crew. Guards are left out, and noise is made, by what the modules that define them find when they are loaded, so this comes before all others. */

const { without, noise } = workerData as ThreadData;
Object.assign(globalThis, { locklessWithout: without, ...(noise ? { locklessOnPrimitive: makeNoise } : {}) });
await import('./thread.js');
