// SPDX-License-Identifier: GPL-2.0-only
import {
  atomicAddReturn,
  atomicRead,
  atomicSet,
  type Embed,
  GFP_KERNEL,
  initWaitqueueHead,
  type KmemCache,
  kmemCacheAlloc,
  kmemCacheCreate,
  NULL,
  type Op,
  type Ptr,
  type StructOf,
  struct,
  WaitQueueHead,
  waitEvent,
  waitqueueActive,
  wakeUpAll,
} from '@lockless/cpu';

/** How far one replayed thread has come, and who waits for it. */
interface Gate {
  /** Actions done. */
  done: number;
  wait: Embed<WaitQueueHead>;
}
const Gate: StructOf<Gate> = struct<Gate>('replay_gate', { done: 1, wait: WaitQueueHead }, 16);
const gateCachep: KmemCache<Gate> = kmemCacheCreate(Gate);

/** More than any thread has actions: the thread is gone and nobody waits for it any more. */
const GONE = 0x3fffffff;

/** The gates of all threads of a program, by thread index. */
export class Gates {
  private readonly gates: Ptr<Gate>[] = [];

  /** *Context*: boot. */
  *init(threads: number): Op<void> {
    for (let i = 0; i < threads; i++) {
      const gate = yield* kmemCacheAlloc(gateCachep, GFP_KERNEL);
      if (gate === NULL) throw new Error('no memory for the replay itself');
      yield* initWaitqueueHead(Gate.wait(gate));
      this.gates.push(gate);
    }
  }

  /** Sleeps until that thread has done so many actions. */
  *waitFor(thread: number, count: number): Op<void> {
    const gate = this.gates[thread];
    if ((yield* atomicRead(Gate.done(gate))) >= count) return;
    yield* waitEvent(Gate.wait(gate), function* () {
      return (yield* atomicRead(Gate.done(gate))) >= count;
    });
  }

  /** Sleeps until that thread is gone. */
  waitForEnd(thread: number): Op<void> {
    return this.waitFor(thread, GONE);
  }

  /** One more action of that thread is done. The full barrier of the counting pairs with the one in prepareToWait(). */
  *finishOne(thread: number): Op<void> {
    const gate = this.gates[thread];
    yield* atomicAddReturn(1, Gate.done(gate));
    if (yield* waitqueueActive(Gate.wait(gate))) yield* wakeUpAll(Gate.wait(gate));
  }

  /** The thread does nothing more. */
  *leave(thread: number): Op<void> {
    const gate = this.gates[thread];
    yield* atomicSet(Gate.done(gate), GONE);
    yield* wakeUpAll(Gate.wait(gate));
  }
}
