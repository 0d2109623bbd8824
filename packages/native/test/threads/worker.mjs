// SPDX-License-Identifier: MIT
import { parentPort, workerData } from 'node:worker_threads';
import { NativeMachine } from '@lockless/native';
import { jobs } from './jobs.mjs';

const { handle, job, n, self, of, stay, options } = workerData;
const machine = NativeMachine.attach(handle, options);
parentPort.postMessage(machine.cpu);
machine.run(() => jobs[job](n, self, of));
if (stay) setInterval(() => undefined, 1000);
else machine.detach();
