// SPDX-License-Identifier: GPL-2.0-only
import { NULL, peek, poke, words } from '@lockless/cpu/native';
import type { NativeMachine } from '@lockless/native';
import { radixTreeThreadDied } from '@lockless/radix-tree/native';
import { rcuThreadDied } from '@lockless/rcu/native';
import { exclusionsDied } from './exclusion.js';
import { repairCpuPages, repairLocks } from './lock-repairs.js';
import { entryOf, inKernel, maxFiles, maxPins, openTable, pinTable, repairs, sweepWanted } from './shared-words.js';
import { stopThreads, undoStopOf } from './stop-threads.js';
import { markDeadTransfers, sweep } from './sweep.js';

/*
 * A thread may die anywhere: in a read, with page locks, with spin locks, with references that it has not recorded yet. Locks are repaired by the machine with
 * lock-repairs.ts; here is what else it left. At once, before another thread gets its number: what is per thread is cleared. Then, with all threads stopped for a
 * moment, everything is counted again (sweep.ts), because nobody can tell what it was just doing.
 */
export class Deaths {
  private readonly machine: NativeMachine;
  private readonly afterwards: () => Promise<void>;
  private running: Promise<void> | undefined;

  /** `afterwards`: called when the cache is in order again. */
  constructor(machine: NativeMachine, afterwards: () => Promise<void>) {
    this.machine = machine;
    this.afterwards = afterwards;
    repairLocks(machine);
    // Also when an error ends a wait for readers: the next grace period must be able to begin.
    machine.onAbandoned(rcuThreadDied);
    machine.onThreadDeath(({ cpu }) => this.bury(cpu));
  }

  /** Resolves when no sweep is under way. */
  async settled(): Promise<void> {
    while (this.running !== undefined) await this.running;
  }

  /** *Context*: as the dead thread's CPU, whose number nobody else has yet. */
  private bury(cpu: number): void {
    radixTreeThreadDied(cpu);
    undoStopOf(cpu);
    Atomics.store(words, inKernel(cpu), 0);
    repairCpuPages(cpu);
    markDeadTransfers(cpu);
    exclusionsDied(cpu);
    for (let entry = 0; entry < peek(maxFiles); entry++)
      poke(entryOf(peek(openTable), peek(maxFiles), cpu, entry), NULL);
    for (let entry = 0; entry < peek(maxPins); entry++) poke(entryOf(peek(pinTable), peek(maxPins), cpu, entry), NULL);
    Atomics.store(words, sweepWanted, 1);
    this.running ??= this.sweepAll();
  }

  private async sweepAll(): Promise<void> {
    try {
      while (Atomics.load(words, sweepWanted) !== 0) {
        await stopThreads(
          () => this.machine.allThreads().map(({ cpu }) => cpu),
          () => {
            if (Atomics.exchange(words, sweepWanted, 0) === 0) return;
            poke(repairs, peek(repairs) + 1);
            sweep(this.machine);
          },
        );
      }
      await this.afterwards();
    } finally {
      this.running = undefined;
    }
  }
}
