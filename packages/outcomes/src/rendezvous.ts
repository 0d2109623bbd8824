// SPDX-License-Identifier: GPL-2.0-only
import { availableParallelism } from 'node:os';

/** Words of the control block. Each is on a cache line of its own. */
const LINE = 16;
const GENERATION = 0;
const ARRIVED = LINE;
const STOP = 2 * LINE;
const FAILED = 3 * LINE;
const BATCHES = 4 * LINE;
const DECISION = 5 * LINE;
const BEGUN = 6 * LINE;
/** Where each thread is: 0 before its part of a batch, then HERE, HERE and the number of the instance that it has come to, from 1, and THROUGH. */
const PLACES = 7 * LINE;
const HERE = 1;
const THROUGH = 2 ** 31 - 1;
/** As many threads as a run may have. */
export const THREADS = 16;

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

  static create(): Control {
    return new Control(new Int32Array(new SharedArrayBuffer(4 * (PLACES + THREADS * LINE))));
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
    return this.places.flatMap((place, thread) => (place === 0 || place === THROUGH ? [] : [thread]));
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

/** How often a thread looks before it sleeps: one that has a processor arrives within this. Of more threads than processors somebody has none. */
const SPINS = 50_000;
const SPINS_OF_MANY = 500;
/** How often it looks before the first instance of a batch for another one: who has passed the barrier last may have to wake the others. */
const GATHERING = 100_000;
/** How often it looks for another one in a meeting. */
const PATIENCE = 2000;
/** After so many meetings in vain it does not look for that one any more in this batch: it has no processor now. */
const WAITS_IN_VAIN = 4;

/** How the threads of a batch get together. */
export interface Pace {
  /** At each `every`th instance (a power of two) they wait for each other. */
  readonly every: number;
  /** At each instance each of them waits for a random time, less than so many steps (a power of two), to be early or late. */
  readonly delay: number;
  readonly seed: number;
}

/** What comes behind a batch. */
export type Decision = 'end' | 'go on' | 'go on, and tell';
const DECISIONS: readonly Decision[] = ['end', 'go on', 'go on, and tell'];

/** One thread's end of the meetings of a run. */
export class Rendezvous {
  private readonly shared: Int32Array;
  private readonly control: Control;
  private readonly thread: number;
  private readonly threads: number;
  private readonly spins: number;
  private meetings = 0;
  private met = 0;
  private sink = 1;

  constructor(control: Control, thread: number, threads: number) {
    this.control = control;
    this.shared = control.shared;
    this.thread = thread;
    this.threads = threads;
    this.spins = threads > availableParallelism() ? SPINS_OF_MANY : SPINS;
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
    for (let spins = 0; spins < this.spins; spins++) if (Atomics.load(shared, GENERATION) !== generation) return;
    while (Atomics.load(shared, GENERATION) === generation) {
      if (Atomics.load(shared, FAILED) !== 0) throw new Abandoned('another thread failed');
      Atomics.wait(shared, GENERATION, generation, 100);
    }
  }

  /** The thread has not begun with its part of the batch. Before the barrier at which it begins. */
  before(): void {
    Atomics.store(this.shared, PLACES + this.thread * LINE, 0);
  }

  /** Behind that barrier: waits for a while until all others have a processor too. Of more threads than processors somebody has none. */
  gather(): void {
    const { shared, thread, threads } = this;
    Atomics.store(shared, PLACES + thread * LINE, HERE);
    if (threads > availableParallelism()) return;
    let patience = GATHERING;
    for (let other = 0; other < threads; other++)
      while (Atomics.load(shared, PLACES + other * LINE) < HERE && --patience > 0);
  }

  /** The thread is back from its part of the batch. */
  back(): void {
    Atomics.store(this.shared, PLACES + this.thread * LINE, THROUGH);
  }

  /** Waits as barrier() does. The first thread decides for all: each for itself might see the request to stop at another time. */
  decide(decision: Decision): Decision {
    if (this.thread === 0) Atomics.store(this.shared, DECISION, this.control.stopped ? 0 : DECISIONS.indexOf(decision));
    this.barrier();
    return DECISIONS[Atomics.load(this.shared, DECISION)];
  }

  /** Meetings of this thread with others since this was asked last, and those of them to which the other one came in time, or where it was still there. */
  takeMeetings(): { readonly meetings: number; readonly met: number } {
    const { meetings, met } = this;
    this.meetings = 0;
    this.met = 0;
    return { meetings, met };
  }

  /** What stands before each instance of a batch: who is to meet says where it is, and looks where the others are. */
  meeting({ every, delay, seed }: Pace): (instance: number) => void {
    const { shared, thread, threads } = this;
    const places = Array.from({ length: threads }, (_, other) => PLACES + other * LINE);
    const [place] = places.splice(thread, 1);
    let random = seed | 1;
    const waits = places.map(() => WAITS_IN_VAIN);
    return (instance) => {
      // Plain: an atomic store would empty the store buffer before each instance.
      shared[place] = HERE + 1 + instance;
      if ((instance & (every - 1)) === 0) {
        for (let other = 0; other < places.length; other++) {
          this.meetings++;
          if (waits[other] === 0) continue;
          let patience = PATIENCE;
          let there = Atomics.load(shared, places[other]);
          while (there <= HERE + instance && --patience > 0) there = Atomics.load(shared, places[other]);
          if (patience === 0) waits[other]--;
          // Not who went on long ago, as nobody came.
          else if (there <= HERE + 1 + instance + every) this.met++;
        }
      }
      random ^= random << 13;
      random ^= random >>> 17;
      random ^= random << 5;
      for (let left = random & (delay - 1); left > 0; left--) this.sink = (Math.imul(this.sink, 5) + left) | 0;
    };
  }
}
