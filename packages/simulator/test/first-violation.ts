// SPDX-License-Identifier: MIT
import type { Op, Ref, RwLock } from '@lockless/cpu';
import {
  defineStatic,
  defineWord,
  initWaitqueueHead,
  Mutex,
  mutexInit,
  type SpinLock,
  WaitQueueHead,
} from '@lockless/cpu';
import type { MachineOptions, Violation } from '../src/index.js';
import { Machine } from '../src/index.js';

export const a: Ref<SpinLock> = defineWord<SpinLock>('lock_a');
export const b: Ref<SpinLock> = defineWord<SpinLock>('lock_b');
export const rw: Ref<RwLock> = defineWord<RwLock>('rw_lock');
export const flag = defineWord('flag');
export const other = defineWord('other_flag');
export const mutex = defineStatic(Mutex, 'detection_mutex');
export const queue = defineStatic(WaitQueueHead, 'detection_queue');

export type Body = (machine: Machine) => Op<void>;

/** Runs the bodies under seed after seed until one breaks a rule. */
export function firstViolation(bodies: Body[], options: MachineOptions = {}, seeds = 300): Violation | null {
  for (let seed = 1; seed <= seeds; seed++) {
    const machine = new Machine({ cpus: 2, seed, memoryWords: (1 << 18) + (1 << 15), ...options });
    machine.boot(mutexInit(mutex));
    machine.boot(initWaitqueueHead(queue));
    for (const [i, body] of bodies.entries())
      machine.spawn(`task${i}`, () => body(machine), { cpu: i % machine.config.cpus });
    const { violation } = machine.run({ maxSteps: 200_000 });
    if (violation !== null) return violation;
  }
  return null;
}
