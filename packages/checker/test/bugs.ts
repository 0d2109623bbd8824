// SPDX-License-Identifier: MIT
import {
  type Access,
  access,
  bugOn,
  code,
  cpuRelax,
  current,
  defineWord,
  GFP_KERNEL,
  KernelBug,
  type KmemCache,
  kmemCacheAlloc,
  kmemCacheCreate,
  kmemCacheFree,
  load,
  NULL,
  type Null,
  type Op,
  type Ptr,
  poke,
  type Ref,
  rcuAssignPointer,
  rcuDereference,
  readOnce,
  type SpinLock,
  type StructOf,
  schedule,
  setCurrentState,
  setCurrentStateRelaxed,
  smpLoadAcquire,
  smpRmb,
  smpStoreRelease,
  smpWmb,
  spinLock,
  spinUnlock,
  store,
  struct,
  TASK_RUNNING,
  TASK_UNINTERRUPTIBLE,
  type TaskStruct,
  vmBugOn,
  wakeUpProcess,
  writeOnce,
} from '@lockless/cpu';
import type { ModelName, Program } from '../src/index.js';

/** The smallest program with a bug of each kind, and the same without it. */
export interface Bug {
  readonly kind: string;
  readonly at: string;
  /** Weakest model is the default: lkmm. */
  readonly model?: ModelName;
  readonly broken: Program;
  readonly fixed: Program;
}

interface Item {
  value: number;
  next: Ptr<Item> | Null;
}
const Item: StructOf<Item> = struct<Item>('item', { value: 1, next: 1 });
const items: KmemCache<Item> = kmemCacheCreate(Item);

const data: Ref<number> = defineWord('data');
const flag: Ref<number> = defineWord('flag');
const head: Ref<Ptr<Item> | Null> = defineWord('head');
const lockA: Ref<SpinLock> = defineWord('lockA');
const lockB: Ref<SpinLock> = defineWord('lockB');
const sleeper: Ref<Ptr<TaskStruct> | Null> = defineWord('sleeper');

const rcuReadLock = (): Access<void> => access(code('rcu_read_lock'), 0);
const rcuReadUnlock = (): Access<void> => access(code('rcu_read_unlock'), 0);
const synchronizeRcu = (): Access<void> => access(code('synchronize_rcu'), 0);

function* nothing(): Op<void> {}

function program(name: string, threads: Program['threads'], rest: Partial<Program> = {}): Program {
  return { name, setup: nothing, threads, ...rest };
}

/** Publishes one item; boot code. */
function* publishItem(): Op<Ptr<Item>> {
  const item = yield* kmemCacheAlloc(items, GFP_KERNEL);
  if (item === NULL) throw new Error('no memory');
  poke(Item.value(item), 1);
  poke(head, item);
  return item;
}

export function messagePassing(barriers: boolean): Program {
  return program(`message-passing${barriers ? '' : '-broken'}`, {
    writer: function* publish(): Op<void> {
      yield* writeOnce(data, 42);
      if (barriers) yield* smpWmb();
      yield* writeOnce(flag, 1);
    },
    reader: function* consume(): Op<void> {
      if ((yield* readOnce(flag)) === 0) return;
      if (barriers) yield* smpRmb();
      bugOn((yield* readOnce(data)) !== 42, 'data != 42');
    },
  });
}

/** With the barriers in place: what `without` is for. */
export const guarded: Program = messagePassing(true);

function* abba(first: Ref<SpinLock>, second: Ref<SpinLock>): Op<void> {
  yield* spinLock(first);
  yield* spinLock(second);
  yield* spinUnlock(second);
  yield* spinUnlock(first);
}

function removal(grace: boolean): Program {
  return {
    ...program('rcu-removal', {
      reader: function* lookup(): Op<void> {
        yield* rcuReadLock();
        const item = yield* rcuDereference(head);
        if (item !== NULL) yield* readOnce(Item.value(item));
        yield* rcuReadUnlock();
      },
      updater: function* remove(): Op<void> {
        const item = yield* readOnce(head);
        yield* rcuAssignPointer(head, NULL);
        if (grace) yield* synchronizeRcu();
        if (item !== NULL) yield* kmemCacheFree(items, item);
      },
    }),
    setup: publishItem,
  };
}

function doubleFree(locked: boolean): Program {
  function* drop(): Op<void> {
    if (locked) yield* spinLock(lockA);
    const item = yield* readOnce(head);
    yield* writeOnce(head, NULL);
    if (locked) yield* spinUnlock(lockA);
    if (item !== NULL) yield* kmemCacheFree(items, item);
  }
  return { ...program('double-free', { a: drop, b: drop }), setup: publishItem };
}

function replacement(freesOld: boolean): Program {
  return program(
    'replacement',
    {
      a: function* replace(): Op<void> {
        const item = yield* kmemCacheAlloc(items, GFP_KERNEL);
        if (item === NULL) return;
        yield* rcuAssignPointer(head, item);
        const second = yield* kmemCacheAlloc(items, GFP_KERNEL);
        if (second === NULL) return;
        yield* rcuAssignPointer(head, second);
        if (freesOld) yield* kmemCacheFree(items, item);
      },
    },
    { leaks: 'report' },
  );
}

