// SPDX-License-Identifier: GPL-2.0-only
import type { Access, Engine, Heap, Op, Ref } from '@lockless/cpu';
import { choose, cpuRelax, engine, installEngine, smpLoadAcquire, smpStoreRelease } from '@lockless/cpu';

/*
 * Threads that die: of a native build, where a worker can be terminated. Whatever it was at ends before one of its accesses, any of them; then
 * somebody finds it dead. What it stored is seen by then: the platform says so (the worker's exit is an event that another thread gets).
 */

const SUSPENDED: IteratorResult<Access<unknown>, unknown> = {
  done: false,
  value: undefined as unknown as Access<unknown>,
};

/** Lets so many accesses through, to the engine behind. */
class Mortal implements Engine {
  readonly behind: Engine = engine;
  readonly words: Int32Array = engine.words;
  readonly heap?: Heap;
  private left: number;
  /** The access that is being made: the engine behind may suspend in the middle of it. */
  private pending: { code: number; address: number; operand: number; expected: number } | null = null;
  dead = false;

  constructor(accesses: number) {
    this.left = accesses;
    if (engine.heap !== undefined) this.heap = engine.heap;
  }

  step(access: Access<unknown>): IteratorResult<Access<unknown>, unknown> {
    if (this.left === 0) {
      this.dead = true;
      return SUSPENDED;
    }
    const { code, address, operand, expected } = access;
    this.pending ??= { code, address, operand, expected };
    const step = this.behind.step(Object.assign(access, this.pending));
    if (step.done) {
      this.pending = null;
      this.left--;
    }
    return step;
  }
}

/**
 * Runs an operation that dies before any one of `accesses` accesses, after `spared` first ones, or not, if it has not so many. Returns whether it came to its
 * end.
 */
export function* diesSomewhere(op: () => Op<unknown>, accesses: number, spared = 0): Op<boolean> {
  const mortal = new Mortal(spared + (yield* choose(accesses)));
  const operation = op();
  for (;;) {
    const before = installEngine(mortal);
    let ended: boolean | undefined;
    try {
      ended = operation.next().done;
    } finally {
      installEngine(before);
    }
    if (ended) return true;
    if (mortal.dead) return false;
    yield undefined as unknown as Access<unknown>;
  }
}

/** The end of a thread that dies. */
export const sayDead = (word: Ref<number>): ReturnType<typeof smpStoreRelease> => smpStoreRelease(word, 1);

/** Waits for that, as who gets the event. */
export function* awaitDeath(word: Ref<number>): Op<void> {
  while ((yield* smpLoadAcquire(word)) === 0) yield* cpuRelax();
}
