// SPDX-License-Identifier: GPL-2.0-only
import { parentPort, workerData } from 'node:worker_threads';
import { NativeMachine } from '@lockless/native';
import { jobs } from './items.mjs';

const machine = NativeMachine.attach(workerData.handle);
parentPort.postMessage('attached');
await machine.run(() => jobs[workerData.job](workerData.n));
machine.detach();
