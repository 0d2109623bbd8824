// SPDX-License-Identifier: GPL-2.0-only
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { mutexInit, mutexLock, mutexUnlock, peek, poke, type Ref, staticSymbols } from '@lockless/cpu/native';
import { NativeMachine, type Stall } from '@lockless/native';
import {
  bootUrcu,
  bootUrcuQsbr,
  rcuReadLock,
  rcuReadUnlock,
  rcuThreadDied,
  synchronizeRcu,
  urcuReclaim,
} from '@lockless/rcu/native';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type jobs, mutex, replaceItem, stop, torn } from './threads/items.mjs';

/** `LOCKLESS_LONG=1` or `LOCKLESS_SECONDS`: how many times as much work. */
const effort = Number(process.env.LOCKLESS_SECONDS ?? (process.env.LOCKLESS_LONG === undefined ? 1 : 4));
vi.setConfig({ testTimeout: 60_000 * effort });

let machine: NativeMachine;
let stalls: Stall[];
const boot =
  (rcu: 'mb' | 'qsbr', silentAfter = 500) =>
  (): void => {
    machine = NativeMachine.create({ threads: 6, mayBlock: true, silentAfter, rcu });
    machine.onAbandoned(rcuThreadDied);
    machine.repairLock('urcu_callbacks.reclaim', () => true);
    stalls = [];
    machine.onStall((stall) => stalls.push(stall));
    bootUrcu(machine.threads);
    replaceItem(0);
  };
afterEach(() => machine.detach());

/** The word that tells others of a thread's readers. */
const reader = (cpu: number): Ref<number> => {
  const name = cpu === 0 ? 'urcu_reader' : `urcu_reader[${cpu}]`;
  return (staticSymbols().find((symbol) => symbol.name === name)?.address ?? 0) as Ref<number>;
};

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
async function readersBeside(job: keyof typeof jobs, n: number, reading: keyof typeof jobs = 'read'): Promise<number> {
  const readers = [await start('read'), await start(reading)];
  await (await start(job, n)).ended;
  poke(stop, 1);
  await Promise.all(readers.map(({ ended }) => ended));
  return peek(torn);
}

describe.each(['mb', 'qsbr'] as const)('on real threads, %s', (rcu) => {
  beforeEach(boot(rcu));
  const work = rcu === 'mb' ? effort : Math.ceil(effort / 2);
  /** What is not of readers, once; with `LOCKLESS_LONG` of both. */
  const again = it.skipIf(rcu === 'qsbr' && effort === 1);

  it.each([
    ['synchronize', 400],
    ['callbacks', 20_000],
  ] as const)('no reader sees an object that was freed after its grace period: %s', async (job, n) => {
    expect(await readersBeside(job, n * work)).toBe(0);
    // The one in the slot; every other was freed, once.
    expect(live()).toBe(1);
  });

  again('they do where nobody waits for them', async () => {
    expect(await readersBeside('impatient', 200_000)).toBeGreaterThan(0);
  });

  it('two updaters, and readers that are killed wherever they are: grace periods end, and everything is freed', async () => {
    const updater = await start('callbacks', 20_000 * work);
    for (let kill = 0; kill < 6 * work; kill++) {
      const reader = await start('read');
      await new Promise((resolve) => setTimeout(resolve, (kill * 5) % 17));
      await reader.worker.terminate();
      synchronizeRcu();
    }
    await updater.ended;
    expect(peek(torn)).toBe(0);
    expect(live()).toBe(1);
  });

  again(
    'a reader whose death nobody has noticed is an error for who waits for a grace period, and the next one is none',
    async () => {
      const { worker } = await start('readForEver');
      await new Promise((resolve) => setTimeout(resolve, 100));
      worker.removeAllListeners('exit');
      await worker.terminate();
      expect(() => machine.run(() => synchronizeRcu())).toThrow(
        /^urcu_reader\[1\] is held by thread 1 \(CPU 1\), which has given no sign of life for \d+ ms: it died unnoticed, or is stuck/,
      );
      expect(stalls).toMatchObject([
        { thread: { cpu: 1, name: 'thread 1' }, words: 'urcu_reader[1]', waiter: 'thread 0' },
      ]);
      expect(machine.threadDied(1)?.cleared).toEqual(['urcu_reader[1]']);
      machine.run(() => synchronizeRcu());
    },
  );

  again('an updater that is killed holds up nobody', async () => {
    for (let kill = 0; kill < 5 * work; kill++) {
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

describe('where readers say nothing', () => {
  beforeEach(boot('qsbr'));

  const timeOf = (call: () => void): number => {
    const begin = performance.now();
    call();
    return performance.now() - begin;
  };

  it('threads that read in many jobs of their event loop see no freed object', async () => {
    expect(await readersBeside('synchronize', 300, 'readInTurns')).toBe(0);
    expect(live()).toBe(1);
  });

  it('a thread that has read and turns its event loop holds nothing up', async () => {
    const { ended } = await start('idle');
    await new Promise((resolve) => setTimeout(resolve, 30));
    for (let i = 0; i < 20; i++) synchronizeRcu();
    expect(peek(reader(1))).toBe(0);
    poke(stop, 1);
    await ended;
  });

  it('nor does one that has read and sleeps', async () => {
    mutexInit(mutex);
    mutexLock(mutex);
    const { ended } = await start('sleep');
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(timeOf(() => synchronizeRcu())).toBeLessThan(400);
    expect(stalls).toEqual([]);
    mutexUnlock(mutex);
    await ended;
  });

  it('nor does the thread that waits itself, though it has read in the same job', () => {
    rcuReadLock();
    rcuReadUnlock();
    expect(peek(reader(0))).not.toBe(0);
    synchronizeRcu();
    expect(peek(reader(0))).toBe(0);
  });

  it('a thread that has read and does something else for long is named, and waited for; when that is too long, it is an error', async () => {
    machine.detach();
    boot('qsbr', 1500)();
    const first = await start('doElse', 1200);
    await vi.waitUntil(() => peek(reader(1)) !== 0);
    machine.run(() => synchronizeRcu());
    expect(stalls).toMatchObject([{ thread: { cpu: 1 }, words: 'urcu_reader[1]' }]);
    await first.ended;
    const second = await start('doElse', 60_000);
    await vi.waitUntil(() => peek(reader(1)) !== 0);
    expect(() => machine.run(() => synchronizeRcu())).toThrow(/^urcu_reader\[1\] is held by thread 1/);
    await second.worker.terminate();
    machine.run(() => synchronizeRcu());
  });

  it('what the machine was made for is what is booted', () => {
    machine.detach();
    boot('mb')();
    expect(() => bootUrcuQsbr(2)).toThrow(/^RCU of this machine is mb: NativeMachine.create\(\{ rcu \}\) chooses it/);
    expect(() => NativeMachine.create({ rcu: 'rcu' as 'mb' })).toThrow(/^RCU is mb or qsbr, not 'rcu'/);
  });
});