function counter(locked: boolean): Program {
  function* increment(): Op<void> {
    if (locked) yield* spinLock(lockA);
    yield* store(data, (yield* load(data)) + 1);
    if (locked) yield* spinUnlock(lockA);
  }
  return program('counter', { a: increment, b: increment }, { races: 'report' });
}

function lostCount(locked: boolean): Program {
  function* increment(): Op<void> {
    if (locked) yield* spinLock(lockA);
    yield* writeOnce(data, (yield* readOnce(data)) + 1);
    if (locked) yield* spinUnlock(lockA);
  }
  return program(
    'lost-count',
    { a: increment, b: increment },
    {
      finally: function* () {
        const count = yield* load(data);
        if (count !== 2) throw new KernelBug('assertion', `count is ${count}, not 2`);
      },
    },
  );
}

function sleep(stateFirst: boolean): Program {
  return program('sleep', {
    sleeper: function* waitForFlag(): Op<void> {
      yield* writeOnce(sleeper, current());
      for (;;) {
        if (stateFirst) yield* setCurrentState(TASK_UNINTERRUPTIBLE);
        if ((yield* readOnce(flag)) !== 0) break;
        if (!stateFirst) yield* setCurrentState(TASK_UNINTERRUPTIBLE);
        yield* schedule();
      }
      yield* setCurrentStateRelaxed(TASK_RUNNING);
    },
    waker: function* raiseFlag(): Op<void> {
      let task = yield* readOnce(sleeper);
      while (task === NULL) {
        yield* cpuRelax();
        task = yield* readOnce(sleeper);
      }
      yield* writeOnce(flag, 1);
      yield* wakeUpProcess(task);
    },
  });
}

function spin(raised: boolean): Program {
  return program('spin', {
    spinner: function* waitUntilRaised(): Op<void> {
      while ((yield* readOnce(flag)) === 0) yield* cpuRelax();
    },
    other: function* raise(): Op<void> {
      yield* writeOnce(data, 1);
      if (raised) yield* writeOnce(flag, 1);
    },
  });
}

/** A lookup that retries while a sequence number is odd; whoever made it odd must make it even again. */
function retry(evens: boolean): Program {
  return program('retry', {
    reader: function* lookup(): Op<void> {
      for (;;) if (((yield* smpLoadAcquire(flag)) & 1) === 0) return;
    },
    writer: function* change(): Op<void> {
      yield* writeOnce(flag, 1);
      if (evens) yield* smpStoreRelease(flag, 2);
    },
  });
}

function reachable(possible: boolean): Program {
  return program(
    'reachable',
    { a: () => seen(possible ? flag : data), b: () => raise() },
    {
      mustReach: ['raised flag is seen'],
      finally: function* (_, { results, reach }) {
        if (results.a === 1) reach('raised flag is seen');
      },
    },
  );
}
function* seen(word: Ref<number>): Op<number> {
  return yield* readOnce(word);
}
function* raise(): Op<void> {
  yield* writeOnce(flag, 1);
}

function thrown(kind: 'VM_BUG' | 'exception', careful: boolean): Program {
  return program(kind, {
    a: function* inspect(): Op<void> {
      const value = yield* readOnce(flag);
      if (careful || value === 0) return;
      vmBugOn(kind === 'VM_BUG', 'flag is raised');
      throw new TypeError('flag is raised');
    },
    b: raise,
  });
}

export const bugs: readonly Bug[] = [
  { kind: 'BUG', at: 'consume', broken: messagePassing(false), fixed: messagePassing(true) },
  { kind: 'VM_BUG', at: 'inspect', model: 'sc', broken: thrown('VM_BUG', false), fixed: thrown('VM_BUG', true) },
  { kind: 'exception', at: 'inspect', broken: thrown('exception', false), fixed: thrown('exception', true) },
  { kind: 'assertion', at: 'finally', broken: lostCount(false), fixed: lostCount(true) },
  { kind: 'use-after-free', at: 'lookup', broken: removal(false), fixed: removal(true) },
  { kind: 'double-free', at: 'drop', broken: doubleFree(false), fixed: doubleFree(true) },
  { kind: 'leak', at: 'replace', broken: replacement(false), fixed: replacement(true) },
  { kind: 'data-race', at: 'increment', broken: counter(false), fixed: counter(true) },
  {
    kind: 'deadlock',
    at: 'abba',
    broken: program('abba', { a: () => abba(lockA, lockB), b: () => abba(lockB, lockA) }),
    fixed: program('abba', { a: () => abba(lockA, lockB), b: () => abba(lockA, lockB) }),
  },
  { kind: 'lost-wakeup', at: 'waitForFlag', broken: sleep(false), fixed: sleep(true) },
  { kind: 'livelock', at: 'waitUntilRaised', broken: spin(false), fixed: spin(true) },
  { kind: 'livelock', at: 'lookup', broken: retry(false), fixed: retry(true) },
  { kind: 'unreached', at: '', broken: reachable(false), fixed: reachable(true) },
];
