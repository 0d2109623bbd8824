// SPDX-License-Identifier: MIT
import { beforeEach, describe, expect, it } from 'vitest';
import {
  configureKernel,
  defineWord,
  inAtomic,
  type KernelConfig,
  type Op,
  type RwLock,
  SequentialEngine,
  type SpinLock,
  smpMb,
  smpRmb,
  smpWmb,
  spinLock,
  spinTrylock,
  spinUnlock,
  writeLock,
  writeUnlock,
} from '../src/index.js';

const lock = defineWord<SpinLock>('lock of kconfig.test');
const rwlock = defineWord<RwLock>('rwlock of kconfig.test');

/** What locks and barriers come to in a build. */
function accessesOf(build: Partial<KernelConfig>): { accesses: string[]; atomic: boolean; again: boolean } {
  const accesses: string[] = [];
  const engine = new SequentialEngine({ onAccess: (name) => accesses.push(name) });
  let atomic = false;
  let again = false;
  engine.run(
    (function* (): Op<void> {
      configureKernel(build);
      yield* spinLock(lock);
      atomic = inAtomic();
      again = yield* spinTrylock(lock);
      if (again) yield* spinUnlock(lock);
      yield* spinUnlock(lock);
      yield* writeLock(rwlock);
      yield* writeUnlock(rwlock);
      yield* smpMb();
      yield* smpWmb();
      yield* smpRmb();
      expect(inAtomic()).toBe(false);
    })(),
  );
  return { accesses, atomic, again };
}

describe('a build for one CPU', () => {
  let smp: ReturnType<typeof accessesOf>;
  beforeEach(() => {
    smp = accessesOf({});
  });

  it('has no lock words, and barriers for the compiler alone', () => {
    expect(smp.accesses).toEqual([
      ...['spin_lock', 'spin_trylock', 'spin_unlock', 'write_lock', 'write_unlock'],
      ...['smp_mb', 'smp_wmb', 'smp_rmb'],
    ]);
    expect(accessesOf({ smp: false }).accesses).toEqual(['barrier', 'barrier', 'barrier']);
  });

  it('lets who has it try a lock again, as there is nobody else', () => {
    expect(smp.again).toBe(false);
    expect(accessesOf({ smp: false }).again).toBe(true);
  });

  it('keeps others from the CPU, where there is preemption', () => {
    expect([smp.atomic, accessesOf({ smp: false }).atomic]).toEqual([true, true]);
    expect(accessesOf({ smp: false, preempt: false }).atomic).toBe(false);
  });
});
