// SPDX-License-Identifier: MIT

/** Whom a store that reaches memory may let go on: CPUs that spin on that word. */
export interface CommitListener {
  /** Number of words that somebody spins on. Nothing is called while it is 0. */
  watched: number;
  changed(address: number): void;
}

/**
 * Word memory as the CPUs see it. One CPU at a time accesses it: the one last given to {@link enter}.
 * docs/simulator-memory.md argues, mode by mode, that nothing here shows what LKMM forbids.
 */
export abstract class Memory {
  readonly words: Int32Array;
  protected readonly listener: CommitListener;
  /** Stores that reached memory: how the machine tells progress from spinning. */
  commits = 0;
  /** Loads that returned an older value than memory held. */
  staleLoads = 0;
  /** Stores that waited in a store buffer. */
  bufferedStores = 0;

  constructor(words: Int32Array, listener: CommitListener) {
    this.words = words;
    this.listener = listener;
  }

  /** The CPU whose accesses follow. */
  abstract enter(cpu: number): void;
  /** A load with one of the ORDER_ codes. */
  abstract load(address: number, order: number): number;
  /** A store with one of the ORDER_ codes. */
  abstract store(address: number, value: number, order: number): void;
  /** A fence with one of the ORDER_ codes. */
  abstract fence(order: number): void;
  /** The value that a read-modify-write of this CPU finds: `words[address]` once its own older stores to that word are there. */
  abstract latest(address: number): number;
  /** The store of a successful read-modify-write, lock acquisitions included; `latest` was called before. */
  abstract modify(address: number, value: number, order: number): void;
  /** A read-modify-write that did not store is a relaxed load of the latest value. */
  abstract failed(address: number): void;
  /** Full barrier of the current CPU. */
  abstract full(): void;
  /** Words that have no past: fresh memory. */
  abstract forget(base: number, size: number): void;
  /** Another CPU than the current one still has a buffered store to these words: its number, or -1. */
  abstract bufferedElsewhere(base: number, size: number): number;
  /** Time passes for a CPU: some of its buffered stores reach memory. */
  abstract drift(cpu: number): void;
  /** All buffered stores of that CPU reach memory: it stops executing for a while. */
  abstract drain(cpu: number): void;

  /** A store reaches memory. */
  protected reach(address: number, value: number): void {
    this.words[address] = value;
    this.commits++;
    if (this.listener.watched !== 0) this.listener.changed(address);
  }
}
