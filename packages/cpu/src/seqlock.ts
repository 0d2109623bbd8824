// SPDX-License-Identifier: MIT
import { load, readOnce, store, writeOnce } from './access.js';
import { cpuRelax, smpRmb, smpWmb } from './barrier.js';
import type { Op } from './op.js';
import type { SpinLock } from './spinlock.js';
import { spinLock, spinUnlock } from './spinlock.js';
import type { StructOf } from './struct.js';
import { struct } from './struct.js';
import type { Ptr } from './word.js';

/** seqlock_t: the sequence is odd while a writer is at work. */
export interface SeqLock {
  sequence: number;
  lock: SpinLock;
}
export const SeqLock: StructOf<SeqLock> = struct<SeqLock>('seqlock_t', { sequence: 1, lock: 1 });

/** seqlock_init(). */
export function* seqlockInit(sl: Ptr<SeqLock>): Op<void> {
  yield* store(SeqLock.sequence(sl), 0);
  yield* store(SeqLock.lock(sl), 0 as SpinLock);
}

/** read_seqbegin(): spins while the sequence is odd; returns it. The barrier pairs with the one in {@link writeSequnlock}. */
export function* readSeqbegin(sl: Ptr<SeqLock>): Op<number> {
  for (;;) {
    const sequence = yield* readOnce(SeqLock.sequence(sl));
    if ((sequence & 1) === 0) {
      yield* smpRmb();
      return sequence;
    }
    yield* cpuRelax();
  }
}

/** read_seqretry(): true when a writer came between, so what was read is to be thrown away. The barrier pairs with {@link writeSeqlock}'s. */
export function* readSeqretry(sl: Ptr<SeqLock>, start: number): Op<boolean> {
  yield* smpRmb();
  return (yield* readOnce(SeqLock.sequence(sl))) !== start;
}

/** write_seqlock(). */
export function* writeSeqlock(sl: Ptr<SeqLock>): Op<void> {
  yield* spinLock(SeqLock.lock(sl));
  yield* writeOnce(SeqLock.sequence(sl), (yield* load(SeqLock.sequence(sl))) + 1);
  yield* smpWmb();
}

/** write_sequnlock(). */
export function* writeSequnlock(sl: Ptr<SeqLock>): Op<void> {
  yield* smpWmb();
  yield* writeOnce(SeqLock.sequence(sl), (yield* load(SeqLock.sequence(sl))) + 1);
  yield* spinUnlock(SeqLock.lock(sl));
}
