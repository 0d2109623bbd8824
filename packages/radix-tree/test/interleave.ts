// SPDX-License-Identifier: GPL-2.0-only
import type { Access, CpuLocal, Op } from '@lockless/cpu';
import { enterCpu, installEngine, KernelBug, SequentialEngine } from '@lockless/cpu';

type Pending = Pick<Access<unknown>, 'code' | 'address' | 'operand' | 'expected'>;

/** A piece of kernel-side code that stands before its next access. */
class Thread<T> {
  accesses = 0;
  result: T | undefined;
  done = false;
  /** The access it stands before; null at its start. */
  pending: Pending | null = null;
  readonly op: Op<T>;
  readonly cpu: CpuLocal;

  constructor(op: Op<T>, cpu: CpuLocal) {
    this.op = op;
    this.cpu = cpu;
  }
}

/** Accesses after which code that nobody disturbs any more must have come to an end. */
const LIMIT = 5000;

/**
 * Two CPUs under sequential consistency, and every schedule in which the first is interrupted once by a part of the second: enough for the
 * races of the radix tree, few enough to try them all. (The simulator does the rest: more CPUs, weak memory.)
 */
class TwoCpus extends SequentialEngine {
  private resumed: Pending | null = null;
  private stoppedAt: Pending | null = null;

  /** Stops before each access, and performs it when the thread is resumed. */
  override step(access: Access<unknown>): IteratorResult<Access<unknown>, unknown> {
    const { resumed } = this;
    if (resumed === null) {
      this.stoppedAt = { ...access };
      return { done: false, value: access };
    }
    this.resumed = null;
    return super.step(Object.assign(access, resumed));
  }

  /** Lets a thread make up to `count` accesses; the first call only brings it to its first. */
  advance<T>(thread: Thread<T>, count = Number.POSITIVE_INFINITY): void {
    const before = installEngine(this);
    enterCpu(thread.cpu);
    try {
      for (; count > 0 && !thread.done; count--) {
        this.resumed = thread.pending;
        if (++thread.accesses > LIMIT) throw new KernelBug('livelock', `${LIMIT} accesses without an end`);
        const step = thread.op.next();
        thread.pending = this.stoppedAt;
        if (step.done) Object.assign(thread, { done: true, result: step.value });
      }
    } finally {
      installEngine(before.words.length === 0 ? null : before);
    }
  }
}

/** What to run: on a fresh machine for each schedule. */
export interface TwoThreads<T> {
  readonly prepare: () => Op<void>;
  readonly reader: () => Op<T>;
  readonly writer: () => Op<void>;
  /** Throws when the reader's result cannot be. */
  readonly check: (result: T) => void;
}

/** Runs every schedule "reader i accesses, writer j accesses, reader to its end, writer to its end". Returns how many there were. */
export function everySchedule<T>(test: TwoThreads<T>): number {
  for (let i = 0, schedules = 0; ; i++) {
    for (let j = 1; ; j++) {
      const engine = new TwoCpus({ words: (1 << 18) + (1 << 14) });
      const start = <U>(op: Op<U>, id: number): Thread<U> => new Thread(op, { ...engine.cpu, id });
      engine.advance(start(test.prepare(), 0));
      const reader = start(test.reader(), 1);
      const writer = start(test.writer(), 0);
      engine.advance(reader, i + 1);
      if (reader.done) return schedules;
      engine.advance(writer, j + 1);
      const last = writer.done;
      engine.advance(reader);
      engine.advance(writer);
      test.check(reader.result as T);
      schedules++;
      if (last) break;
    }
  }
}
