// SPDX-License-Identifier: GPL-2.0-only
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { peek, poke } from '@lockless/cpu/native';
import { NativeMachine } from '@lockless/native';
import { bootUrcu, rcuThreadDied, synchronizeRcu, urcuReclaim } from '@lockless/rcu/native';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type jobs, replaceItem, stop, torn } from './threads/items.mjs';

/** `LOCKLESS_LONG=1` or `LOCKLESS_SECONDS`: how many times as much work. */
const effort = Number(process.env.LOCKLESS_SECONDS ?? (process.env.LOCKLESS_LONG === undefined ? 1 : 4));
vi.setConfig({ testTimeout: 60_000 * effort });

let machine: NativeMachine;
beforeEach(() => {
  machine = NativeMachine.create({ threads: 6, mayBlock: true, silentAfter: 500 });
  machine.onAbandoned(rcuThreadDied);
  machine.repairLock('urcu_callbacks.reclaim', () => true);
  bootUrcu(machine.threads);
  replaceItem(0);
});
afterEach(() => machine.detach());

const live = (): number => machine.cacheStatistics().find(({ name }) => name === 'item')?.live ?? 0;

async function start(
  job: keyof typeof jobs,
  n = 0,
): Promise<{ readonly worker: Worker; readonly ended: Promise<unknown> }> {
  const workerData = { handle: machine.share(), job, n };
  const worker = new Worker(new URL('threads/worker.mjs', import.meta.url), { workerData, execArgv: [] });
  const ended = once(worker, 'exit');
  await once(worker, 'message');
  return { worker, ended };
}

/** Two readers beside an updater; how many looks saw a freed object. */
async function readersBeside(job: keyof typeof jobs, n: number): Promise<number> {
  const readers = [await start('read'), await start('read')];
  await (await start(job, n)).ended;
  poke(stop, 1);
  await Promise.all(readers.map(({ ended }) => ended));
  return peek(torn);
}

describe('on real threads', () => {
  it.each([
    ['synchronize', 400],
    ['callbacks', 20_000],
  ] as const)('no reader sees an object that was freed after its grace period: %s', async (job, n) => {
    expect(await readersBeside(job, n * effort)).toBe(0);
    // The one in the slot; every other was freed, once.
    expect(live()).toBe(1);
  });

  it('they do where nobody waits for them', async () => {
    expect(await readersBeside('impatient', 200_000)).toBeGreaterThan(0);
  });

  it('two updaters, and readers that are killed wherever they are: grace periods end, and everything is freed', async () => {
    const updater = await start('callbacks', 20_000 * effort);
    for (let kill = 0; kill < 6 * effort; kill++) {
      const reader = await start('read');
      await new Promise((resolve) => setTimeout(resolve, (kill * 5) % 17));
      await reader.worker.terminate();
      synchronizeRcu();
    }
    await updater.ended;
    expect(peek(torn)).toBe(0);
    expect(live()).toBe(1);
  });

  it('a reader whose death nobody has noticed is an error for who waits for a grace period, and the next one is none', async () => {
    const { worker } = await start('readForEver');
    await new Promise((resolve) => setTimeout(resolve, 100));
    worker.removeAllListeners('exit');
    await worker.terminate();
    expect(() => machine.run(() => synchronizeRcu())).toThrow(
      /^urcu_reader\[1\] is held by thread 1 \(CPU 1\), which has given no sign of life for \d+ ms: it died unnoticed, or is stuck/,
    );
    expect(machine.threadDied(1)?.cleared).toEqual(['urcu_reader[1]']);
    machine.run(() => synchronizeRcu());
  });

  it('an updater that is killed holds up nobody', async () => {
    for (let kill = 0; kill < 5 * effort; kill++) {
      const updater = await start('callbacks', 1_000_000_000);
      await new Promise((resolve) => setTimeout(resolve, 20 + ((kill * 5) % 17)));
      await updater.worker.terminate();
      machine.run(() => synchronizeRcu());
    }
    // Its callbacks are taken over by the next one who reclaims.
    machine.run(() => urcuReclaim());
    expect(machine.allThreads().length).toBe(1);
  });
});
