// SPDX-License-Identifier: GPL-2.0-only
import { workerData } from 'node:worker_threads';
import type { ThreadData } from './protocol.js';

/* One thread of a crew. Guards are left out when the modules that define them are loaded, so this comes before all others. */

(globalThis as { locklessWithout?: readonly string[] }).locklessWithout = (workerData as ThreadData).without;
await import('./thread.js');
