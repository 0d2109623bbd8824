// SPDX-License-Identifier: GPL-2.0-only
import type { KmemCache, Null, Op, Ptr, Ref, TaskStruct } from '@lockless/cpu';
import {
  Completion,
  complete,
  current,
  defineGuard,
  defineStatic,
  defineWord,
  finishWait,
  GFP_KERNEL,
  initCompletion,
  initWaitqueueHead,
  kmemCacheAlloc,
  kmemCacheCreate,
  kmemCacheFree,
  NULL,
  prepareToWait,
  readOnce,
  schedule,
  setCurrentState,
  setCurrentStateRelaxed,
  smpMb,
  TASK_RUNNING,
  TASK_UNINTERRUPTIBLE,
  WaitQueueHead,
  waitEvent,
  waitForCompletion,
  waitqueueActive,
  wakeUp,
  wakeUpProcess,
  writeOnce,
} from '@lockless/cpu';
import { assertThat } from '../assertion.js';
import { always, notNeeded, whereStoresWait } from '../claims.js';
import { type Scenario, scenario } from '../scenario.js';

/*
 * Going to sleep beside the one who ends the sleep. The sleeper says that it sleeps and then tests the condition; the waker makes it true and then looks
 * for sleepers: store buffering, so both need a full barrier in between, or a lock that does its work.
 */

const q: Ptr<WaitQueueHead> = defineStatic(WaitQueueHead, 'queue');
const done: Ref<number> = defineWord('done');
const sleeper: Ref<Ptr<TaskStruct> | Null> = defineWord('sleeper');

const preparesFirst = defineGuard('sleepOnQueue.prepareFirst', 'tests the condition before it is on the queue');
const stateFirst = defineGuard('sleepAlone.stateFirst', 'tests the condition before it says that it sleeps');

const isDone = function* (): Op<boolean> {
  return (yield* readOnce(done)) !== 0;
};

/** wait_event(), written out. */
function* sleepOnQueue(): Op<void> {
  for (;;) {
    if (preparesFirst()) yield* prepareToWait(q, TASK_UNINTERRUPTIBLE);
    const go = yield* isDone();
    if (!preparesFirst()) yield* prepareToWait(q, TASK_UNINTERRUPTIBLE);
    if (go) break;
    yield* schedule();
  }
  yield* finishWait(q);
}

/** A waker that spares itself the lock of an empty queue. */
function* wakeIfActive(): Op<void> {
  yield* writeOnce(done, 1);
  // Pairs with the barrier of set_current_state() in prepare_to_wait().
  yield* smpMb();
  if (yield* waitqueueActive(q)) yield* wakeUp(q);
}

/** A thread that one other knows, as a kernel thread and who kicks it. */
function* sleepAlone(): Op<void> {
  yield* writeOnce(sleeper, current());
  for (;;) {
    if (stateFirst()) yield* setCurrentState(TASK_UNINTERRUPTIBLE);
    const go = yield* isDone();
    if (!stateFirst()) yield* setCurrentState(TASK_UNINTERRUPTIBLE);
    if (go) break;
    yield* schedule();
  }
  yield* setCurrentStateRelaxed(TASK_RUNNING);
}
function* kick(): Op<void> {
  yield* writeOnce(done, 1);
  // Pairs with the barrier of set_current_state(). wake_up_process() has one too, but the task is loaded before it.
  yield* smpMb();
  const task = yield* readOnce(sleeper);
  if (task !== NULL) yield* wakeUpProcess(task);
}

const completionCachep: KmemCache<Completion> = kmemCacheCreate(Completion);

export const waitScenarios: readonly Scenario[] = [
  scenario({
    name: 'wait-event',
    facts: [],
    summary: 'a task waits for a condition on a queue, whose waker takes the lock of the queue',
    source: 'include/linux/wait.h and kernel/wait.c, 2.6.27',
    properties: ['I7'],
    setup: () => initWaitqueueHead(q),
    threads: {
      sleeper: () => waitEvent(q, isDone),
      *waker() {
        yield* writeOnce(done, 1);
        yield* wakeUp(q);
      },
    },
    // The lock orders the condition both ways.
    races: 'report',
    guards: [notNeeded('setCurrentState.smp_store_mb')],
  }),
  scenario({
    name: 'wake-up-if-active',
    facts: [],
    summary: 'a task waits for a condition on a queue, whose waker looks without the lock whether anybody waits',
    source:
      'waitqueue_active(), include/linux/wait.h; Documentation/memory-barriers.txt, "Sleep and wake-up functions"',
    properties: ['I7'],
    setup: () => initWaitqueueHead(q),
    threads: { sleeper: sleepOnQueue, waker: wakeIfActive },
    races: 'report',
    guards: [
      always('sleepOnQueue.prepareFirst', 'lost-wakeup'),
      whereStoresWait('setCurrentState.smp_store_mb', 'lost-wakeup'),
      whereStoresWait('wakeIfActive.smp_mb', 'lost-wakeup'),
    ],
  }),
  scenario({
    name: 'set-current-state',
    facts: [],
    summary: 'a task tests a condition and sleeps, while another makes it true and wakes it up by name',
    source: 'Documentation/memory-barriers.txt, "Sleep and wake-up functions"',
    properties: ['I7'],
    setup: function* () {},
    threads: { sleeper: sleepAlone, waker: kick },
    races: 'report',
    guards: [
      always('sleepAlone.stateFirst', 'lost-wakeup'),
      whereStoresWait('setCurrentState.smp_store_mb', 'lost-wakeup'),
      whereStoresWait('kick.smp_mb', 'lost-wakeup'),
    ],
  }),
  scenario({
    name: 'completion-then-free',
    facts: [],
    summary: 'a waiter frees the completion as soon as it is complete, while complete() is still at it',
    source: 'kernel/sched.c, 2.6.27: complete() wakes under the lock',
    properties: ['I11'],
    *setup() {
      const x = yield* kmemCacheAlloc(completionCachep, GFP_KERNEL);
      assertThat(x !== NULL, 'setup has memory');
      yield* initCompletion(x);
      return x;
    },
    threads: {
      *waiter(x: Ptr<Completion>) {
        yield* waitForCompletion(x);
        yield* kmemCacheFree(completionCachep, x);
      },
      completer: (x: Ptr<Completion>) => complete(x),
    },
    races: 'report',
    guards: [notNeeded('setCurrentState.smp_store_mb')],
  }),
];
