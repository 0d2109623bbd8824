// SPDX-License-Identifier: MIT
import { initCompletion, initRwsem, initWaitqueueHead, mutexInit, peek, seqlockInit } from '@lockless/cpu/native';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { NativeMachine } from '../src/index.js';
import * as words from './threads/words.mjs';
import { effort, runJob, start } from './threads.js';

vi.setConfig({ testTimeout: 60_000 * effort });

let machine: NativeMachine;

beforeEach(() => {
  machine = NativeMachine.create({ threads: 8, mayBlock: true });
  mutexInit(words.mutex);
  initRwsem(words.sem);
  seqlockInit(words.seqlock);
  initCompletion(words.ping);
  initCompletion(words.pong);
  initWaitqueueHead(words.queue);
});
afterEach(() => machine.detach());

describe('three threads count under a lock, and nothing is lost', () => {
  it.each(['spinLock', 'spinTrylock', 'rwlock', 'seqlock', 'mutex', 'mutexTrylock', 'rwsem', 'atomic'] as const)(
    '%s',
    async (job) => {
      const n = 20_000 * effort;
      await runJob(machine, job, 3, n);
      expect(peek(words.count)).toBe(3 * n);
      if (job !== 'atomic') expect(peek(words.other)).toBe(3 * n);
      expect(machine.allThreads().length).toBe(1);
    },
  );

  it('without a lock much is lost: the threads do run at the same time', async () => {
    // On a busy machine they may run one after the other, once.
    const n = 2_000_000;
    for (let round = 1; round <= 10 && peek(words.count) === 3 * n * (round - 1); round++)
      await runJob(machine, 'unlocked', 3, n);
    expect(peek(words.count) % (3 * n)).not.toBe(0);
  });
});

describe('no wake-up is lost', () => {
  it('completions to and fro', async () => {
    await runJob(machine, 'completions', 2, 3000 * effort);
    expect(machine.allThreads().length).toBe(1);
  });

  it('threads that take turns on one wait queue', async () => {
    const n = 1500 * effort;
    await runJob(machine, 'turns', 3, n);
    expect(peek(words.count)).toBe(3 * n);
  });

  it('complete_all() opens a gate for all', async () => {
    const waiting = [start(machine, 'gate'), start(machine, 'gate'), start(machine, 'gate')];
    await Promise.all(waiting.map(({ attached }) => attached));
    await runJob(machine, 'openGate', 1, 1);
    await Promise.all(waiting.map(({ ended }) => ended));
    expect(machine.allThreads().length).toBe(1);
  });
});
