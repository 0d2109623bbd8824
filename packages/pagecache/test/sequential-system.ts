// SPDX-License-Identifier: GPL-2.0-only
import type { Access, Op, Ptr, SequentialOptions } from '@lockless/cpu';
import { HARDIRQ_OFFSET, PRIMITIVES, SequentialEngine } from '@lockless/cpu';
import type { Bio } from '@lockless/mm-types';
import { freeAreaInit } from '@lockless/page';
import { rcuInit, rcuTick } from '@lockless/rcu';
import { attachBlockMap, BackingStore, bioEndIo, type PagecacheOptions, pagecacheInit } from '../src/index.js';

/** Runs a handler at once, as an interrupt of that CPU. */
export function interrupt(cpu: SequentialEngine['cpu'], handler: Op<void>): void {
  const { irqsDisabled } = cpu;
  cpu.irqsDisabled = true;
  cpu.preemptCount += HARDIRQ_OFFSET;
  while (!handler.next().done);
  cpu.preemptCount -= HARDIRQ_OFFSET;
  cpu.irqsDisabled = irqsDisabled;
}

/** One CPU with a disk that is done with a request at once: the interrupt comes within submit_io. */
class EngineWithDisk extends SequentialEngine {
  readonly store: BackingStore = new BackingStore();
  /** Decides whether the next request fails. */
  failRequest: () => boolean = () => false;

  /** Before the next access by that primitive something else happens, as by another CPU. */
  interpose: { primitive: string; op: () => Op<void> } | null = null;

  override step(access: Access<unknown>): IteratorResult<Access<unknown>, unknown> {
    this.runInterposed(access);
    if (PRIMITIVES[access.code]!.event !== 'IO') return super.step(access);
    const bio = access.address as Ptr<Bio>;
    this.store.transfer(bio, this.words, this.failRequest() ? -5 : 0);
    interrupt(this.cpu, bioEndIo(bio));
    return { done: true, value: undefined };
  }

  private runInterposed(access: Access<unknown>): void {
    if (this.interpose?.primitive !== PRIMITIVES[access.code].name) return;
    const { op } = this.interpose;
    this.interpose = null;
    // There is one access object, and the other CPU's code uses it too.
    const { code, address, operand, expected } = access;
    for (const other = op(); !other.next().done; );
    Object.assign(access, { code, address, operand, expected });
  }
}

export interface SequentialSystem {
  readonly engine: EngineWithDisk;
  readonly store: BackingStore;
  run<T>(op: Op<T>): T;
  /** Lets RCU callbacks run. */
  settle(): void;
}

/** Boots the page cache on one CPU. */
export function bootSequential(
  options: PagecacheOptions & { pages?: number } = {},
  engineOptions: SequentialOptions = {},
): SequentialSystem {
  const engine = new EngineWithDisk(engineOptions);
  const { pages = 512 } = options;
  const bootReserve = (words: number): number => engine.heap.reserve(words);
  attachBlockMap(engine.store);
  const system: SequentialSystem = {
    engine,
    store: engine.store,
    run: (op) => engine.run(op),
    settle: () => {
      for (let i = 0; i < 8; i++) engine.run(rcuTick(true));
    },
  };
  engine.run(
    (function* () {
      yield* rcuInit(1);
      yield* freeAreaInit({ pages, nrCpus: 1, bootReserve });
      yield* pagecacheInit(options);
    })(),
  );
  return system;
}
