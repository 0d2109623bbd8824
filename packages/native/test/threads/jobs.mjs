// SPDX-License-Identifier: MIT
import {
  atomicInc,
  complete,
  completeAll,
  cpuRelax,
  downgradeWrite,
  downRead,
  downWrite,
  GFP_KERNEL,
  kmemCacheAlloc,
  kmemCacheFree,
  load,
  mutexLock,
  mutexTrylock,
  mutexUnlock,
  readLock,
  readOnce,
  readSeqbegin,
  readSeqretry,
  readUnlock,
  spinLock,
  spinTrylock,
  spinUnlock,
  store,
  upRead,
  upWrite,
  waitEvent,
  waitForCompletion,
  wakeUp,
  writeLock,
  writeOnce,
  writeSeqlock,
  writeSequnlock,
  writeUnlock,
} from '@lockless/cpu/native';
import {
  count,
  Large,
  largeCache,
  mutex,
  other,
  ping,
  pong,
  queue,
  rwlock,
  Small,
  sem,
  seqlock,
  smallCache,
  spin,
  stop,
} from './words.mjs';

/** A read, a modification and a write: what only a lock makes one. Both words must always be equal. */
function increment() {
  const value = load(count);
  if (load(other) !== value) throw new Error(`count is ${value} and its copy ${load(other)}: somebody else is in here`);
  store(count, value + 1);
  store(other, value + 1);
}

function look() {
  if (load(count) !== load(other)) throw new Error('a reader sees half of an increment');
}

const times = (n, each) => {
  for (let i = 0; i < n; i++) each(i);
};

/** What threads do in the tests, by name; `n` says how often, `self` which of them it is. */
export const jobs = {
  spinLock: (n) =>
    times(n, () => {
      spinLock(spin);
      increment();
      spinUnlock(spin);
    }),
  /** Holds the lock for a while, again and again, and is too busy to give a sign of life. */
  busyWithSpinLock: (n) =>
    times(n, () => {
      spinLock(spin);
      for (const end = Date.now() + 120; Date.now() < end; );
      spinUnlock(spin);
    }),
  spinTrylock: (n) =>
    times(n, () => {
      while (!spinTrylock(spin)) cpuRelax();
      increment();
      spinUnlock(spin);
    }),
  rwlock: (n) =>
    times(n, () => {
      readLock(rwlock);
      look();
      readUnlock(rwlock);
      writeLock(rwlock);
      increment();
      writeUnlock(rwlock);
    }),
  seqlock: (n) =>
    times(n, () => {
      for (let start; ; ) {
        start = readSeqbegin(seqlock);
        const [one, two] = [readOnce(count), readOnce(other)];
        if (readSeqretry(seqlock, start)) continue;
        if (one !== two) throw new Error('a reader sees half of an increment');
        break;
      }
      writeSeqlock(seqlock);
      increment();
      writeSequnlock(seqlock);
    }),
  mutex: (n) =>
    times(n, () => {
      mutexLock(mutex);
      increment();
      mutexUnlock(mutex);
    }),
  mutexTrylock: (n) =>
    times(n, () => {
      while (!mutexTrylock(mutex)) cpuRelax();
      increment();
      mutexUnlock(mutex);
    }),
  rwsem: (n) =>
    times(n, (i) => {
      downRead(sem);
      look();
      upRead(sem);
      downWrite(sem);
      increment();
      if (i % 4 === 0) {
        downgradeWrite(sem);
        look();
        upRead(sem);
      } else upWrite(sem);
    }),
  /** What locks are for. All begin together. */
  unlocked: (n, _self, of) => {
    atomicInc(other);
    while (readOnce(other) % of !== 0) cpuRelax();
    times(n, () => store(count, load(count) + 1));
  },
  atomic: (n) => times(n, () => atomicInc(count)),

  /** Two threads hand a completion to and fro. */
  completions: (n, self) =>
    times(n, () => {
      if (self === 0) {
        complete(ping);
        waitForCompletion(pong);
      } else {
        waitForCompletion(ping);
        complete(pong);
      }
    }),
  /** Two threads or more take turns at a word, sleeping in between. */
  turns: (n, self, of) =>
    times(n, () => {
      waitEvent(queue, () => readOnce(count) % of === self);
      writeOnce(count, readOnce(count) + 1);
      wakeUp(queue);
    }),
  /** Waits for something that only happens once, with many. */
  gate: () => waitForCompletion(ping),
  openGate: () => completeAll(ping),

  /** Objects come and go; each thread writes who owns its own, and finds it as it left it. */
  objects: (n, self) => {
    const mine = [];
    let seed = self + 1;
    times(n, () => {
      seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
      if (mine.length < 20 || (seed & 0x10000) !== 0) {
        const [cache, type] = (seed & 0x20000) !== 0 ? [smallCache, Small] : [largeCache, Large];
        const object = kmemCacheAlloc(cache, GFP_KERNEL);
        if (object === 0) return;
        if (type === Small && load(Small.tag(object)) !== 0) throw new Error('an object is not zeroed');
        store(type.tag(object), seed);
        store(type.check(object), object ^ self);
        mine.push([object, cache, type, seed]);
      } else {
        const [[object, cache, type, tag]] = mine.splice(seed % mine.length, 1);
        if (load(type.tag(object)) !== tag || load(type.check(object)) !== (object ^ self))
          throw new Error('an object has two owners');
        kmemCacheFree(cache, object);
      }
    });
    for (const [object, cache] of mine) kmemCacheFree(cache, object);
  },

  // What a thread is doing when it is killed; it never ends by itself.
  holdSpinLock: () => spinLock(spin),
  holdReadLock: () => readLock(rwlock),
  holdWriteLock: () => writeLock(rwlock),
  holdMutex: () => mutexLock(mutex),
  holdRead: () => downRead(sem),
  holdWrite: () => downWrite(sem),
  waitForSpinLock: () => spinLock(spin),
  churnMutex: () => {
    while (readOnce(stop) === 0) {
      mutexLock(mutex);
      increment();
      mutexUnlock(mutex);
    }
  },
  churnSpin: () => {
    while (readOnce(stop) === 0) {
      spinLock(spin);
      increment();
      spinUnlock(spin);
    }
  },
  churnQueue: () => {
    while (readOnce(stop) === 0) {
      complete(ping);
      waitForCompletion(ping);
    }
  },
  churnObjects: () => {
    while (readOnce(stop) === 0) jobs.objects(100, 1);
  },
  nothing: () => undefined,
};
