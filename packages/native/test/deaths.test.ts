// SPDX-License-Identifier: MIT
import {
  complete,
  downWrite,
  initCompletion,
  initRwsem,
  initWaitqueueHead,
  mutexInit,
  mutexLock,
  mutexUnlock,
  peek,
  poke,
  readLock,
  readUnlock,
  spinLock,
  spinUnlock,
  upWrite,
  waitForCompletion,
  writeLock,
  writeUnlock,
} from '@lockless/cpu/native';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type AsyncTask, type DeathReport, NativeMachine } from '../src/index.js';
import { firstTaskOf, NativeTask, slotOf, ThreadSlot } from '../src/layout.js';
import type { jobs } from './threads/jobs.mjs';
import * as words from './threads/words.mjs';
import { effort, runJob, start } from './threads.js';

vi.setConfig({ testTimeout: 60_000 * effort });

let machine: NativeMachine;
let deaths: DeathReport[];

beforeEach(() => {
  deaths = [];
  machine = NativeMachine.create({ threads: 8, mayBlock: true, silentAfter: 300, name: 'parent' });
  machine.onThreadDeath((report) => deaths.push(report));
  mutexInit(words.mutex);
  initRwsem(words.sem);
  initCompletion(words.ping);
  initCompletion(words.pong);
  initWaitqueueHead(words.queue);
});
afterEach(() => machine.detach());

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Waits until a thread holds something, or waits for something, and has done so for a while. */
async function settled(cpu: number): Promise<void> {
  const look = (): number =>
    machine.words[ThreadSlot.held(slotOf(cpu), 0)] | machine.words[NativeTask.queue(firstTaskOf(cpu))];
  for (let before = 0, same = 0; same < 5; ) {
    await pause(10);
    const now = look();
    same = now !== 0 && now === before ? same + 1 : 0;
    before = now;
  }
}

/** Starts a thread that does something and goes no further, and kills it then. */
async function killWhile(job: keyof typeof jobs): Promise<DeathReport> {
  const { worker, attached } = start(machine, job, { stay: true, options: { name: 'victim' } });
  const cpu = await attached;
  await settled(cpu);
  await worker.terminate();
  expect(machine.allThreads().map(({ name }) => name)).toEqual(['parent']);
  expect(deaths.map((report) => report.cpu)).toEqual([cpu]);
  return deaths[0];
}

const errorOf = (call: () => void): string => {
  try {
    machine.run(call);
  } catch (error) {
    return `${(error as { code?: string }).code}: ${(error as Error).message}`;
  }
  return 'none';
};

describe('a thread is killed while it', () => {
  it.each([
    ['holds a spin lock', 'holdSpinLock', 'spin lock spin', () => spinLock(words.spin)],
    ['writes under an rwlock', 'holdWriteLock', 'spin lock rwlock', () => readLock(words.rwlock)],
    ['holds a mutex', 'holdMutex', 'mutex mutex', () => mutexLock(words.mutex)],
    ['writes under an rwsem', 'holdWrite', 'rwsem sem (writing)', () => downWrite(words.sem)],
  ] as const)('%s: who takes the lock is told whose it was', async (_, job, name, take) => {
    const report = await killWhile(job);
    expect(report).toMatchObject({ name: 'victim', locks: [{ name, held: 'yes', outcome: 'spoilt' }] });
    const said = errorOf(take);
    expect(said).toMatch(/^ERR_OWNER_DIED: victim \(CPU 1\) died while it held /);
    // And again: nobody gets in.
    expect(errorOf(take)).toBe(said);
  });

  it.each([
    ['holds a spin lock', 'holdSpinLock', 'spin', () => spinLock(words.spin), () => spinUnlock(words.spin)],
    ['holds a mutex', 'holdMutex', 'mutex', () => mutexLock(words.mutex), () => mutexUnlock(words.mutex)],
    ['writes under an rwsem', 'holdWrite', 'sem', () => downWrite(words.sem), () => upWrite(words.sem)],
  ] as const)('%s: with a repair the lock goes on', async (_, job, name, take, release) => {
    const repaired: number[] = [];
    machine.repairLock(name, (lock, _base, cpu) => repaired.push(lock, cpu) > 0);
    const report = await killWhile(job);
    expect(report.locks).toMatchObject([{ held: 'yes', outcome: 'repaired' }]);
    expect(repaired[1]).toBe(report.cpu);
    machine.run(take);
    machine.run(release);
  });

  it.each([
    ['reads under an rwlock', 'holdReadLock', () => writeLock(words.rwlock), () => writeUnlock(words.rwlock)],
    ['reads under an rwsem', 'holdRead', () => downWrite(words.sem), () => upWrite(words.sem)],
  ] as const)('%s: it leaves nothing half done, and the lock goes on', async (_, job, take, release) => {
    const report = await killWhile(job);
    expect(report.locks).toMatchObject([{ held: 'yes', outcome: 'repaired' }]);
    machine.run(take);
    machine.run(release);
  });

  it('waits for a mutex: those behind it are not forgotten', async () => {
    mutexLock(words.mutex);
    const report = await killWhile('holdMutex');
    expect(report.locks).toMatchObject([{ name: 'mutex mutex', held: 'no', outcome: 'not held' }]);
    const behind = start(machine, 'mutex', { n: 10 });
    await behind.attached;
    await pause(50);
    mutexUnlock(words.mutex);
    await behind.ended;
    expect(peek(words.count)).toBe(10);
  });

  it('waits for an rwsem: those behind it are not forgotten', async () => {
    downWrite(words.sem);
    const report = await killWhile('holdRead');
    expect(report.locks).toMatchObject([{ name: 'rwsem sem (reading)', held: 'no' }]);
    const behind = start(machine, 'rwsem', { n: 10 });
    await behind.attached;
    await pause(50);
    upWrite(words.sem);
    await behind.ended;
    expect(peek(words.count)).toBe(10);
  });

  it('waits for a completion: the next one who waits gets it', async () => {
    const report = await killWhile('gate');
    expect(report.queues).toEqual(['ping.wait']);
    complete(words.ping);
    waitForCompletion(words.ping);
  });

  it('waits for a spin lock: nothing of it is left', async () => {
    spinLock(words.spin);
    const report = await killWhile('waitForSpinLock');
    expect(report.locks).toMatchObject([{ name: 'spin lock spin', held: 'no' }]);
    spinUnlock(words.spin);
    spinLock(words.spin);
    spinUnlock(words.spin);
  });
});

