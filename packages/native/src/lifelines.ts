// SPDX-License-Identifier: MIT
import { SLOT_ALIVE, slotOf, ThreadSlot } from './layout.js';
import { inNode } from './surroundings.js';

/*
 * A browser tells nobody that a worker was terminated; but a Web Lock that it held goes on to who waits for it. So each thread holds one that nobody else asks for
 * but to learn of its death, by a number that stands in its slot from when it has the lock, and threads that turn their event loops wait for those of the others. (A
 * thread that is terminated before it has its lock, within moments of attaching, dies unnoticed, as do all where there are no Web Locks: threadDied().)
 */

interface LockManager {
  request(
    name: string,
    options: { readonly signal?: AbortSignal },
    callback: () => Promise<void> | undefined,
  ): Promise<unknown>;
}

const lockManager = (): LockManager | undefined =>
  inNode ? undefined : (globalThis as { readonly navigator?: { readonly locks?: LockManager } }).navigator?.locks;

const lockName = (number: number): string => `lockless thread ${number}`;

/** This thread's own line, and those of the others that it has hold of. */
export class Lifelines {
  private readonly words: Int32Array;
  private readonly cpu: number;
  /** Says that a thread is dead; false: this thread does not know enough to clear it away. */
  private readonly gone: (cpu: number) => boolean;
  private readonly watched = new Set<number>();
  private readonly end = new AbortController();
  private letGo: () => void = () => undefined;

  constructor(words: Int32Array, cpu: number, gone: (cpu: number) => boolean) {
    this.words = words;
    this.cpu = cpu;
    this.gone = gone;
    // Never 0, which says that there is none.
    const number = 1 + Math.floor(Math.random() * 0x7ffffffe);
    this.ask(number, () => {
      Atomics.store(words, ThreadSlot.threadId(slotOf(cpu)), number);
      return new Promise((resolve) => {
        this.letGo = resolve;
      });
    });
  }

  /** Takes hold of the lines of threads that have come since. */
  look(threads: number): void {
    if (lockManager() === undefined) return;
    for (let cpu = 0; cpu < threads; cpu++) {
      const number = this.numberOf(cpu);
      if (cpu === this.cpu || number === 0 || this.watched.has(number)) continue;
      this.watched.add(number);
      this.ask(number, () => {
        // The thread detached, or died. Who does not know enough looks again later: by then it is done, or nobody else was left to do it.
        if (this.numberOf(cpu) !== number || this.gone(cpu)) return;
        this.watched.delete(number);
      });
    }
  }

  /** This thread takes part no longer: its slot is free already. */
  release(): void {
    this.end.abort();
    this.letGo();
  }

  private numberOf(cpu: number): number {
    if (Atomics.load(this.words, ThreadSlot.state(slotOf(cpu))) !== SLOT_ALIVE) return 0;
    return Atomics.load(this.words, ThreadSlot.threadId(slotOf(cpu)));
  }

  private ask(number: number, granted: () => Promise<void> | undefined): void {
    const { signal } = this.end;
    lockManager()
      ?.request(lockName(number), { signal }, () => (signal.aborted ? undefined : granted()))
      // It was given up, or the page may have no locks: then nobody watches, as without them.
      .catch(() => undefined);
  }
}
