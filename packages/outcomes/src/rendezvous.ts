// SPDX-License-Identifier: GPL-2.0-only

/** Words of the control block. Each is on a cache line of its own. */
const LINE = 16;
const GENERATION = 0;
const ARRIVED = LINE;
const STOP = 2 * LINE;
const FAILED = 3 * LINE;
const BATCHES = 4 * LINE;
const GO_ON = 5 * LINE;
const BEGUN = 6 * LINE;
/** Where each thread is: 0 outside of its part of a batch, or the number of the instance that it has come to, from 1. */
const PLACES = 7 * LINE;
/** As many threads as a run may have. */
export const THREADS = 16;
/** Here the meeting words begin. */
const MEETINGS = PLACES + THREADS * LINE;

/** Thrown in the threads that remain when another one has failed. */
export class Abandoned extends Error {
  override readonly name = 'Abandoned';
}

/** What the threads of a run and the thread that started them tell each other, in shared words. */
export class Control {
  readonly shared: Int32Array;

  constructor(shared: Int32Array) {
    this.shared = shared;
  }

  static create(instances: number): Control {
    return new Control(new Int32Array(new SharedArrayBuffer(4 * (MEETINGS + instances * LINE))));
  }

  /** Asks for an end behind the batch at hand. */
  stop(): void {
    Atomics.store(this.shared, STOP, 1);
  }

  get stopped(): boolean {
    return Atomics.load(this.shared, STOP) !== 0;
  }

  /** A thread has failed: nobody is to wait for it. */
  fail(): void {
    Atomics.store(this.shared, FAILED, 1);
    Atomics.notify(this.shared, GENERATION);
  }

  get batches(): number {
    return Atomics.load(this.shared, BATCHES);
  }

  /** The threads are ready, and the first batch begins. */
  begin(): void {
    Atomics.store(this.shared, BEGUN, 1);
  }

  get begun(): boolean {
    return Atomics.load(this.shared, BEGUN) !== 0;
  }

  /** Threads that are in their part of the batch. */
  get away(): readonly number[] {
    return this.places.flatMap((place, thread) => (place === 0 ? [] : [thread]));
  }

  /** Differs from what it was before if the threads have got on. */
  get signOfLife(): string {
    return `${this.begun} ${this.batches} ${this.places}`;
  }

  private get places(): readonly number[] {
    return Array.from({ length: THREADS }, (_, thread) => Atomics.load(this.shared, PLACES + thread * LINE));
  }

  countBatch(): void {
    Atomics.add(this.shared, BATCHES, 1);
  }

  /** Before a run, while no thread is in one. */
  reset(): void {
    this.shared.fill(0);
  }
}

/** How often a thread looks before it sleeps: one that has a processor arrives within this. */
const SPINS = 50_000;
/** How often it looks in all meetings of a batch together. */
const PATIENCE = 100_000;

/** One thread's end of the meetings of a run. */
export class Rendezvous {
  private readonly shared: Int32Array;
  private readonly control: Control;
  private readonly thread: number;
  private readonly threads: number;
  private sink = 1;

  constructor(control: Control, thread: number, threads: number) {
    this.control = control;
    this.shared = control.shared;
    this.thread = thread;
    this.threads = threads;
  }

  /** Waits until all threads are here. */
  barrier(): void {
    const { shared } = this;
    const generation = Atomics.load(shared, GENERATION);
    if (Atomics.add(shared, ARRIVED, 1) === this.threads - 1) {
      Atomics.store(shared, ARRIVED, 0);
      Atomics.add(shared, GENERATION, 1);
      Atomics.notify(shared, GENERATION);
      return;
    }
    for (let spins = 0; spins < SPINS; spins++) if (Atomics.load(shared, GENERATION) !== generation) return;
    while (Atomics.load(shared, GENERATION) === generation) {
      if (Atomics.load(shared, FAILED) !== 0) throw new Abandoned('another thread failed');
      Atomics.wait(shared, GENERATION, generation, 100);
    }
  }

  /** The thread is back from its part of the batch. */
  back(): void {
    Atomics.store(this.shared, PLACES + this.thread * LINE, 0);
  }

  /** Waits as barrier() does. The first thread decides for all whether there is another batch: each for itself might see the request to stop at another time. */
  goesOn(more: boolean): boolean {
    if (this.thread === 0) Atomics.store(this.shared, GO_ON, more && !this.control.stopped ? 1 : 0);
    this.barrier();
    return Atomics.load(this.shared, GO_ON) !== 0;
  }

  /** Meetings of instances `from` to `to` - 1 are as if nobody had come. */
  clear(from: number, to: number): void {
    for (let i = from; i < to; i++) Atomics.store(this.shared, MEETINGS + i * LINE, 0);
  }

  /**
   * How the threads of a batch get together: at each `every`th instance (a power of two) they wait for each other, and then each waits a random time, up
   * to `delay` steps, to be early or late. Who has looked for the others too often in vain stops doing so: they have no processor now.
   */
  meeting(every: number, delay: number, seed: number): (instance: number) => void {
    const { shared, thread, threads } = this;
    const place = PLACES + thread * LINE;
    let random = seed | 1;
    let patience = PATIENCE;
    return (instance) => {
      // Plain: an atomic store would empty the store buffer before each instance.
      shared[place] = instance + 1;
      if ((instance & (every - 1)) === 0) {
        const word = MEETINGS + instance * LINE;
        if (Atomics.add(shared, word, 1) < threads - 1)
          while (Atomics.load(shared, word) < threads && patience > 0) patience--;
      }
      random ^= random << 13;
      random ^= random >>> 17;
      random ^= random << 5;
      for (let left = random & (delay - 1); left > 0; left--) this.sink = (Math.imul(this.sink, 5) + left) | 0;
    };
  }
}
