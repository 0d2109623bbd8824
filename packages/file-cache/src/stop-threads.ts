// SPDX-License-Identifier: GPL-2.0-only
import { thisCpu, words } from '@lockless/cpu/native';
import { enterStopped, leaveStopped } from './kernel-section.js';
import { inKernel, stopWord } from './shared-words.js';

const sleep = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

/**
 * Does something while every other living thread is outside kernel code (kernel-section.ts). They are held up only if they want in. *Context*: outside kernel code.
 * `work` does not wait.
 */
export async function stopThreads<T>(living: () => Iterable<number>, work: () => T): Promise<T> {
  const me = thisCpu.id + 1;
  while (Atomics.compareExchange(words, stopWord, 0, me) !== 0) await sleep(1);
  try {
    for (const cpu of living()) {
      if (cpu === thisCpu.id) continue;
      // Who dies inside is no longer among the living.
      while (Atomics.load(words, inKernel(cpu)) !== 0 && [...living()].includes(cpu)) await sleep(1);
    }
    enterStopped();
    try {
      return work();
    } finally {
      leaveStopped();
    }
  } finally {
    if (Atomics.compareExchange(words, stopWord, me, 0) === me) Atomics.notify(words, stopWord);
  }
}

/** A thread that died while it stopped the others stops them no more. */
export function undoStopOf(cpu: number): void {
  if (Atomics.compareExchange(words, stopWord, cpu + 1, 0) === cpu + 1) Atomics.notify(words, stopWord);
}