describe('a death that nobody watches', () => {
  it('is noticed by who waits for its lock, and is an error', async () => {
    // A thread whose exit is not reported: by another name of the machine's own, as if its worker had been started elsewhere.
    const { worker, attached } = start(machine, 'holdSpinLock', { stay: true, options: { name: 'lost' } });
    const cpu = await attached;
    await settled(cpu);
    worker.removeAllListeners('exit');
    await worker.terminate();
    expect(deaths).toEqual([]);
    expect(errorOf(() => spinLock(words.spin))).toMatch(
      /^ERR_OWNER_SILENT: spin lock spin is held by lost \(CPU 1\), which has given no sign of life for \d+ ms/,
    );
    machine.repairLock('spin', () => true);
    expect(machine.threadDied(cpu)?.locks).toMatchObject([{ outcome: 'repaired' }]);
    expect(machine.threadDied(cpu)).toBeNull();
    spinLock(words.spin);
    spinUnlock(words.spin);
  });

  it('is not suspected of a thread that is only busy, and holds the lock for a moment each time', async () => {
    const busy = start(machine, 'busyWithSpinLock', { n: 10 });
    await busy.attached;
    for (const end = Date.now() + 1000; Date.now() < end; ) {
      machine.run(() => spinLock(words.spin));
      spinUnlock(words.spin);
    }
    await busy.ended;
  });

  it.each([
    ['mutex mutex', 'holdMutex', () => mutexLock(words.mutex), (task: AsyncTask) => task.mutexLock(words.mutex)],
    ['rwsem sem (writing)', 'holdRead', () => downWrite(words.sem), (task: AsyncTask) => task.downWrite(words.sem)],
  ] as const)('is noticed by who sleeps until %s is free', async (name, job, take, takeAsync) => {
    const { worker, attached } = start(machine, job, { stay: true, options: { name: 'lost' } });
    await settled(await attached);
    worker.removeAllListeners('exit');
    await worker.terminate();
    const said = `ERR_OWNER_SILENT: ${name} is held by lost (CPU 1), which has given no sign of life for `;
    expect(errorOf(take)).toContain(said);
    const task = machine.task();
    await expect(takeAsync(task)).rejects.toMatchObject({ code: 'ERR_OWNER_SILENT' });
    // Nothing of those waits is left: when the death is known, the lock goes on.
    machine.repairLock('mutex', () => true);
    machine.threadDied(1);
    machine.run(take);
    machine.run(() => (job === 'holdMutex' ? mutexUnlock(words.mutex) : upWrite(words.sem)));
    await takeAsync(task);
    task.run(() => (job === 'holdMutex' ? mutexUnlock(words.mutex) : upWrite(words.sem)));
    task.end();
  });

  it('of oneself cannot be declared', () => {
    expect(() => machine.threadDied(machine.cpu)).toThrow(RangeError);
  });
});

/** Kills one of several threads again and again in the middle of something; the others must go on, and end when they are told to. */
describe('threads are killed anywhere', () => {
  it.each(['churnSpin', 'churnMutex', 'churnQueue', 'churnObjects'] as const)('%s', async (job) => {
    // What the lock protects here is repaired by making both words equal again.
    const repair = (): boolean => {
      poke(words.other, peek(words.count));
      return true;
    };
    machine.repairLock('spin', repair);
    machine.repairLock('mutex', repair);
    poke(words.stop, 0);
    const steady = start(machine, job, { self: 0 });
    await steady.attached;
    for (let kill = 0; kill < 5 * effort; kill++) {
      const victim = start(machine, job, { self: 1 });
      await victim.attached;
      await pause((kill * 7) % 23);
      await victim.worker.terminate();
    }
    poke(words.stop, 1);
    await steady.ended;
    expect(machine.allThreads().length).toBe(1);
    expect(deaths.length).toBe(5 * effort);
    if (job === 'churnObjects') await runJob(machine, 'objects', 2, 1000);
  });
});

describe('code that throws in the middle', () => {
  it('leaves its thread in order, and its lock spoilt', () => {
    expect(
      errorOf(() => {
        spinLock(words.spin);
        throw new Error('in the middle');
      }),
    ).toBe('undefined: in the middle');
    expect(errorOf(() => spinLock(words.spin))).toMatch(
      /^ERR_OWNER_DIED: parent \(CPU 0\) died while it held spin lock spin/,
    );
    // It may sleep again, and reads again.
    machine.run(() => mutexLock(words.mutex));
    machine.run(() => mutexUnlock(words.mutex));
    readLock(words.rwlock);
    readUnlock(words.rwlock);
  });
});
