// SPDX-License-Identifier: GPL-2.0-only
import { parentPort, workerData } from 'node:worker_threads';
import { SharedMap } from '@lockless/shared-map';
import { jobs, whenReady } from './jobs.mjs';

const { handle, job, control, self } = workerData;
const map = SharedMap.attach(handle);
whenReady(() => parentPort.postMessage('ready'));
parentPort.postMessage('attached');
jobs[job](map, control, self);
map.detach();
