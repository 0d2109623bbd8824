// SPDX-License-Identifier: MIT
import { describe, expect, it } from 'vitest';
import type { Op, Ptr, Ref, SpinLock } from '../src/index.js';
import {
  bug,
  Completion,
  complete,
  defineStatic,
  defineWord,
  downRead,
  downReadTrylock,
  downWrite,
  downWriteTrylock,
  GFP_KERNEL,
  initCompletion,
  initRwsem,
  irqsDisabled,
  kmemCacheAlloc,
  kmemCacheCreate,
  kmemCacheFree,
  ListHead,
  load,
  Mutex,
  mutexInit,
  mutexIsLocked,
  mutexLock,
  mutexTrylock,
  mutexUnlock,
  NULL,
  preemptEnable,
  RwSemaphore,
  runSequentially,
  SequentialEngine,
  spinLock,
  spinLockIrqsave,
  spinTrylock,
  spinUnlock,
  spinUnlockIrqrestore,
  store,
  thisCpu,
  upRead,
  upWrite,
  waitForCompletion,
} from '../src/index.js';

const lock = defineWord<SpinLock>('locks.test.lock');
const mutex = defineStatic(Mutex, 'locks.test.mutex');
const sem = defineStatic(RwSemaphore, 'locks.test.sem');
const done = defineStatic(Completion, 'locks.test.done');
const cache = kmemCacheCreate(ListHead);

const failure = (op: () => Op<unknown>): string => {
  try {
    runSequentially(op);
  } catch (error) {
    return (error as { kind?: string }).kind ?? String(error);
  }
  return 'none';
};

describe('spin locks', () => {
  it('exclude, and hold preemption and interrupts off', () => {
    runSequentially(function* () {
      const flags = yield* spinLockIrqsave(lock);
      expect(flags).toBe(false);
      expect(irqsDisabled()).toBe(true);
      expect(thisCpu.preemptCount).toBe(1);
      expect(yield* spinTrylock(lock)).toBe(false);
      yield* spinUnlockIrqrestore(lock, flags);
      expect(irqsDisabled()).toBe(false);
      expect(thisCpu.preemptCount).toBe(0);
      expect(yield* spinTrylock(lock)).toBe(true);
      yield* spinUnlock(lock);
    });
  });

  it('taken twice by one CPU is a deadlock; released unheld is found', () => {
    expect(
      failure(function* () {
        yield* spinLock(lock);
        yield* spinLock(lock);
      }),
    ).toBe('deadlock');
    expect(
      failure(function* () {
        yield* spinUnlock(lock);
      }),
    ).toBe('unlock-not-held');
  });
});

describe('sleeping locks', () => {
  it('mutex: lock, trylock, unlock, owner', () => {
    runSequentially(function* () {
      yield* mutexInit(mutex);
      yield* mutexLock(mutex);
      expect(yield* mutexIsLocked(mutex)).toBe(true);
      expect(yield* mutexTrylock(mutex)).toBe(false);
      yield* mutexUnlock(mutex);
      expect(yield* mutexTrylock(mutex)).toBe(true);
    });
    expect(
      failure(function* () {
        yield* mutexInit(mutex);
        yield* mutexUnlock(mutex);
      }),
    ).toBe('BUG');
    expect(
      failure(function* () {
        yield* mutexInit(mutex);
        yield* mutexLock(mutex);
        yield* mutexLock(mutex);
      }),
    ).toBe('deadlock');
  });

  it('rwsem: readers share, a writer excludes', () => {
    runSequentially(function* () {
      yield* initRwsem(sem);
      yield* downRead(sem);
      expect(yield* downReadTrylock(sem)).toBe(true);
      expect(yield* downWriteTrylock(sem)).toBe(false);
      yield* upRead(sem);
      yield* upRead(sem);
      yield* downWrite(sem);
      expect(yield* downReadTrylock(sem)).toBe(false);
      yield* upWrite(sem);
      expect(yield* downReadTrylock(sem)).toBe(true);
    });
  });

  it('completion: a wait after complete() returns, a second one would sleep', () => {
    runSequentially(function* () {
      yield* initCompletion(done);
      yield* complete(done);
      yield* waitForCompletion(done);
    });
    expect(
      failure(function* () {
        yield* initCompletion(done);
        yield* complete(done);
        yield* waitForCompletion(done);
        yield* waitForCompletion(done);
      }),
    ).toBe('deadlock');
  });

  it('sleeping under a spin lock is a bug', () => {
    expect(
      failure(function* () {
        yield* mutexInit(mutex);
        yield* spinLock(lock);
        yield* mutexLock(mutex);
      }),
    ).toBe('BUG');
    expect(
      failure(function* () {
        preemptEnable();
        yield* load(lock);
      }),
    ).toBe('BUG');
  });
});

describe('the heap', () => {
  it('finds use after free, double free, null and wild pointers', () => {
    const alloc = function* (): Op<Ptr<ListHead>> {
      const p = yield* kmemCacheAlloc(cache, GFP_KERNEL);
      if (p === NULL) bug('no memory');
      return p;
    };
    expect(
      failure(function* () {
        const p = yield* alloc();
        yield* kmemCacheFree(cache, p);
        yield* load(ListHead.next(p));
      }),
    ).toBe('use-after-free');
    expect(
      failure(function* () {
        const p = yield* alloc();
        yield* kmemCacheFree(cache, p);
        yield* kmemCacheFree(cache, p);
      }),
    ).toBe('double-free');
    expect(
      failure(function* () {
        yield* load(3 as Ref<number>);
      }),
    ).toBe('null-dereference');
    expect(
      failure(function* () {
        yield* load(((1 << 20) - 1) as Ref<number>);
      }),
    ).toBe('wild-access');
    expect(
      failure(function* () {
        yield* kmemCacheFree(cache, 1_000_000 as Ptr<ListHead>);
      }),
    ).toBe('bad-free');
  });

  it('gives zeroed objects, reuses freed ones, and names what an address is', () => {
    const engine = new SequentialEngine();
    const [first, again] = engine.run(
      (function* () {
        const p = yield* kmemCacheAlloc(cache, GFP_KERNEL);
        if (p === NULL) throw new Error('no memory');
        yield* store(ListHead.next(p), p);
        yield* kmemCacheFree(cache, p);
        const q = yield* kmemCacheAlloc(cache, GFP_KERNEL);
        if (q === NULL) throw new Error('no memory');
        expect(yield* load(ListHead.next(q))).toBe(0);
        return [p, q];
      })(),
    ) as [number, number];
    expect(again).toBe(first);
    expect(engine.heap.describe(first + 1)).toBe(`list_head@${first}.prev`);
    expect(engine.heap.describe(lock)).toBe('locks.test.lock');
    const heads = engine.heap.reserve(4 * ListHead.$size, ListHead);
    expect(engine.heap.describe(heads + 3)).toBe('list_head[1].prev');
    expect(engine.heap.live[cache.id]).toBe(1);
  });
});
