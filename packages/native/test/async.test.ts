// SPDX-License-Identifier: MIT
import {
  complete,
  downRead,
  initCompletion,
  initRwsem,
  initWaitqueueHead,
  Mutex,
  mutexInit,
  mutexLock,
  mutexUnlock,
  peek,
  readOnce,
  upRead,
  upWrite,
  waitForCompletion,
  wakeUp,
  writeOnce,
} from '@lockless/cpu/native';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { NativeMachine } from '../src/index.js';
import * as words from './threads/words.mjs';
import { effort, runJob, start } from './threads.js';

vi.setConfig({ testTimeout: 60_000 * effort });

let machine: NativeMachine;
beforeEach(() => {
  machine = NativeMachine.create({ threads: 8, mayBlock: false, name: 'main' });
  mutexInit(words.mutex);
  initRwsem(words.sem);
  initCompletion(words.ping);
  initCompletion(words.pong);
  initWaitqueueHead(words.queue);
});
afterEach(() => machine.detach());

/** Counts turns of the event loop meanwhile. */
async function turnsDuring(work: () => Promise<void>): Promise<number> {
  let turns = 0;
  let over = false;
  const turn = (): void => {
    turns++;
    if (!over) setImmediate(turn);
  };
  setImmediate(turn);
  await work();
  over = true;
  return turns;
}

describe('a thread that must not block', () => {
  it('waits for a mutex that others hold, and counts with them', async () => {
    const n = 500 * effort;
    const others = runJob(machine, 'mutex', 2, 20 * n);
    const task = machine.task();
    const turns = await turnsDuring(async () => {
      for (let i = 0; i < n; i++) {
        await task.mutexLock(words.mutex);
        task.run(() => {
          const value = readOnce(words.count);
          writeOnce(words.count, value + 1);
          writeOnce(words.other, value + 1);
          mutexUnlock(words.mutex);
        });
      }
      await others;
    });
    task.end();
    expect(peek(words.count)).toBe(41 * n);
    expect(turns).toBeGreaterThan(10);
  });

  it('waits for an rwsem, to read and to write', async () => {
    const n = 200 * effort;
    const others = runJob(machine, 'rwsem', 2, 20 * n);
    const task = machine.task();
    for (let i = 0; i < n; i++) {
      await task.downRead(words.sem);
      expect(task.run(() => readOnce(words.count) - readOnce(words.other))).toBe(0);
      task.run(() => upRead(words.sem));
      await task.downWrite(words.sem);
      task.run(() => {
        writeOnce(words.count, readOnce(words.count) + 1);
        writeOnce(words.other, readOnce(words.other) + 1);
        upWrite(words.sem);
      });
    }
    await others;
    expect(peek(words.count)).toBe(41 * n);
  });

  it('hands a completion to and fro with a thread that blocks', async () => {
    const n = 500 * effort;
    const other = start(machine, 'completions', { n, self: 1 });
    const task = machine.task();
    for (let i = 0; i < n; i++) {
      task.run(() => complete(words.ping));
      await task.waitForCompletion(words.pong);
    }
    await other.ended;
    task.end();
    expect(machine.allThreads().length).toBe(1);
  });

  it('takes turns with two threads on a wait queue, in two tasks of its own', async () => {
    const n = 200 * effort;
    const others = [0, 1].map((self) => start(machine, 'turns', { n, self, of: 4 }));
    const turns = async (self: number): Promise<void> => {
      const task = machine.task();
      for (let i = 0; i < n; i++) {
        await task.waitEvent(words.queue, () => readOnce(words.count) % 4 === self);
        task.run(() => {
          writeOnce(words.count, readOnce(words.count) + 1);
          wakeUp(words.queue);
        });
      }
      task.end();
    };
    await Promise.all([turns(2), turns(3), ...others.map(({ ended }) => ended)]);
    expect(peek(words.count)).toBe(4 * n);
  });

  it('is told when it would block, and leaves nothing behind', async () => {
    const holder = start(machine, 'holdMutex', { stay: true });
    await holder.attached;
    while (peek(Mutex.count(words.mutex)) === 1) await new Promise((resolve) => setTimeout(resolve, 5));
    const error = expect.objectContaining({
      code: 'ERR_MUST_NOT_BLOCK',
      message: expect.stringContaining('main would sleep here, and serves events'),
    });
    expect(() => machine.run(() => mutexLock(words.mutex))).toThrow(error);
    expect(() => machine.run(() => waitForCompletion(words.pong))).toThrow(error);
    // What it left is good for others: they wait in the same places, and get what they wait for.
    complete(words.pong);
    waitForCompletion(words.pong);
    machine.repairLock('mutex', () => true);
    const behind = start(machine, 'mutex', { n: 5 });
    await behind.attached;
    await holder.worker.terminate();
    await behind.ended;
    expect(peek(words.count)).toBe(5);
    machine.run(() => mutexLock(words.mutex));
    mutexUnlock(words.mutex);
    downRead(words.sem);
    upRead(words.sem);
  });
});
